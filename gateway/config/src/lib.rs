//! The gateway's configuration: one TOML file, checked as a whole before any of it is used.
//!
//! [`Config::parse`] takes the text and the environment and does no I/O; [`Config::load`] reads the file and those it names. Everything
//! that is wrong is reported at once, by file, line and column, or by the environment variable.
//!
//! Roles, rules, users, certificates and JWTs are in the same file, and are checked by `keyway-policy` and `keyway-auth`.
//! `docs/configuration.md` explains every key.
//!
//! ```
//! use keyway_config::{Config, Scheme};
//!
//! let text = r#"
//! [[listen]]
//! url = "tcp://127.0.0.1:9559"
//! anonymous = { role = "guest" }
//!
//! [[role]]
//! name = "guest"
//! "#;
//! let environment = [("KEYWAY_LIMITS_CONNECTIONS".to_owned(), "100".to_owned())];
//! let config = Config::parse("keyway.toml", text, environment.into_iter())?;
//! assert_eq!(config.listen[0].url.scheme, Scheme::Tcp);
//! assert_eq!(config.limits.connections.get(), 100);
//!
//! let error = Config::parse("keyway.toml", "[limits]\npayload = 'large'\n", [].into_iter()).unwrap_err();
//! assert!(error.to_string().starts_with("keyway.toml:2:11: KW-C101: "));
//! # Ok::<(), keyway_config::ConfigError>(())
//! ```

mod check;
mod config;
mod document;
mod error;
mod files;
mod schema;
mod sections;
mod source;
mod units;
mod url;

pub use config::Config;
pub use error::{ConfigError, Place, Problem, ProblemCode};
pub use schema::{Key, KeyKind, keys, schema};
pub use sections::{
    Admin, Anonymous, Audit, AuditOverflow, BridgeMode, Bridges, Directory, Discovery, EventLimit, Lease, Limits,
    Listen, MemberGlob, MemberPath, Network, Overflow, Presence, Ros, Ros1, Ros2, RosCall, RosCalled, RosFlavour,
    RosFront, RosImport, RosMiddleware, RosPublished, RosRule, RosSubscribed, RosTypes, Rosbridge, Session, Telemetry,
    Token, Trust, Upstream, Yarp, YarpCarrier, YarpDialect, YarpImport, YarpStructs,
};
pub use units::ByteSize;
pub use url::{DoorUrl, QiUrl, Scheme};

/// What is printed instead of a secret.
const HIDDEN: &str = "<hidden>";
