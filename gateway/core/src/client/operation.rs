//! Calls, posts and properties.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use keyway_history::audit::{Arguments as Recorded, Kind};
use keyway_policy::{Arguments, Decision, RateId};
use keyway_value::{ActionId, Encoder, Payload, Signature, Type, Value};

use super::{ClientError, ClientSession, Counted, GatewayCode, Limiter, Reply, Target, target::is_offered};
use crate::{journal::Entry, rules::InForce};

/// Something that may be done, and is recorded in the end.
pub(super) struct Permit {
    entry: Option<Entry>,
    _running: Counted,
}

/// What is asked for, as the policy and the audit log see it.
pub(super) struct Asked<'a> {
    pub(super) kind: Kind,
    pub(super) member: ActionId,
    /// The bytes that rules on arguments look at, and their type if it is not the declared one.
    pub(super) arguments: (&'a Bytes, Option<&'a Signature>),
}

impl ClientSession {
    /// Calls a method. `arguments` are of its declared parameters, and hold no objects. Dropping the future cancels the call.
    pub async fn call(&self, target: &Target, method: ActionId, arguments: Payload) -> Result<Reply, ClientError> {
        let access = &target.access;
        let declared = access.metaobject.method(method).filter(|_| is_offered(method));
        let result = &declared.ok_or_else(|| target.unknown(&method.to_string()))?.return_signature;
        let arguments = arguments.into_bytes();
        let asked = Asked { kind: Kind::Call, member: method, arguments: (&arguments, None) };
        let permit = self.admit(target, access.rules.call(method), &asked)?;
        let proxy = target.proxy().await?;
        let answer = proxy.call_encoded(method, &arguments.into(), result).await;
        permit.finish(answer.is_ok());
        Ok(Reply::new(answer?, self, target))
    }

    /// Runs a method or emits a signal, without an answer.
    pub async fn post(&self, target: &Target, member: ActionId, arguments: Payload) -> Result<(), ClientError> {
        let access = &target.access;
        if !is_offered(member) {
            return Err(target.unknown(&member.to_string()));
        }
        let arguments = arguments.into_bytes();
        let asked = Asked { kind: Kind::Post, member, arguments: (&arguments, None) };
        let permit = self.admit(target, access.rules.post(member), &asked)?;
        let posted = target.proxy().await?.post_encoded(member, arguments.into());
        permit.finish(posted.is_ok());
        Ok(posted?)
    }

    /// Reads a property.
    pub async fn get(&self, target: &Target, property: ActionId) -> Result<Reply, ClientError> {
        let asked = Asked { kind: Kind::Get, member: property, arguments: (&Bytes::new(), None) };
        let permit = self.admit(target, target.access.rules.read(property), &asked)?;
        let arguments = key(property, None)?;
        let proxy = target.proxy().await?;
        let answer = proxy.call_encoded(ActionId::PROPERTY, &arguments, &Signature::dynamic()).await;
        permit.finish(answer.is_ok());
        Ok(Reply::new(answer?, self, target))
    }

    /// Sets a property; `value` is of its declared type, and holds no objects.
    pub async fn set(&self, target: &Target, property: ActionId, value: &Payload) -> Result<(), ClientError> {
        let access = &target.access;
        let declared = access.metaobject.properties.get(&property.0);
        let declared = &declared.ok_or_else(|| target.unknown(&property.to_string()))?.signature;
        let dynamic = wrapped(declared, value);
        let (shown, as_tuple) = (dynamic.clone().into_bytes(), Signature::tuple([Signature::dynamic()]));
        let asked = Asked { kind: Kind::Set, member: property, arguments: (&shown, Some(&as_tuple)) };
        let permit = self.admit(target, access.rules.write(property), &asked)?;
        let arguments = key(property, Some(&dynamic))?;
        let proxy = target.proxy().await?;
        let answer = proxy.call_encoded(ActionId::SET_PROPERTY, &arguments, &Signature::void()).await;
        permit.finish(answer.is_ok());
        answer.map(drop).map_err(ClientError::from)
    }

