//! What is answered.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{AdminSettings, metrics, readiness::Readiness, reload::reload as ask_for_reload};

pub(crate) async fn metrics(State(settings): State<AdminSettings>) -> Response {
    match metrics::text(settings.gateway.snapshot()) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

pub(crate) async fn readyz(State(settings): State<AdminSettings>) -> Response {
    let phase = *settings.phase.borrow();
    let readiness = Readiness::of(phase, settings.gateway.snapshot().buses);
    (readiness.status(), Json(readiness)).into_response()
}

pub(crate) async fn reload(State(settings): State<AdminSettings>) -> Response {
    let (status, answer) = ask_for_reload(settings.reloads.as_ref()).await;
    (status, Json(answer)).into_response()
}
