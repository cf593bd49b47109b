//! Sealing keys in a file, so that a gateway that was restarted opens what it sealed before.
//!
//! A line for each key, the newest first: seconds since 1970, its name, itself; the last two in hexadecimal digits.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{KeyFileError, SealingKeys, keys::SealingKey};

impl SealingKeys {
    /// The keys of a file; `None` if there is no file.
    pub fn load(path: &Path) -> Result<Option<Self>, KeyFileError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(path, error)),
        };
        let mut keys = VecDeque::new();
        for (line, text) in (1..).zip(text.lines()) {
            let wrong = || KeyFileError::Line { path: path.display().to_string(), line };
            keys.push_back(parse(text).ok_or_else(wrong)?);
        }
        if keys.is_empty() {
            return Err(KeyFileError::Line { path: path.display().to_string(), line: 1 });
        }
        Ok(Some(Self { keys }))
    }

    /// Writes the keys to a file that only this user may read, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), KeyFileError> {
        let mut text = Zeroizing::new(String::with_capacity(self.keys.len() * 128));
        for SealingKey { name, made, key } in &self.keys {
            // Writing to a String does not fail.
            let _ = write!(text, "{made} ");
            name.iter().for_each(|byte| _ = write!(text, "{byte:02x}"));
            text.push(' ');
            key.iter().for_each(|byte| _ = write!(text, "{byte:02x}"));
            text.push('\n');
        }
        let mut aside = PathBuf::from(path).into_os_string();
        aside.push(".new");
        let written = write_private(Path::new(&aside), text.as_bytes()).and_then(|()| fs::rename(&aside, path));
        written.map_err(|error| failed(path, error))
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // One that was left behind may have other permissions.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn parse(line: &str) -> Option<SealingKey> {
    let mut words = line.split(' ');
    let made = words.next()?.parse().ok()?;
    let mut name = [0; 4];
    digits(words.next()?, &mut name)?;
    let mut key = Zeroizing::new([0; 32]);
    digits(words.next()?, &mut *key)?;
    words.next().is_none().then_some(SealingKey { name, made, key })
}

fn digits(text: &str, bytes: &mut [u8]) -> Option<()> {
    let text = text.as_bytes();
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(())
}

fn failed(path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::File { path: path.display().to_string(), source: source.into() }
}
