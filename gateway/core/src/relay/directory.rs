//! Messages for the gateway's own service 1.

use keyway::front::{Input, Local};
use keyway_policy::Decision;
use keyway_value::ActionId;
use keyway_wire::Header;

use super::Relay;
use crate::catalog::DIRECTORY;

impl Relay {
    /// The gateway's own service 1: open to all who are in, since nothing works without it; what it tells depends on the role.
    pub(super) fn directory(&mut self, input: Input, header: &Header) -> Option<Local> {
        let admitted = self.admitted.as_ref()?;
        let view = self.bus.view(&admitted.member.role);
        if !matches!(input, Input::Call(_) | Input::Post(_)) {
            return Some(Local { input, object: None });
        }
        let manages = (ActionId::IS_STATS_ENABLED.0..=ActionId::TRACE_OBJECT.0).contains(&header.action.0)
            || (header.action == ActionId::REGISTER_EVENT && subscribes_to_traces(&input));
        if manages && !admitted.unlimited {
            let rules = self.bus.rules();
            let access = rules.rules.policy.access(&admitted.member.role, DIRECTORY, &view.object().metaobject());
            if let Decision::Deny(refusal) = access.call(ActionId::IS_STATS_ENABLED) {
                let text = refusal.to_string();
                self.refuse(&input, &text);
                return None;
            }
        }
        Some(Local { input, object: Some(view.object().clone()) })
    }
}

/// Whether a registerEvent is for the trace of calls.
fn subscribes_to_traces(input: &Input) -> bool {
    let Input::Call(frame) = input else { return false };
    // What cannot be read is refused by the object.
    frame.payload_bytes().get(4..8) == Some(&ActionId::TRACE_OBJECT.0.to_le_bytes()[..])
}
