//! What the policy says to one message. Payloads are read only where a rule depends on what is in them (DESIGN 4).

use bytes::Bytes;
use keyway_history::audit::Kind;
use keyway_policy::{Arguments, Checker, Decision, Inspection, RateId, Refusal};
use keyway_session::{ObjectRequest, PropertyKey};
use keyway_value::{ActionId, Decoder, Limits, MetaObject, ObjectLayout, Payload, Signature, convert};
use keyway_wire::{Flags, Frame};

use crate::access::Access;

/// What becomes of a message.
pub(crate) enum Judgement<'a> {
    /// It passes, and counts for these rates.
    Pass(Vec<RateId>, Kind, ActionId),
    /// The gateway answers it itself.
    Answer(Payload),
    /// It is refused for a rule.
    Refuse(RefusedBy<'a>, Kind, ActionId),
    /// It cannot be read.
    Unreadable(String),
}

/// A refusal, ready made or made for this message.
pub(crate) enum RefusedBy<'a> {
    Rule(&'a Refusal),
    Arguments(Box<Refusal>),
}

impl RefusedBy<'_> {
    pub(crate) fn refusal(&self) -> &Refusal {
        match self {
            Self::Rule(refusal) => refusal,
            Self::Arguments(refusal) => refusal,
        }
    }
}

/// Judges a Call or Post of a service's main object.
pub(crate) fn judge<'a>(access: &'a Access, frame: &Frame, is_post: bool, layout: ObjectLayout) -> Judgement<'a> {
    let action = frame.header.action;
    if access.unlimited {
        return Judgement::Pass(Vec::new(), kind(action, is_post), action);
    }
    let rules = &access.rules;
    let decision = if is_post { rules.post(action) } else { rules.call(action) };
    let message = Message { access, frame, layout };
    match decision {
        Decision::Inspect(Inspection::MetaObject) => Judgement::Answer(access.shown()),
        Decision::Inspect(Inspection::PropertyNames) => Judgement::Answer(access.property_names()),
        Decision::Inspect(inspection) => message.inspect(inspection).unwrap_or_else(Judgement::Unreadable),
        decision => message.decide(decision, frame.payload_bytes(), kind(action, is_post), action),
    }
}

/// What a message of this action is, in the audit log.
pub(crate) fn kind(action: ActionId, is_post: bool) -> Kind {
    match action {
        ActionId::REGISTER_EVENT | ActionId::REGISTER_EVENT_WITH_SIGNATURE => Kind::Subscribe,
        ActionId::UNREGISTER_EVENT => Kind::Unsubscribe,
        ActionId::PROPERTY => Kind::Get,
        ActionId::SET_PROPERTY => Kind::Set,
        _ if is_post => Kind::Post,
        _ => Kind::Call,
    }
}

/// What one of the members that every object has is asked for about a subscription, in whatever types the arguments come; `None` if
/// it is none of them, or they cannot be read.
pub(crate) fn subscription(access: &Access, frame: &Frame, layout: ObjectLayout) -> Option<ObjectRequest> {
    match frame.header.action {
        ActionId::REGISTER_EVENT | ActionId::REGISTER_EVENT_WITH_SIGNATURE | ActionId::UNREGISTER_EVENT => {
            Message { access, frame, layout }.request().ok().map(|(request, _)| request)
        }
        _ => None,
    }
}

/// The signal that a registerEvent is for; `None` if the arguments cannot be read.
pub(crate) fn signal_of(access: &Access, frame: &Frame, layout: ObjectLayout) -> Option<ActionId> {
    match subscription(access, frame, layout) {
        Some(ObjectRequest::RegisterEvent { signal, .. }) => Some(signal),
        _ => None,
    }
}

struct Message<'a, 'f> {
    access: &'a Access,
    frame: &'f Frame,
    layout: ObjectLayout,
}

