//! A policy compiled for one role and one metaobject: answers by action id.

mod compile;
mod table;

use std::sync::Arc;

use keyway_value::{ActionId, MetaObject};

use crate::{Checker, RateId, Refusal, filter};
use table::Table;

/// What a role may do with one service, or with objects of it. It is a snapshot of the policy and of the metaobject.
#[derive(Debug, Clone)]
pub struct ServiceAccess {
    visible: bool,
    calls: Table,
    emits: Table,
    reads: Table,
    subscribes: Table,
    writes: Table,
    manage: Verdict,
    hidden: Arc<Refusal>,
    unknown: Arc<Refusal>,
}

/// What is to be done with a message.
#[derive(Debug, Clone, Copy)]
pub enum Decision<'a> {
    /// Let it pass, if the rates allow it.
    Allow {
        /// For [`RateLimiter::take`](crate::RateLimiter::take); nearly always empty.
        rates: &'a [RateId],
    },
    /// Let it pass if its arguments are allowed.
    AllowIfArguments(&'a Checker),
    /// Decode which member it is about, and ask for that.
    Inspect(Inspection),
    /// Answer with the refusal.
    Deny(&'a Refusal),
}

/// What one of the members that every object has is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspection {
    /// `metaObject`: pass it, and filter the answer by [`ServiceAccess::filter_metaobject`].
    MetaObject,
    /// `properties`: pass it, and keep the names that [`ServiceAccess::shows_property`] shows.
    PropertyNames,
    /// `property`: ask [`ServiceAccess::read`] for the property of its argument.
    Read,
    /// `registerEvent`, `registerEventWithSignature`: ask [`ServiceAccess::subscribe`] for its signal.
    Subscription,
    /// `setProperty`: ask [`ServiceAccess::write`] for the property of its first argument. A checker is given what follows
    /// it, as a tuple of one (`(m)`).
    Write,
}

/// A decision that was made in advance.
#[derive(Debug, Clone)]
enum Verdict {
    Allow(Box<[RateId]>),
    Conditional(Box<Checker>),
    Deny(Arc<Refusal>),
}

impl ServiceAccess {
    /// For a call.
    pub fn call(&self, action: ActionId) -> Decision<'_> {
        if !MetaObject::is_reserved(action) {
            return self.of(&self.calls, action);
        }
        if !self.visible {
            return Decision::Deny(&self.hidden);
        }
        match action {
            ActionId::REGISTER_EVENT | ActionId::REGISTER_EVENT_WITH_SIGNATURE => {
                Decision::Inspect(Inspection::Subscription)
            }
            // They end what the client itself began: a link or a reference of its own.
            ActionId::UNREGISTER_EVENT | ActionId::TERMINATE => Decision::Allow { rates: &[] },
            ActionId::META_OBJECT => Decision::Inspect(Inspection::MetaObject),
            ActionId::PROPERTY => Decision::Inspect(Inspection::Read),
            ActionId::SET_PROPERTY => Decision::Inspect(Inspection::Write),
            ActionId::PROPERTIES => Decision::Inspect(Inspection::PropertyNames),
            ActionId(id) if (ActionId::IS_STATS_ENABLED.0..=ActionId::ENABLE_TRACE.0).contains(&id) => {
                self.manage.decision()
            }
            _ => Decision::Deny(&self.unknown),
        }
    }

    /// For a post, which calls a method or emits a signal. What could be both needs the right to both.
    pub fn post(&self, action: ActionId) -> Decision<'_> {
        if MetaObject::is_reserved(action) {
            return if action == ActionId::TRACE_OBJECT { self.emit(action) } else { self.call(action) };
        }
        match (self.calls.get(action), self.emits.get(action)) {
            (None, Some(emit)) => emit.decision(),
            (Some(_), Some(emit @ Verdict::Deny(_))) => emit.decision(),
            _ => self.call(action),
        }
    }

    /// For an event that a client sends, and a post to a signal.
    pub fn emit(&self, signal: ActionId) -> Decision<'_> {
        self.of(&self.emits, signal)
    }

    /// For a subscription.
    pub fn subscribe(&self, signal: ActionId) -> Decision<'_> {
        match signal {
            ActionId::TRACE_OBJECT if self.visible => self.manage.decision(),
            _ => self.of(&self.subscribes, signal),
        }
    }

    /// For reading a property.
    pub fn read(&self, property: ActionId) -> Decision<'_> {
        self.of(&self.reads, property)
    }

    /// For writing a property.
    pub fn write(&self, property: ActionId) -> Decision<'_> {
        self.of(&self.writes, property)
    }

    /// Whether anything of the service may be used.
    pub const fn is_visible(&self) -> bool {
        self.visible
    }

    /// Whether a property may be read or written.
    pub fn shows_property(&self, property: ActionId) -> bool {
        self.reads.shows(property) || self.writes.shows(property)
    }

    /// The members that may be used, and those every object has.
    pub fn filter_metaobject(&self, metaobject: &MetaObject) -> MetaObject {
        filter::filter(self, metaobject)
    }

    pub(crate) fn shows_method(&self, method: ActionId) -> bool {
        !matches!(self.call(method), Decision::Deny(_))
    }

    pub(crate) fn shows_signal(&self, signal: ActionId) -> bool {
        match signal {
            ActionId::TRACE_OBJECT => self.visible && !matches!(self.manage, Verdict::Deny(_)),
            _ => self.subscribes.shows(signal) || self.emits.shows(signal),
        }
    }

    fn of<'a>(&'a self, table: &'a Table, action: ActionId) -> Decision<'a> {
        match table.get(action) {
            Some(verdict) if self.visible => verdict.decision(),
            None if self.visible => Decision::Deny(&self.unknown),
            _ => Decision::Deny(&self.hidden),
        }
    }
}

impl Verdict {
    fn decision(&self) -> Decision<'_> {
        match self {
            Self::Allow(rates) => Decision::Allow { rates },
            Self::Conditional(checker) => Decision::AllowIfArguments(checker),
            Self::Deny(refusal) => Decision::Deny(refusal),
        }
    }
}
