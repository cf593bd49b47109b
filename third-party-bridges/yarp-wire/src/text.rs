//! The text form of bottles (spec 4).

mod number;
mod read;
mod write;

pub(crate) use read::{Open, read};
pub(crate) use write::write;
