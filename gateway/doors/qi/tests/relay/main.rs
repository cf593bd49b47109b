//! A gateway with its qi door, in one process with a directory, a service host and clients.

mod audit;
mod departed_host;
mod late_host;
mod limits;
mod lone_host;
mod lost_host;
mod matrix;
mod objects;
mod raw;
mod reload;
mod silent_host;
mod stage;
mod valve;
