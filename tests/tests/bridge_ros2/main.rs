//! The bridge to ROS 2 with a real ROS 2: rclpy on Fast DDS, and Cyclone DDS (spec ros.md 10.3).

mod calls;
mod command;
mod crowd;
mod cyclone;
mod imports;
mod names;
mod rules;
mod topics;
mod world;

mod suite {
    keyway_tests::bridge_suite!(keyway_tests::bridge::ros2::Nodes::start());
}
