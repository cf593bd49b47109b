//! Values of any type as JSON, where ROS has no type for them (spec 6.4).
//!
//! | value | JSON |
//! |---|---|
//! | void, an option without a value | `null` |
//! | bool, number, string | the same; floats always with `.` or exponent |
//! | list | `[..]` |
//! | map with string keys, struct | `{..}`; a key that begins with `$` is written with `$` before it |
//! | other map | `{"$map":[[key,value],..]}` |
//! | tuple without field names | `{"$tuple":[..]}` |
//! | raw | `{"$raw":"base64"}` |
//! | NaN, infinite | `{"$float":"nan"}`, `"inf"`, `"-inf"` |
//! | object | `{"$object":"opaque"}`, which is not read back |
//!
//! Read without a type, integers are `i`, `l` or `L`, floats `d`, arrays `[m]`, objects `{sm}`.

mod read;
mod read_as;
mod write;

pub use read::{from_bytes, from_json};
pub use read_as::from_json_as;
pub use write::to_json;

use keyway_value::Signature;

/// How deep JSON may nest.
pub const MAX_DEPTH: usize = 32;

/// A text that is not the JSON of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is not JSON.
    #[error("bad JSON: {0}")]
    Syntax(String),
    /// It nests too deep.
    #[error("the JSON nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// An integer that no type holds.
    #[error("the integer {0} does not fit into 64 bits")]
    Integer(String),
    /// `{"$x":..}`, where there is no such tag.
    #[error("{0} is not one of $raw, $map, $tuple, $float; a key that begins with $ is written with $ before it")]
    Tag(String),
    /// What is behind a tag is something else.
    #[error("{tag} is followed by {wanted}")]
    TagContent {
        /// Such as `$raw`.
        tag: &'static str,
        /// What should be there.
        wanted: &'static str,
    },
    /// Another type is wanted.
    #[error("{wanted} is wanted, not {found}")]
    Type {
        /// The type.
        wanted: Signature,
        /// What is there.
        found: String,
    },
}

const RAW: &str = "$raw";
const MAP: &str = "$map";
const TUPLE: &str = "$tuple";
const FLOAT: &str = "$float";
