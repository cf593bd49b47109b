//! What bridges are to be, from their file and their flags.

use std::path::PathBuf;

use anyhow::Context;
use keyway::{Session, SessionBuilder};
use keyway_bridge::{Exposure, Limits, Mode, OptIn, Rules};
use keyway_config::{Bridges, Config};
use keyway_wire::Url;

use super::{
    args::{BridgeArgs, LinkArgs, mode_of},
    front::Planned,
    fronts,
};
use crate::{exit::Usage, gateway::session_of};

/// Everything bridges need to start.
pub(crate) struct Plan {
    pub(super) file: Option<PathBuf>,
    pub(super) opt_in: OptIn,
    pub(super) url: String,
    pub(super) session: SessionBuilder,
    pub(super) rules: Rules,
    pub(super) overrides: Overrides,
    pub(super) fronts: Vec<Box<dyn Planned>>,
}

/// What flags say of the rules; it counts after a reload as well.
pub(super) struct Overrides {
    services: Vec<String>,
    mode: Option<Mode>,
}

impl Plan {
    /// Of a file, and of flags that take the place of what it says.
    pub(crate) fn new(args: &BridgeArgs) -> anyhow::Result<Self> {
        let link = args.link();
        let opt_in = OptIn::new(link.insecure, link.allow_non_loopback).map_err(|error| usage(error.to_string()))?;
        let config = link.config.as_ref().map(load).transpose()?;
        let bridges = config.as_ref().map(|config| config.bridges.clone()).unwrap_or_default();
        let overrides = Overrides { services: link.service.clone(), mode: link.mode.map(Into::into) };
        let rules = overrides.rules(&bridges)?;
        let fronts = fronts::of(args.front.as_ref(), &bridges)?;
        if fronts.is_empty() {
            let text = "no bridge is named; write `keyway bridge rosbridge …`, or enable one in a file (--config), as \
                        `enabled = true` in [bridges.rosbridge]";
            return Err(usage(text.to_owned()));
        }
        let (url, session) = directory(link, config.as_ref())?;
        Ok(Self { file: link.config.clone(), opt_in, url, session, rules, overrides, fronts })
    }
}

impl Overrides {
    /// The rules in a file, and in what takes its place.
    pub(super) fn rules(&self, bridges: &Bridges) -> anyhow::Result<Rules> {
        let services = if self.services.is_empty() { &bridges.services } else { &self.services };
        let exposure = Exposure::parse(services.iter().map(String::as_str));
        let exposure = exposure.map_err(|error| usage(format!("--service, or `services` in [bridges]: {error}")))?;
        let limits = Limits {
            calls_per_peer: bridges.calls_per_connection,
            calls: bridges.calls,
            call_timeout: bridges.call_timeout,
        };
        Ok(Rules { exposure, mode: self.mode.unwrap_or_else(|| mode_of(bridges.mode)), limits })
    }
}

/// Which directory, and who the bridge is to it.
pub(super) fn directory(link: &LinkArgs, config: Option<&Config>) -> anyhow::Result<(String, SessionBuilder)> {
    let configured = config.map(|config| config.directories.as_slice()).unwrap_or_default();
    let name = config.and_then(|config| config.bridges.directory.as_ref());
    let wanted = configured.iter().find(|directory| name.is_none() || directory.name.as_ref() == name);
    if let (None, Some(directory)) = (&link.directory, wanted) {
        return Ok((directory.url.to_string(), session_of(directory)?));
    }
    let url = Url::parse(link.directory.as_deref().unwrap_or(USUAL)).with_connect_defaults();
    if !url.is_valid() || !url.is_supported() {
        return Err(usage(format!("{url} is no URL of a directory; write scheme://host:port, such as {USUAL}")));
    }
    let tls = link.tls.client()?;
    // What no retry can mend.
    if let Some(missing) = keyway_pipe::missing_tls(&url, tls.as_ref()) {
        return Err(usage(missing));
    }
    let mut session = Session::builder();
    if let Some(tls) = tls {
        session = session.tls(tls);
    }
    if let (Some(user), Some(token)) = (&link.user, &link.token) {
        session = session.credentials(user, token);
    }
    Ok((url.to_string(), session))
}

/// Reads the file.
pub(super) fn load(file: &PathBuf) -> anyhow::Result<Config> {
    Config::load(file).map_err(|error| usage(error.to_string())).context("the configuration cannot be used")
}

fn usage(text: String) -> anyhow::Error {
    Usage(text).into()
}

/// Where a directory is if nobody says otherwise.
const USUAL: &str = "tcp://127.0.0.1:9559";
