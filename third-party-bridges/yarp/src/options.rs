//! What can be set.

use std::time::Duration;

use keyway_bridge::FrontError;
use keyway_yarp_wire::{Carrier, Dialect, name_server::is_port_name};

/// Options of the front, from flags or from `[bridges.yarp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `host:port` of the name server; without it, `yarp.conf` is read.
    pub name_server: Option<String>,
    /// What the names of all ports begin with.
    pub prefix: String,
    /// The address on which ports listen.
    pub bind: String,
    /// Whether properties and signals have ports that set and emit them.
    pub inputs: bool,
    /// Which YARP is spoken.
    pub dialect: Dialect,
    /// Whether outputs number and date what they send.
    pub envelope: bool,
    /// Whether names are taken from ports that are alive.
    pub takeover: bool,
    /// How long a call of a service may take.
    pub call_timeout: Duration,
    /// How structs are written.
    pub struct_style: StructStyle,
    /// Ports that become services.
    pub imports: Vec<Import>,
}

/// How structs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StructStyle {
    /// `((name value) …)`
    Named,
    /// `(value …)`
    #[default]
    Plain,
}

/// YARP ports that become a service of the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The name of the service.
    pub service: String,
    /// The port that answers `call` and `rpc`.
    pub rpc: Option<String>,
    /// The port whose bottles become the signal `data`.
    pub subscribe: Option<String>,
    /// The port that `send` writes to.
    pub publish: Option<String>,
    /// How they are spoken to.
    pub carrier: Carrier,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name_server: None,
            prefix: "/qi".to_owned(),
            bind: "127.0.0.1".to_owned(),
            inputs: false,
            dialect: Dialect::default(),
            envelope: true,
            takeover: false,
            call_timeout: Duration::from_secs(30),
            struct_style: StructStyle::default(),
            imports: Vec::new(),
        }
    }
}

impl Options {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), FrontError> {
        let wrong = |text: String| Err(FrontError::Option(text));
        if !is_port_name(&self.prefix) {
            return wrong(format!(
                "the prefix {:?} cannot begin names of ports; write one such as \"/qi\"",
                self.prefix
            ));
        }
        for (position, import) in self.imports.iter().enumerate() {
            let Import { service, rpc, subscribe, publish, carrier } = import;
            let ports: Vec<_> = [rpc, subscribe, publish].into_iter().flatten().collect();
            if ports.is_empty() {
                return wrong(format!("the import {service:?} names no port; give it rpc, subscribe or publish"));
            }
            if let Some(port) = ports.iter().find(|port| !is_port_name(port)) {
                return wrong(format!("the import {service:?} names {port:?}, which is no name of a port"));
            }
            // A bridge that hears itself would never stop.
            if let Some(port) = ports.iter().find(|port| port.starts_with(&format!("{}/", self.prefix))) {
                return wrong(format!("the import {service:?} names {port}, and ports of the bridge are not imported"));
            }
            if *carrier == Carrier::Text {
                return wrong(format!("the import {service:?} cannot use the carrier text, which has no replies"));
            }
            if self.imports.iter().take(position).any(|other| other.service == *service) {
                return wrong(format!("there are two imports {service:?}"));
            }
        }
        Ok(())
    }
}
