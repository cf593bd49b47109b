//! Carriers of QiMessaging frames and the driver that pumps a session through them.
