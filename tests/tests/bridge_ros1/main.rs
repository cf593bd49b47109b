//! The bridge to ROS 1 with a real ROS 1: master, rospy and ROS's own tools (spec ros.md 10.3).

mod calls;
mod command;
mod lifecycle;
mod names;
mod nao;
mod rules;
mod topics;
mod world;

mod suite {
    use keyway_tests::ros1::{RosMaster, is_installed};

    keyway_tests::bridge_suite!(async { is_installed().then(RosMaster::start) });
}
