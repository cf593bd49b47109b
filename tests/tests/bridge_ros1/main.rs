//! The bridge to ROS 1 with a real ROS 1: master, rospy and ROS's own tools (spec ros.md 10.3).

mod calls;
mod lifecycle;
mod names;
mod rules;
mod topics;
mod world;
