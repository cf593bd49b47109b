//! QiMessaging sessions without I/O: handshake, calls, links, objects.
