//! The types that come with ROS.

use std::sync::LazyLock;

use super::{Registry, RegistryError};
use crate::{MessageDefinition, ServiceDefinition, TypeName};

pub(super) fn registry() -> &'static Registry {
    static STANDARD: LazyLock<Registry> = LazyLock::new(|| {
        let mut registry = Registry::default();
        for (package, texts) in PACKAGES {
            // A test reads each of them.
            let read = add_package(&mut registry, package, texts);
            debug_assert_eq!(read, Ok(()), "{package}");
        }
        registry
    });
    &STANDARD
}

/// Parts that begin with a line such as `=== msg/String.msg`.
fn add_package(registry: &mut Registry, package: &str, texts: &str) -> Result<(), RegistryError> {
    for part in texts.split("=== ").skip(1) {
        let (file, text) = part.split_once('\n').unwrap_or((part, ""));
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        match stem.split_once('/') {
            Some(("srv", name)) => {
                registry.add_service(ServiceDefinition::parse(TypeName::new(package, name)?, text)?)?;
            }
            _ => {
                let name = stem.strip_prefix("msg/").unwrap_or(stem);
                registry.add_message(MessageDefinition::parse(TypeName::new(package, name)?, text)?)?;
            }
        }
    }
    Ok(())
}

macro_rules! packages {
    ($($name:literal)*) => {
        const PACKAGES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../definitions/", $name, ".txt"))),)*];
    };
}

packages! {
    "diagnostic_msgs"
    "geometry_msgs"
    "naoqi_bridge_msgs"
    "nav_msgs"
    "rosgraph_msgs"
    "sensor_msgs"
    "std_msgs"
    "std_srvs"
    "tf2_msgs"
}
