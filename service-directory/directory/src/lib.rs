//! The QiMessaging service directory: registry and its service object, without I/O.
