//! Errors as RFC 9457 has them.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use keyway_auth::Reason;
use keyway_gateway::client::{ClientError, ErrorKind};
use serde::Serialize;

use crate::arguments::Unfit;

/// Why a request was not done.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Said>);

#[derive(Debug, Clone, Serialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    next: &'static str,
    #[serde(skip)]
    allow: Option<&'static str>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

/// What is wrong with a request before anybody looks at what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Body,
    BodyTooLarge,
    BodyTooSlow,
    Host,
    MediaType,
    Method(&'static str),
    Origin,
    Parameter,
    Path,
    Upgrade,
}

impl Problem {
    pub(crate) fn of(flaw: Flaw) -> Self {
        let (status, code, detail, next) = match flaw {
            Flaw::Path => (404, "KW-H001", "there is nothing at this path", "see docs/http.md for the routes"),
            Flaw::Method(_) => (405, "KW-H002", "this method is not for this path", "use a method that `Allow` names"),
            Flaw::Origin => {
                (403, "KW-H003", "pages of this origin may not use the gateway", "add the origin to the door's origins")
            }
            Flaw::BodyTooLarge => (413, "KW-H004", "the body is too large", "send less, or raise the door's limit"),
            Flaw::BodyTooSlow => (408, "KW-H005", "the body did not come in time", "send it at once"),
            Flaw::MediaType => (415, "KW-H006", "the body is not JSON", "send `Content-Type: application/json`"),
            Flaw::Host => (421, "KW-H007", "the gateway is not known by this name", "use the address, or `localhost`"),
            Flaw::Parameter => {
                (400, "KW-H008", "a parameter of the request has no such value", "see docs/http.md for the values")
            }
            Flaw::Upgrade => (426, "KW-H009", "this path is for WebSocket", "connect with a WebSocket client"),
            Flaw::Body => (400, "KW-H010", "the body is not UTF-8, or ended early", "send it again"),
        };
        let allow = if let Flaw::Method(allowed) = flaw { Some(allowed) } else { None };
        let mut problem = Self::with(status, code, detail.to_owned(), next);
        problem.0.allow = allow;
        problem
    }

    /// Nobody is let in by what was shown.
    pub(crate) fn unauthenticated(reason: &Reason, delay: Duration) -> Self {
        let next = "send `Authorization: Bearer TOKEN`, or a user and password by Basic";
        let text = reason.to_string();
        let detail = text.split_once(": ").map_or(text.as_str(), |(_, detail)| detail).to_owned();
        let mut problem = Self::with(401, reason.code(), detail, next);
        problem.0.retry_after = (!delay.is_zero()).then_some(delay);
        problem
    }

    pub(crate) fn bad_arguments(text: impl Into<String>) -> Self {
        let code = keyway_gateway::client::GatewayCode::BadArguments;
        Self::from(&ClientError::new(code, text))
    }

    fn with(status: u16, code: &'static str, detail: String, next: &'static str) -> Self {
        let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
        let kind = format!("urn:keyway:{code}");
        Self(Box::new(Said { kind, title, status, detail, code, rule: None, next, allow: None, retry_after: None }))
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// As JSON text.
    pub(crate) fn json(&self) -> String {
        // Texts and numbers always serialize.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.json()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(allowed) = self.0.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        if self.0.status == 401 {
            let ways = "Bearer realm=\"keyway\", Basic realm=\"keyway\", charset=\"UTF-8\"";
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(ways));
        }
        if let Some(wait) = self.0.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<&ClientError> for Problem {
    fn from(error: &ClientError) -> Self {
        let status = match error.kind() {
            ErrorKind::BadArguments => 400,
            ErrorKind::Refused => 403,
            ErrorKind::NotFound => 404,
            ErrorKind::Canceled => 409,
            ErrorKind::Overloaded => 429,
            ErrorKind::Failed => 502,
            ErrorKind::Unavailable => 503,
            _ => 500,
        };
        let mut problem = Self::with(status, error.code(), error.text().to_owned(), error.next_step());
        problem.0.rule = error.rule().map(str::to_owned);
        problem.0.retry_after = error.retry_after();
        problem
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        Self::from(&error)
    }
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        Self::bad_arguments(unfit.to_string())
    }
}
