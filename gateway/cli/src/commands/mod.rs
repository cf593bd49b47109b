//! The commands, one a file.

pub(crate) mod audit;
pub(crate) mod bridge;
pub(crate) mod call;
pub(crate) mod cert;
pub(crate) mod config;
pub(crate) mod directory;
pub(crate) mod discover;
pub(crate) mod documents;
pub(crate) mod gateway;
pub(crate) mod get;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod policy;
pub(crate) mod post;
pub(crate) mod probe;
pub(crate) mod services;
pub(crate) mod set;
pub(crate) mod top;
pub(crate) mod trace;
pub(crate) mod up;
pub(crate) mod watch;
