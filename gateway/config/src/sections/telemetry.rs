//! `[telemetry]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Traces of calls, for a collector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Where an OpenTelemetry collector takes them (OTLP over HTTP), such as `"http://127.0.0.1:4318"`; `OTEL_EXPORTER_OTLP_ENDPOINT`
    /// counts if it is missing. Needs a `keyway` that is built with the feature `otlp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<String>,
}
