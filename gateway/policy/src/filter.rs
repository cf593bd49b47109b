//! Metaobjects that hold only what a client may use.

use keyway_value::{ActionId, MetaObject};

use crate::ServiceAccess;

pub(crate) fn filter(access: &ServiceAccess, metaobject: &MetaObject) -> MetaObject {
    if !access.is_visible() {
        return MetaObject::default();
    }
    let mut shown = metaobject.clone();
    shown.methods.retain(|id, _| access.shows_method(ActionId(*id)));
    shown.signals.retain(|id, _| access.shows_signal(ActionId(*id)));
    shown.properties.retain(|id, _| access.shows_property(ActionId(*id)));
    shown
}
