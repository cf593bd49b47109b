//! Bridges: a service to show, and the checks that every one of them has to pass.

mod drive;
mod probe;
pub mod ros1;
pub mod ros2;
pub mod rosbridge;
mod suite;
pub mod yarp;

pub use drive::Mover;
pub use probe::RosProbe;
pub use suite::{World, checks};

use std::time::Duration;

use keyway::Directory;
use tokio::time::sleep;

use crate::eventually;

/// A directory at an address that another one may be leaving just now.
pub async fn start_directory(url: &str) -> Directory {
    eventually("the directory's address", async {
        loop {
            match Directory::builder().listen(url).start().await {
                Ok(directory) => return directory,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}
