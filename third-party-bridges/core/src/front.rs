//! What a front is to the command that runs it.

use std::future::Future;

use crate::{Bus, NetworkError, OptIn, PatternError};

/// One world's protocol, serving. `keyway bridge` runs one or all in a process.
///
/// A front keeps itself alive: it tries again for ever what can be tried again (a master that is gone, a name server that is not there
/// yet), and one peer that stalls disturbs no other.
pub trait Front: Sized + Send + 'static {
    /// As the command calls it: `ros1`, `rosbridge`. It is the first word in traces, too.
    const NAME: &'static str;

    /// What can be set, from flags or from `[bridges.NAME]`.
    type Options: Clone + PartialEq + Send + 'static;

    /// Opens the listeners, and serves from then on. Fails only for what no retry can mend, such as an address that is taken.
    fn start(
        opt_in: &OptIn,
        bus: &Bus,
        options: Self::Options,
    ) -> impl Future<Output = Result<Self, FrontError>> + Send;

    /// The URLs of what listens (`ws://127.0.0.1:9090`): for the line `ready …` and the warning at the start.
    fn listening(&self) -> Vec<String>;

    /// Takes over other options without losing a connection; false if some of them need a restart. What concerns all fronts, such as
    /// the services that are shown, the [`Bus`] has seen to.
    fn reload(&self, options: Self::Options) -> bool;

    /// Says goodbye to its world and closes; takes 2 s at most.
    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// A front that does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrontError {
    /// A socket cannot be opened, or may not.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A list of services cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// An option cannot be used; the text says which and why.
    #[error("{0}")]
    Option(String),
}
