//! Messages for the gateway's own service 1.

use keyway::front::{Input, Local};
use keyway_policy::Decision;
use keyway_value::{ActionId, ObjectLayout};
use keyway_wire::Header;

use super::{
    Relay,
    judge::{kind, signal_of},
};
use crate::{access::Access, catalog::DIRECTORY};

impl Relay {
    /// The gateway's own service 1: open to all who are in, since nothing works without it; what it tells depends on the role.
    pub(super) fn directory(&mut self, input: Input, header: &Header) -> Option<Local> {
        let admitted = self.admitted.as_ref()?;
        let view = self.bus.view(&admitted.member.role);
        if !matches!(input, Input::Call(_) | Input::Post(_)) {
            return Some(Local { input, object: None });
        }
        if !admitted.unlimited && may_manage(header.action) {
            let rules = self.bus.rules();
            let access = Access::new(&rules, &admitted.member.role, &DIRECTORY.into(), view.object().metaobject());
            if manages(&access, &input, self.client.shared().layout())
                && let Decision::Deny(refusal) = access.rules.call(ActionId::IS_STATS_ENABLED)
            {
                if let Some(journal) = &admitted.journal {
                    let kind = kind(header.action, matches!(input, Input::Post(_)));
                    journal.refused(kind, &access.service, access.member(header.action), refusal.code.code());
                }
                let text = refusal.to_string();
                self.gateway.metrics().refused(refusal.code.code());
                self.refuse(&input, &text);
                return None;
            }
        }
        Some(Local { input, object: Some(view.object().clone()) })
    }
}

/// Whether a message of this action may be about statistics and traces.
fn may_manage(action: ActionId) -> bool {
    (ActionId::IS_STATS_ENABLED.0..=ActionId::TRACE_OBJECT.0).contains(&action.0)
        || matches!(action, ActionId::REGISTER_EVENT | ActionId::REGISTER_EVENT_WITH_SIGNATURE)
}

/// Whether it is.
fn manages(access: &Access, input: &Input, layout: ObjectLayout) -> bool {
    let (Input::Call(frame) | Input::Post(frame)) = input else { return false };
    match frame.header.action {
        // What cannot be read is refused by the object.
        ActionId::REGISTER_EVENT | ActionId::REGISTER_EVENT_WITH_SIGNATURE => {
            signal_of(access, frame, layout) == Some(ActionId::TRACE_OBJECT)
        }
        _ => true,
    }
}
