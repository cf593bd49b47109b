//! Which members of an object may carry other objects: these have metaobjects of their own, of which a role is shown a part only.

use std::{collections::HashMap, sync::LazyLock};

use foldhash::fast::RandomState;
use keyway_value::{ActionId, MetaObject, Signature};

/// The types of those payloads of an object's members that may hold objects. Nothing is kept of all others.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Carried {
    arguments: Signatures,
    results: Signatures,
    events: Signatures,
}

type Signatures = HashMap<ActionId, Signature, RandomState>;

/// Of the members that every object has, whatever it says of them.
static RESERVED: LazyLock<Carried> = LazyLock::new(|| Carried::of_all(&MetaObject::default().with_reserved()));

impl Carried {
    pub(crate) fn of(metaobject: &MetaObject) -> Self {
        let mut carried = Self::of_all(metaobject);
        for signatures in [&mut carried.arguments, &mut carried.results, &mut carried.events] {
            signatures.retain(|id, _| !MetaObject::is_reserved(*id));
        }
        carried
    }

    fn of_all(metaobject: &MetaObject) -> Self {
        let mut carried = Self::default();
        for (id, method) in &metaobject.methods {
            note(&mut carried.arguments, *id, &method.parameters_signature);
            note(&mut carried.results, *id, &method.return_signature);
        }
        // The changes of a property are followed by its id, declared as a signal or not.
        for (id, property) in &metaobject.properties {
            note(&mut carried.events, *id, &Signature::tuple([property.signature.clone()]));
        }
        for (id, signal) in &metaobject.signals {
            note(&mut carried.events, *id, &signal.signature);
        }
        carried
    }

    /// What a call of this method, or a post to this method or signal, brings.
    pub(crate) fn arguments(&self, action: ActionId) -> Option<&Signature> {
        let of = self.or_reserved(action);
        of.arguments.get(&action).or_else(|| of.events.get(&action))
    }

    /// What it is answered with.
    pub(crate) fn result(&self, action: ActionId) -> Option<&Signature> {
        self.or_reserved(action).results.get(&action)
    }

    /// What an event of this signal brings.
    pub(crate) fn event(&self, signal: ActionId) -> Option<&Signature> {
        self.or_reserved(signal).events.get(&signal)
    }

    /// How many types are kept.
    pub(crate) fn len(&self) -> usize {
        self.arguments.len() + self.results.len() + self.events.len()
    }

    fn or_reserved(&self, action: ActionId) -> &Self {
        if MetaObject::is_reserved(action) { &RESERVED } else { self }
    }
}

fn note(signatures: &mut Signatures, id: u32, signature: &Signature) {
    if signature.contains_object_or_dynamic() {
        signatures.insert(ActionId(id), signature.clone());
    }
}

#[cfg(test)]
mod tests {
    use keyway_value::MetaObjectBuilder;

    use super::*;

    fn signature(text: &str) -> Signature {
        Signature::parse(text).unwrap()
    }

    #[test]
    fn only_payloads_that_may_hold_objects_are_kept() {
        let mut builder = MetaObjectBuilder::default();
        let child = builder.method("child", signature("(s)"), signature("o"));
        let put = builder.method("put", signature("(s{sm})"), signature("v"));
        let add = builder.method("add", signature("(ii)"), signature("i"));
        let found = builder.signal("found", signature("([o])"));
        let moved = builder.signal("moved", signature("(ff)"));
        let carried = Carried::of(&builder.build());
        assert_eq!((carried.result(child), carried.arguments(child)), (Some(&signature("o")), None));
        assert_eq!((carried.result(put), carried.arguments(put)), (None, Some(&signature("(s{sm})"))));
        assert_eq!((carried.result(add), carried.arguments(add)), (None, None));
        assert_eq!(
            (carried.event(found), carried.arguments(found)),
            (Some(&signature("([o])")), Some(&signature("([o])")))
        );
        assert_eq!((carried.event(moved), carried.len()), (None, 3));
    }

    #[test]
    fn what_every_object_has_is_known_whatever_the_object_says() {
        let mut lying = MetaObject::default().with_reserved();
        for method in lying.methods.values_mut() {
            method.return_signature = signature("i");
        }
        let carried = Carried::of(&lying);
        assert_eq!(carried.result(ActionId::PROPERTY), Some(&Signature::dynamic()));
        assert_eq!(carried.arguments(ActionId::SET_PROPERTY), Some(&signature("(mm)")));
        assert!(carried.event(ActionId::TRACE_OBJECT).is_some() && carried.len() == 0);
        assert_eq!((carried.result(ActionId::META_OBJECT), carried.result(ActionId::REGISTER_EVENT)), (None, None));
    }

    #[test]
    fn changes_of_a_property_are_events_even_if_no_signal_is_declared() {
        let mut builder = MetaObjectBuilder::default();
        let any = builder.property("any", Signature::dynamic());
        let mut metaobject = builder.build();
        metaobject.signals.clear();
        assert_eq!(Carried::of(&metaobject).event(any), Some(&signature("(m)")));
    }
}
