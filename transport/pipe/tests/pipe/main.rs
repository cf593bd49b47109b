//! Pipes over real sockets, through the public interface only.

mod closing;
mod delivery;
mod descriptors;
mod slow_consumers;
mod peer;
