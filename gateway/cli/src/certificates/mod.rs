//! Certificates: who issues them, and what is in them.

mod authority;
mod shown;

pub(crate) use authority::{Authority, Issued, machine_name};
pub(crate) use shown::Shown;
