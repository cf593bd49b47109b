//! A gateway as those who operate it see it: `keyway gateway` and its admin listener.

mod admin;
mod gate;
