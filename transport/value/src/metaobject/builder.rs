//! Describing an object member by member.

use super::{MetaMethod, MetaObject, MetaProperty, MetaSignal};
use crate::{ActionId, Signature};

/// Collects members; ids go up from 100 in the order of the calls and are shared by all kinds (spec 6.2).
#[derive(Debug, Default)]
pub struct MetaObjectBuilder {
    object: MetaObject,
    members: u32,
}

impl MetaObjectBuilder {
    /// A method.
    pub fn method(&mut self, name: &str, parameters: Signature, result: Signature) -> ActionId {
        let uid = self.next();
        let method = MetaMethod {
            uid,
            return_signature: result,
            name: name.to_owned(),
            parameters_signature: parameters,
            description: String::new(),
            parameters: Vec::new(),
            return_description: String::new(),
        };
        self.object.methods.insert(uid, method);
        ActionId(uid)
    }

    /// A signal; `signature` is the tuple of parameters.
    pub fn signal(&mut self, name: &str, signature: Signature) -> ActionId {
        let uid = self.next();
        self.object.signals.insert(uid, MetaSignal { uid, name: name.to_owned(), signature });
        ActionId(uid)
    }

    /// A property, and the signal of its changes under the same id.
    pub fn property(&mut self, name: &str, signature: Signature) -> ActionId {
        let changed = Signature::tuple([signature.clone()]);
        let ActionId(uid) = self.signal(name, changed);
        self.object.properties.insert(uid, MetaProperty { uid, name: name.to_owned(), signature });
        ActionId(uid)
    }

    /// What the object is.
    pub fn description(&mut self, text: &str) -> &mut Self {
        text.clone_into(&mut self.object.description);
        self
    }

    /// The description, with the members that every object has.
    pub fn build(self) -> MetaObject {
        self.object.with_reserved()
    }

    fn next(&mut self) -> u32 {
        let uid = ActionId::FIRST_USER.0 + self.members;
        self.members += 1;
        uid
    }
}