impl<'a> Message<'a, '_> {
    fn inspect(&self, inspection: Inspection) -> Result<Judgement<'a>, String> {
        let rules = &self.access.rules;
        let (arguments, rest) = self.request()?;
        Ok(match (inspection, arguments) {
            (Inspection::Subscription, ObjectRequest::RegisterEvent { signal, .. }) => {
                self.decide(rules.subscribe(signal), &Bytes::new(), Kind::Subscribe, signal)
            }
            (Inspection::Read, ObjectRequest::Property(key)) => {
                let property = self.property(&key);
                self.decide(rules.read(property), &Bytes::new(), Kind::Get, property)
            }
            (Inspection::Write, ObjectRequest::SetProperty(key, _)) => {
                let property = self.property(&key);
                self.decide(rules.write(property), &rest, Kind::Set, property)
            }
            _ => return Err("the message asks for something else than its action says".to_owned()),
        })
    }

    /// What one of the members that every object has is asked for, and the bytes behind the first argument.
    fn request(&self) -> Result<(ObjectRequest, Bytes), String> {
        let action = self.frame.header.action;
        let bytes = self.declared_arguments()?;
        let mut decoder = self.decoder(&bytes);
        let request = ObjectRequest::read(action, &mut decoder).map_err(|error| error.to_string())?;
        let rest = match request {
            ObjectRequest::SetProperty(..) => {
                let mut decoder = self.decoder(&bytes);
                decoder.skip_value(&Signature::dynamic()).map_err(|error| error.to_string())?;
                bytes.slice(decoder.position()..)
            }
            _ => Bytes::new(),
        };
        Ok((request, rest))
    }

    /// The arguments in the declared types (flag bit 0 brings them in others).
    fn declared_arguments(&self) -> Result<Bytes, String> {
        let payload = self.frame.payload_bytes();
        if !self.frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD) {
            return Ok(payload.clone());
        }
        let declared = MetaObject::default().with_reserved();
        let declared = declared.methods.get(&self.frame.header.action.0).map(|method| &method.parameters_signature);
        let declared = declared.ok_or_else(|| "no such method".to_owned())?;
        let value = self.decoder(payload).read_dynamic().map_err(|error| error.to_string())?;
        let value = convert::convert(value, declared).map_err(|error| error.to_string())?;
        let mut encoder = keyway_value::Encoder::with(self.layout, None);
        encoder.write_value(&value).map_err(|error| error.to_string())?;
        Ok(encoder.finish().into_bytes())
    }

    fn decoder<'b>(&self, bytes: &'b Bytes) -> Decoder<'b> {
        Decoder::with(bytes, self.layout, Limits::default(), None)
    }

    /// The id of a property; one that none has if there is no such property.
    fn property(&self, key: &PropertyKey) -> ActionId {
        match key {
            PropertyKey::Id(id) => *id,
            PropertyKey::Name(name) => {
                let found = self.access.metaobject.property_by_name(&name.to_string_lossy());
                found.map_or(ActionId(u32::MAX), |property| ActionId(property.uid))
            }
        }
    }

    fn decide(&self, decision: Decision<'a>, arguments: &Bytes, kind: Kind, member: ActionId) -> Judgement<'a> {
        match decision {
            Decision::Allow { rates } => Judgement::Pass(rates.to_vec(), kind, member),
            Decision::AllowIfArguments(checker) => self.check(checker, arguments, kind, member),
            Decision::Deny(refusal) => Judgement::Refuse(RefusedBy::Rule(refusal), kind, member),
            Decision::Inspect(_) => Judgement::Unreadable("the message cannot be judged".to_owned()),
        }
    }

    fn check(&self, checker: &Checker, payload: &Bytes, kind: Kind, member: ActionId) -> Judgement<'a> {
        let dynamic = Signature::dynamic();
        // The value of a property was taken out of its arguments already.
        let is_dynamic = kind != Kind::Set && self.frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD);
        let value = Signature::tuple([Signature::dynamic()]);
        let signature = if kind == Kind::Set { Some(&value) } else { is_dynamic.then_some(&dynamic) };
        match checker.check(&Arguments { payload, signature, layout: self.layout }) {
            Ok(rates) => Judgement::Pass(rates, kind, member),
            Err(refusal) => Judgement::Refuse(RefusedBy::Arguments(refusal), kind, member),
        }
    }
}
