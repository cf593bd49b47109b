//! The machine's identity, shared with libqi programs on the same machine (spec 1.12).

use std::{env, fs, path::PathBuf, sync::OnceLock};

use uuid::Uuid;

/// The UUID text in libqi's own file, created on first use, so that a libqi program on this machine sees loopback
/// endpoints as its own. Where the file can be neither read nor written, one is made up for the life of this process.
pub fn machine_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| match file() {
        Some(path) => load_or_create(&path),
        None => Uuid::new_v4().to_string(),
    })
}

fn file() -> Option<PathBuf> {
    let config = env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(config.join("qimessaging").join("machine_id"))
}

fn load_or_create(path: &PathBuf) -> String {
    if let Some(id) = load(path) {
        return id;
    }
    let id = Uuid::new_v4().to_string();
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        // Never overwrites: another process may have made it in the meantime.
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        std::io::Write::write_all(&mut file, id.as_bytes())
    });
    match written {
        Ok(()) => id,
        Err(error) => load(path).unwrap_or_else(|| {
            tracing::warn!(path = %path.display(), %error, "the machine id cannot be kept; loopback endpoints may not be recognised");
            id
        }),
    }
}

fn load(path: &PathBuf) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    Uuid::parse_str(text).is_ok().then(|| text.to_owned())
}
