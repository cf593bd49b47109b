//! Traces of calls, sent to an OpenTelemetry collector by OTLP over HTTP. Only with the feature `otlp`.

use std::{env, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use keyway_gateway::CALLS;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracerProvider, Tracer},
};
use tokio::runtime::Runtime;
use tracing::{Level, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::tls;

/// Sends what was traced until it is dropped; then what is left.
#[derive(Debug)]
pub(crate) struct Telemetry(SdkTracerProvider);

impl Telemetry {
    /// To a collector, of which the environment says where it is if nothing else does; none if that says nothing either.
    pub(crate) fn start(collector: Option<&str>) -> anyhow::Result<Option<Self>> {
        let by_environment = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
        let is_named = collector.is_some() || by_environment.iter().any(|name| env::var_os(name).is_some());
        if !is_named {
            return Ok(None);
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Sending::new().context("traces cannot be sent")?);
        let exporter = match collector {
            Some(url) => exporter.with_endpoint(format!("{}{PATH}", url.trim_end_matches('/').trim_end_matches(PATH))),
            None => exporter,
        };
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name("keyway").build())
            .with_batch_exporter(exporter.build().context("traces cannot be sent")?)
            .build();
        Ok(Some(Self(provider)))
    }

    /// Takes the spans of calls, and nothing else.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let layer: OpenTelemetryLayer<S, Tracer> = tracing_opentelemetry::layer().with_tracer(self.0.tracer("keyway"));
        layer.with_filter(Targets::new().with_target(CALLS, Level::TRACE))
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Sends by our own HTTP client. The thread that exports has no runtime.
#[derive(Debug)]
struct Sending {
    client: reqwest::Client,
    runtime: Arc<Runtime>,
}

impl Sending {
    fn new() -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().use_preconfigured_tls(tls::https(None)?).timeout(PATIENCE).build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime: Arc::new(runtime) })
    }
}

#[async_trait::async_trait]
impl HttpClient for Sending {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = self
            .client
            .request(request.method().clone(), request.uri().to_string())
            .headers(request.headers().clone())
            .body(request.into_body());
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok(response.body(answer.bytes().await?)?)
        })
    }
}

/// Where a collector takes traces.
const PATH: &str = "/v1/traces";
/// For one answer of the collector.
const PATIENCE: Duration = Duration::from_secs(10);
