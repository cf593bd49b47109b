//! QiMessaging signatures, values, metaobjects, conversion and binary codec.
