//! YARP-001 to YARP-063 with the real YARP (spec yarp.md 10).

mod calls;
mod command;
mod imports;
mod lifetime;
mod limits;
mod outputs;
mod ports;
mod probe;
mod programs;
mod stage;
