//! QiMessaging frames: headers, incremental decoder, limits, URLs.
