//! ROS's types without I/O: message definitions and their checksums, the bodies of messages, and how services of a
//! directory are shown in ROS (spec ros.md 4.2, 4.3, 6).
//!
//! It knows nothing of masters, topics' connections or web sockets: the bridges' fronts do. The types to know are
//! [`Registry`] for definitions, [`Shape`] for what a value is on both sides, and [`Mapping`] for the names and types of
//! everything that is exposed. Values are [`keyway_value::Value`]s on both sides; [`body`] writes them as ROS 1 does, [`body::cdr`] as
//! ROS 2 does.
//!
//! ```
//! use keyway_ros_types::{Registry, Shape, body};
//! use keyway_value::Value;
//!
//! let registry = Registry::standard();
//! let name = "geometry_msgs/Vector3".parse()?;
//! let shape = Shape::of_message(&registry, &name)?;
//! assert_eq!(shape.signature().to_string(), "(ddd)<Vector3,x,y,z>");
//!
//! let vector = Value::tuple(vec![1.0.into(), 2.0.into(), 0.5.into()]);
//! let bytes = body::encode(&shape, &vector)?;
//! assert_eq!(body::decode(&shape, &bytes.into())?, vector);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod body;
mod definition;
pub mod json;
mod mapping;
mod md5;
pub mod names;
mod registry;
pub mod rules;
mod shape;
mod type_name;

pub use definition::{
    Array, Constant, DefinitionError, FieldDefinition, FieldType, MessageDefinition, Primitive, ServiceDefinition,
};
pub use mapping::{
    BadArgument, Callable, CallableKind, GenericCall, GenericError, GenericTarget, MappedService, Mapping,
    MappingOptions, PACKAGE, RosVersion, Skipped, Stamp, Topic, Types, Unsupported,
};
pub use registry::{Registry, RegistryError};
pub use shape::{FieldShape, ListShape, MapShape, MessageShape, Shape, WrapperShape};
pub use type_name::{TypeName, TypeNameError};
