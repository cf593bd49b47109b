//! QiMessaging's types and values: signatures, dynamic values, metaobjects, conversion and the binary codec, without
//! I/O (spec 3, 4, 6.1).
//!
//! It knows nothing of messages or connections: those are `keyway-wire` and `keyway-session`. The types to know are
//! [`Signature`], [`Value`] for what is only known at run time, and [`QiValue`] for Rust types with a fixed signature.
//!
//! ```
//! use keyway_value::{Signature, Value, from_payload, to_payload};
//!
//! let payload = to_payload(&(1_i32, "one".to_owned()))?;
//! let bytes = payload.into_bytes();
//! assert_eq!(&bytes[..], b"\x01\0\0\0\x03\0\0\0one");
//! assert_eq!(from_payload::<(i32, String)>(&bytes)?, (1, "one".to_owned()));
//! # Ok::<(), keyway_value::CodecError>(())
//! ```

pub mod by_signature;
mod codec;
pub mod convert;
mod ids;
mod metaobject;
mod object;
mod qi_string;
mod qi_value;
mod record;
mod service_info;
mod signature;
pub mod transcode;
mod value;
mod view;

pub use codec::{
    CodecError, Decoder, Encoder, Limits, ObjectExporter, ObjectImporter, ObjectLayout, Payload, replace_metaobjects,
};
pub use convert::{ConversionError, OverloadError};
pub use ids::{ActionId, Link, MessageId, ObjectId, ServiceId};
pub use metaobject::{MetaMethod, MetaMethodParameter, MetaObject, MetaObjectBuilder, MetaProperty, MetaSignal};
pub use object::{ObjectReference, ObjectUid, ObjectValue};
pub use qi_string::QiString;
pub use qi_value::{QiValue, from_payload, to_payload};
pub use service_info::ServiceInfo;
pub use signature::{MAX_DEPTH, MAX_LENGTH, Signature, SignatureError, Type};
pub use value::{List, Map, OptionalValue, Tuple, Value};
pub use view::{DynamicView, Pairs, QiView, view_payload};
