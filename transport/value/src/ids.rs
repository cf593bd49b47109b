//! Numbers of the protocol, each with a type of its own (spec 2.1, 6, 10).

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A service of a directory (spec 7).
    ServiceId(u32)
);
id!(
    /// An object, within a service and a connection (spec 10.2).
    ObjectId(u32)
);
id!(
    /// A method, signal or property of an object (spec 6).
    ActionId(u32)
);
id!(
    /// A message of one direction of a connection (spec 2.1).
    MessageId(u32)
);
id!(
    /// A subscription, chosen by the subscriber (spec 6.6).
    Link(u64)
);

impl ServiceId {
    /// The connection's own service: authentication.
    pub const SERVER: Self = Self(0);
    /// The service directory.
    pub const DIRECTORY: Self = Self(1);
}

impl ObjectId {
    /// The connection's own object, and the id of a null object.
    pub const NONE: Self = Self(0);
    /// The main object of a service.
    pub const MAIN: Self = Self(1);
}

impl ActionId {
    /// Subscribe to a signal.
    pub const REGISTER_EVENT: Self = Self(0);
    /// End a subscription.
    pub const UNREGISTER_EVENT: Self = Self(1);
    /// Introspection.
    pub const META_OBJECT: Self = Self(2);
    /// Release an object.
    pub const TERMINATE: Self = Self(3);
    /// Read a property.
    pub const PROPERTY: Self = Self(5);
    /// Write a property.
    pub const SET_PROPERTY: Self = Self(6);
    /// Names of the properties.
    pub const PROPERTIES: Self = Self(7);
    /// Subscribe to a signal with conversion.
    pub const REGISTER_EVENT_WITH_SIGNATURE: Self = Self(8);
    /// Authenticate, on service 0 object 0 (spec 5).
    pub const AUTHENTICATE: Self = Self(8);
    /// Whether statistics are kept.
    pub const IS_STATS_ENABLED: Self = Self(80);
    /// Turns statistics on or off.
    pub const ENABLE_STATS: Self = Self(81);
    /// The statistics.
    pub const STATS: Self = Self(82);
    /// Forgets the statistics.
    pub const CLEAR_STATS: Self = Self(83);
    /// Whether calls are traced.
    pub const IS_TRACE_ENABLED: Self = Self(84);
    /// Turns tracing on or off.
    pub const ENABLE_TRACE: Self = Self(85);
    /// The signal of traced calls.
    pub const TRACE_OBJECT: Self = Self(86);
    /// The first id of a user's members.
    pub const FIRST_USER: Self = Self(100);
}
