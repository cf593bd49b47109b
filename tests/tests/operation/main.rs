//! A gateway as those who operate it see it: `keyway gateway`, its admin listener, who is here, leases, and the end.

mod admin;
mod ending;
mod gate;
mod lease;
mod outsider;
mod presence;
