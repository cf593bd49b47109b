//! The bridge to clients of rosbridge (ROS spec 8), with real clients: `roslibpy` and `roslib`.

mod cases_python;
mod cases_roslib;
mod configured;
mod protocol;
mod stage;

mod suite {
    keyway_tests::bridge_suite!(keyway_tests::bridge::rosbridge::Clients::start());
}
