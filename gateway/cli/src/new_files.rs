//! Files that are not to replace others, and those that only their owner may read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::exit::Usage;

/// Files to be written together: all of them or, where one is there already, none.
#[derive(Debug, Default)]
pub(crate) struct NewFiles(Vec<NewFile>);

#[derive(Debug)]
struct NewFile {
    path: PathBuf,
    text: String,
    mode: u32,
}

impl NewFiles {
    /// A file that everybody may read.
    pub(crate) fn add(&mut self, path: PathBuf, text: String) {
        self.0.push(NewFile { path, text, mode: 0o644 });
    }

    /// A file with a secret.
    pub(crate) fn add_secret(&mut self, path: PathBuf, text: String) {
        self.0.push(NewFile { path, text, mode: 0o600 });
    }

    /// Writes them, and the folders they are in.
    pub(crate) fn write(&self, force: bool) -> anyhow::Result<()> {
        let is_there = |file: &&NewFile| file.path.symlink_metadata().is_ok();
        let there: Vec<_> = self.0.iter().filter(is_there).map(|file| file.path.display().to_string()).collect();
        if !force && !there.is_empty() {
            let reason =
                format!("{} is there already; --force replaces it, or choose another folder", there.join(", "));
            return Err(Usage(reason).into());
        }
        for file in &self.0 {
            file.write().with_context(|| format!("cannot write {}", file.path.display()))?;
        }
        Ok(())
    }
}

impl NewFile {
    /// Under another name first: a file that is read while it is replaced is either the old one or the new.
    fn write(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent().filter(|folder| *folder != Path::new("")) {
            fs::create_dir_all(folder)?;
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{}.new", std::process::id()));
        let written =
            OpenOptions::new().write(true).create_new(true).mode(self.mode).open(&name).and_then(|mut file| {
                file.write_all(self.text.as_bytes())?;
                file.sync_all()?;
                fs::rename(&name, &self.path)
            });
        if written.is_err() {
            // What is left of it would be in the way the next time.
            let _ = fs::remove_file(&name);
        }
        written
    }
}
