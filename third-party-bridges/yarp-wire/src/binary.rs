//! The binary form of bottles (spec 5).

mod read;
mod tag;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;
