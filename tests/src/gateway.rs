//! `keyway gateway` with a configuration of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use keyway_auth::{Secret, token};
use tempfile::TempDir;

use crate::process::{Keyway, Running};

/// A gateway that runs with a `keyway.toml` in a folder of its own.
#[derive(Debug)]
pub struct Gateway {
    /// The process.
    pub process: Running,
    folder: TempDir,
}

impl Gateway {
    /// Starts it in front of a directory, with a configuration and more arguments.
    pub fn start(directory: &str, config: &str, arguments: &[&str]) -> Self {
        let folder = folder(config);
        let process = start(directory, folder.path(), arguments);
        Self { process, folder }
    }

    /// Where clients reach it.
    pub fn url(&self) -> &str {
        &self.process.url
    }

    /// Kills it, as `kill -9` does, and starts it again at the same address.
    pub fn restart(&mut self, directory: &str, arguments: &[&str]) {
        let url = self.process.url.clone();
        self.process.end();
        self.process = start(directory, self.folder.path(), &[&["--listen", &url], arguments].concat());
    }

    /// Replaces the configuration, which changes nothing before it is read again.
    pub fn configure(&self, config: &str) {
        write(self.folder.path(), config);
    }

    /// Where its configuration is, and relative paths begin.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }
}

/// A `[[user]]` with [`token_of`] its name.
pub fn user(name: &str, role: &str) -> String {
    let hash = token::hash(&Secret::new(token_of(name)));
    format!("\n[[user]]\nname = \"{name}\"\nrole = \"{role}\"\ntoken_hash = \"{hash}\"\n")
}

/// The token of a [`user`].
pub fn token_of(name: &str) -> String {
    format!("the token of {name}")
}

fn start(directory: &str, folder: &Path, arguments: &[&str]) -> Running {
    let file = folder.join(FILE).display().to_string();
    Keyway::gateway(directory, &[&["--config", &file], arguments].concat())
}

fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for a configuration: {error}"));
    write(folder.path(), config);
    folder
}

fn write(folder: &Path, config: &str) {
    // Whole at once, as an editor does: the gateway may be reading.
    let new = folder.join("new.toml");
    let written = fs::write(&new, config).and_then(|()| fs::rename(&new, folder.join(FILE)));
    written.unwrap_or_else(|error| panic!("the configuration is not written: {error}"));
}

const FILE: &str = "keyway.toml";
