//! Messages for the gateway's own service 1.

use keyway::front::{Input, Local};
use keyway_policy::Decision;
use keyway_value::{ActionId, ObjectLayout};

use super::{Asked, Relay, judge::signal_of, local};
use crate::{access::Access, catalog::DIRECTORY};

impl Relay {
    /// The gateway's own service 1: open to all who are in, since nothing works without it; what it tells depends on the role.
    pub(super) fn directory(&mut self, input: Input) -> Option<Local> {
        let Some(asked) = Asked::by(&input) else { return Some(local(input, None)) };
        if let Err(error) = self.may_begin(&asked) {
            let (service, member) = self.names(&asked.header);
            self.deny(&input, asked.kind, &service, member, &error);
            return None;
        }
        let admitted = self.admitted.as_ref()?;
        let object = admitted.view.object().clone();
        if !admitted.unlimited && may_manage(asked.header.action) {
            let rules = self.bus.rules();
            let access = Access::new(&rules, &admitted.member.role, &DIRECTORY.into(), object.metaobject());
            if manages(&access, &input, self.client.shared().layout())
                && let Decision::Deny(refusal) = access.rules.call(ActionId::IS_STATS_ENABLED)
            {
                let member = access.member(asked.header.action);
                self.deny(&input, asked.kind, &access.service, member, &refusal.into());
                return None;
            }
        }
        Some(self.serve(input, Some(object), None))
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
