//! The demo's own configuration: certificates, and a user with a token, made once and kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::commands::init::{self, Written};

/// Where the demo's files are.
#[derive(Debug)]
pub(crate) struct Files(Written);

impl Files {
    /// Makes what is missing; nothing if the user has a configuration.
    pub(crate) fn prepare(wanted: bool) -> anyhow::Result<Option<Self>> {
        if !wanted {
            return Ok(None);
        }
        let folder = folder()?;
        let files = Written::at(&folder, USER);
        // A configuration of an older version is replaced, so that the demo is what its text says.
        let current = fs::read_to_string(&files.config).is_ok_and(|text| text.starts_with(TEMPLATE));
        if !current || !files.secret.exists() {
            init::write(&folder, &[], USER, TEMPLATE, true)?;
        }
        Ok(Some(Self(files)))
    }

    pub(crate) fn config(&self) -> &Path {
        &self.0.config
    }

    pub(crate) fn ca(&self) -> &Path {
        &self.0.ca
    }

    pub(crate) fn secret(&self) -> &Path {
        &self.0.secret
    }
}

/// `$XDG_STATE_HOME/keyway/demo`.
fn folder() -> anyhow::Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = state.or_else(home).context("cannot tell where to keep the demo's certificates; set HOME")?;
    Ok(state.join("keyway").join("demo"))
}

/// Its user, and the user's role.
const USER: &str = "demo";
const TEMPLATE: &str = include_str!("keyway.toml");
