//! Objects as values (spec 10).

use std::{any::Any, fmt, sync::Arc};

use crate::{MetaObject, ObjectId, ServiceId};

/// The identity of an object: equal uids, same object, however many hops away (spec 10.1).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectUid(pub [u8; 20]);

impl fmt::Display for ObjectUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An object as a connection carries it; the ids mean something on that connection only (spec 10.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectReference {
    /// Its members.
    pub metaobject: Arc<MetaObject>,
    /// The service through which it is reached.
    pub service: ServiceId,
    /// The object within; [`ObjectId::NONE`] for a null object.
    pub object: ObjectId,
    /// Its identity, if the connection carries them.
    pub uid: Option<ObjectUid>,
}

/// A reference, and what keeps the object usable: whoever decoded it for a connection puts that there.
#[derive(Clone, Default)]
pub struct ObjectValue {
    /// As it came.
    pub reference: ObjectReference,
    handle: Option<Arc<dyn Any + Send + Sync>>,
}

impl ObjectValue {
    /// A reference without life.
    pub const fn from_reference(reference: ObjectReference) -> Self {
        Self { reference, handle: None }
    }

    /// A living object.
    pub fn with_handle(reference: ObjectReference, handle: Arc<dyn Any + Send + Sync>) -> Self {
        Self { reference, handle: Some(handle) }
    }

    /// No object.
    pub fn null() -> Self {
        Self::default()
    }

    /// Whether it is no object.
    pub fn is_null(&self) -> bool {
        self.handle.is_none() && self.reference.object == ObjectId::NONE
    }

    /// What keeps the object usable.
    pub fn handle(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.handle.as_ref()
    }
}

impl PartialEq for ObjectValue {
    fn eq(&self, other: &Self) -> bool {
        match (self.reference.uid, other.reference.uid) {
            (Some(uid), Some(other)) if uid != ObjectUid::default() => uid == other,
            _ => {
                let address = |value: &Self| (value.reference.service, value.reference.object);
                address(self) == address(other)
            }
        }
    }
}

impl fmt::Debug for ObjectValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectValue")
            .field("service", &self.reference.service)
            .field("object", &self.reference.object)
            .field("uid", &self.reference.uid)
            .field("alive", &self.handle.is_some())
            .finish_non_exhaustive()
    }
}