    /// Whether something may be done now. What may not is recorded here.
    pub(super) fn admit(
        &self,
        target: &Target,
        decision: Decision<'_>,
        asked: &Asked<'_>,
    ) -> Result<Permit, ClientError> {
        let (access, now) = (&target.access, Instant::now());
        let rules = target.bus.rules();
        let journal = self.journal(&rules);
        let name = access.member(asked.member);
        let allowed = self
            .judge(decision, asked)
            .and_then(|rates| self.count(now, &rules, &rates, target, &name))
            .and_then(|()| self.lease(now, target, asked));
        if let Err(error) = allowed {
            if let Some(journal) = &journal {
                journal.refused(asked.kind, &access.service, name, error.code());
            }
            return Err(error);
        }
        let limit = rules.rules.limits.calls_in_flight;
        let running = Counted::up_to(limit, &self.shared.in_flight).ok_or_else(|| {
            ClientError::new(GatewayCode::TooManyCalls, "too many calls of this session are under way")
        })?;
        let entry = journal.map(|journal| journal.begin(now, asked.kind, &access.service, name)).transpose();
        let mut entry = entry.map_err(|refusal| ClientError::new(GatewayCode::NotRecorded, refusal.to_string()))?;
        if let Some(signature) = access.recorded(asked.member).filter(|_| asked.arguments.1.is_none()) {
            let arguments = Recorded::new(signature.clone(), asked.arguments.0.clone());
            entry = entry.map(|entry| entry.with_arguments(arguments));
        }
        Ok(Permit { entry, _running: running })
    }

    /// Takes the lease of a service that is used, if it has one; nothing is begun while the gateway ends.
    fn lease(&self, now: Instant, target: &Target, asked: &Asked<'_>) -> Result<(), ClientError> {
        if self.gateway.is_draining() {
            return Err(ClientError::new(GatewayCode::Ending, "the gateway is ending"));
        }
        let is_use = asked.kind == Kind::Set
            || (matches!(asked.kind, Kind::Call | Kind::Post) && asked.member.0 >= ActionId::FIRST_USER.0);
        match self.gateway.lease(&target.bus, &target.access.service).filter(|_| is_use) {
            Some(lease) => lease
                .take(now, &self.shared.stay)
                .map_err(|leased| ClientError::new(GatewayCode::Leased, leased.to_string())),
            None => Ok(()),
        }
    }

    fn judge(&self, decision: Decision<'_>, asked: &Asked<'_>) -> Result<Vec<RateId>, ClientError> {
        match decision {
            Decision::Allow { rates } => Ok(rates.to_vec()),
            Decision::AllowIfArguments(checker) => {
                let (payload, signature) = asked.arguments;
                let arguments = Arguments { signature, ..Arguments::new(payload) };
                checker.check(&arguments).map_err(|refusal| ClientError::from(&*refusal))
            }
            Decision::Deny(refusal) => Err(refusal.into()),
            // Only of members that are not offered.
            Decision::Inspect(_) => {
                Err(ClientError::new(GatewayCode::BadArguments, "this member is not called by name"))
            }
        }
    }

    fn count(
        &self,
        now: Instant,
        rules: &Arc<InForce>,
        rates: &[RateId],
        target: &Target,
        member: &str,
    ) -> Result<(), ClientError> {
        let mut limiter = self.shared.limiter.lock();
        if limiter.generation != rules.generation {
            *limiter = Limiter::of(rules);
        }
        if !limiter.pace.take(now) {
            return Err(ClientError::new(GatewayCode::TooFast, "too many calls of this session in a second"));
        }
        if rates.is_empty() {
            return Ok(());
        }
        let access = &target.access;
        let names = || (access.role.to_string(), access.service.to_string(), member.to_owned());
        limiter.rates.take(now, rates, names).map_err(|refused| ClientError::from(&refused))
    }
}

impl Permit {
    pub(super) fn finish(mut self, ok: bool) {
        if let Some(entry) = self.entry.take() {
            entry.finish(ok);
        }
    }
}

impl Drop for Permit {
    /// What was canceled, or could not be passed on, was not done.
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.finish(false);
        }
    }
}

/// A value with its type before it; one that has it already stays as it is.
fn wrapped(signature: &Signature, value: &Payload) -> Payload {
    if matches!(signature.kind(), Type::Dynamic) {
        return value.clone();
    }
    let mut encoder = Encoder::new();
    encoder.write_signature(signature);
    encoder.append(value);
    encoder.finish()
}

/// The arguments of `property` and `setProperty`.
fn key(property: ActionId, value: Option<&Payload>) -> Result<Payload, ClientError> {
    let mut encoder = Encoder::new();
    encoder
        .write_dynamic(&Value::from(property.0))
        .map_err(|error| ClientError::new(GatewayCode::BadArguments, error.to_string()))?;
    if let Some(value) = value {
        encoder.append(value);
    }
    Ok(encoder.finish())
}
