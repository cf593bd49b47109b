//! Whether clients are served.

use axum::http::StatusCode;
use keyway_gateway::BusState;
use serde::Serialize;

/// What a gateway is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Its listeners are not open yet.
    Starting,
    /// It serves clients.
    Serving,
    /// It ends: nobody comes in any more, and calls that run may finish.
    Draining,
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
pub(crate) struct Readiness {
    ready: bool,
    phase: Phase,
    directories: Vec<Directory>,
}

#[derive(Debug, Serialize)]
struct Directory {
    name: String,
    url: String,
    attached: bool,
}

impl Readiness {
    /// Ready is who listens and has something to show: one directory is enough, or a robot that is switched off would take
    /// the others away from everybody.
    pub(crate) fn of(phase: Phase, buses: Vec<BusState>) -> Self {
        let ready = phase == Phase::Serving && buses.iter().any(|bus| bus.attached);
        let directory = |bus: BusState| Directory { name: bus.name, url: bus.url, attached: bus.attached };
        Self { ready, phase, directories: buses.into_iter().map(directory).collect() }
    }

    pub(crate) fn status(&self) -> StatusCode {
        if self.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bus(attached: bool) -> BusState {
        BusState {
            name: "nao".to_owned(),
            url: "tcp://nao:9559".to_owned(),
            attached,
            attachments: 0,
            services_inside: 0,
            services_outside: 0,
        }
    }

    fn is_ready(phase: Phase, attached: &[bool]) -> bool {
        let readiness = Readiness::of(phase, attached.iter().map(|attached| bus(*attached)).collect());
        readiness.status() == StatusCode::OK
    }

    #[test]
    fn one_attached_directory_of_an_open_gateway_is_enough() {
        assert!(is_ready(Phase::Serving, &[false, true]));
        assert!(!is_ready(Phase::Serving, &[false, false]));
        assert!(!is_ready(Phase::Starting, &[true]));
        assert!(!is_ready(Phase::Draining, &[true]));
    }

    #[test]
    fn the_answer_names_each_directory() {
        let readiness = Readiness::of(Phase::Draining, vec![bus(true)]);
        let json = serde_json::to_value(&readiness).unwrap();
        let expected = serde_json::json!({
            "ready": false,
            "phase": "draining",
            "directories": [{ "name": "nao", "url": "tcp://nao:9559", "attached": true }],
        });
        assert_eq!(json, expected);
    }
}
