//! Calls, posts and properties.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

use bytes::Bytes;
use keyway_history::audit::{Arguments as Recorded, Kind};
use keyway_policy::{Arguments, Decision, RateId};
use keyway_value::{ActionId, Encoder, Payload, Signature, Type, Value};

use super::{ClientError, ClientSession, GatewayCode, Reply, Target, target::is_offered};
use crate::{allowance::Passing, journal::Journal, rules::InForce, under_way::UnderWay};

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
    ) -> Result<UnderWay, ClientError> {
        let (access, now) = (&target.access, Instant::now());
        let rules = target.bus.rules();
        let mut journal = self.gateway.journal(&self.member);
        let begun = self.begin(now, &rules, target, decision, asked).and_then(|running| {
            let begin = |journal: &mut Journal| journal.begin(now, asked.kind, access, asked.member);
            Ok((running, journal.as_mut().map(begin).transpose()?))
        });
        let (running, mut entry) = begun.inspect_err(|error| {
            self.gateway.metrics().refused(error.code());
            if let Some(journal) = &journal {
                journal.refused(asked.kind, &access.service, access.member(asked.member), error.code());
            }
        })?;
        if let Some(signature) = access.recorded(asked.member).filter(|_| asked.arguments.1.is_none()) {
            let arguments = Recorded::new(signature.clone(), asked.arguments.0.clone());
            entry = entry.map(|entry| entry.with_arguments(arguments));
        }
        let traffic = self.shared.stay.traffic();
        match asked.kind {
            Kind::Post => traffic.posts.fetch_add(1, Relaxed),
            _ => traffic.calls.fetch_add(1, Relaxed),
        };
        Ok(running.recorded(entry))
    }

    /// In the order that holds behind all doors.
    fn begin(
        &self,
        now: Instant,
        rules: &InForce,
        target: &Target,
        decision: Decision<'_>,
        asked: &Asked<'_>,
    ) -> Result<UnderWay, ClientError> {
        self.check()?;
        let mut allowance = self.shared.allowance.lock();
        allowance.renew(rules);
        allowance.arrive(now)?;
        if self.gateway.is_draining() {
            return Err(ClientError::new(GatewayCode::Ending, "the gateway is ending"));
        }
        let stay = &self.shared.stay;
        let running = UnderWay::begin(stay.traffic(), rules.rules.limits.calls_in_flight)?;
        let rates = Self::judge(decision, asked)?;
        let lease = self.gateway.lease(&target.bus, &target.access.service);
        let (kind, member, access) = (asked.kind, asked.member, &target.access);
        allowance.take(now, &Passing { kind, member, access, rates: &rates, lease: lease.as_ref() }, stay)?;
        Ok(running)
    }

    fn judge(decision: Decision<'_>, asked: &Asked<'_>) -> Result<Vec<RateId>, ClientError> {
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
