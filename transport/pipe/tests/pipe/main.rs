//! Pipes over real sockets, through the public interface only.

mod certificates;
mod closing;
mod delivery;
mod descriptors;
mod peer;
mod quic;
mod quic_resume;
mod quic_stage;
mod resume_stage;
mod slow_consumers;
mod tls;
