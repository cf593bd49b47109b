//! A gateway as those who operate it see it: `keyway gateway`, its admin listener, who is here, and leases.

mod admin;
mod gate;
mod lease;
mod outsider;
mod presence;
