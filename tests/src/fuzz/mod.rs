//! What the fuzz targets check. `tests/fuzz` runs these with bytes that libFuzzer invents, `tests/tests/fuzz_corpus.rs`
//! with those that are kept in `tests/fuzz/corpus`. A finding is a panic.

mod frame;
mod handshake;
mod http_arguments;
mod native;
mod policy;
mod ros;
mod rosbridge;
mod signature;
mod value;
mod yarp;

pub use frame::frame;
pub use handshake::{JUDGE, PASS, handshake};
pub use http_arguments::http_arguments;
pub use native::{native_control, native_frame};
pub use policy::policy;
pub use ros::{ros_body, ros_header, ros_xmlrpc};
pub use rosbridge::{rosbridge_cbor, rosbridge_json};
pub use signature::signature;
pub use value::value;
pub use yarp::{yarp_binary, yarp_connection, yarp_text};

/// A target: a name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, named as their folders of the corpus.
pub const TARGETS: [Target; 16] = [
    ("frame", frame),
    ("handshake", handshake),
    ("http_arguments", http_arguments),
    ("native_control", native_control),
    ("native_frame", native_frame),
    ("policy", policy),
    ("ros_body", ros_body),
    ("ros_header", ros_header),
    ("ros_xmlrpc", ros_xmlrpc),
    ("rosbridge_cbor", rosbridge_cbor),
    ("rosbridge_json", rosbridge_json),
    ("signature", signature),
    ("value", value),
    ("yarp_binary", yarp_binary),
    ("yarp_connection", yarp_connection),
    ("yarp_text", yarp_text),
];
