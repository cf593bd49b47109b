//! Which web pages may use the door (sans-I/O).

use axum::http::{HeaderMap, HeaderValue, Uri, header};

/// What browsers are told, and what their requests are checked against.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins(Vec<String>);

impl Origins {
    pub(crate) fn new(allowed: &[String]) -> Self {
        Self(allowed.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect())
    }

    /// The origin of a request, if it names one. An error: pages of that origin may not come in, whatever they ask for; a
    /// request without an origin is not one of a page of another site.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, ()> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(None) };
        let text = origin.to_str().map_err(|_| ())?.to_ascii_lowercase();
        if self.0.iter().any(|allowed| *allowed == text || allowed == "*") { Ok(Some(origin.clone())) } else { Err(()) }
    }

    /// Adds what the page's browser has to see.
    pub(crate) fn mark(origin: &HeaderValue, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers
            .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after, www-authenticate"));
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }

    /// The answer to a browser that asks before it sends.
    pub(crate) fn preflight(allowed: &'static str, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allowed));
        let names = "authorization, content-type, last-event-id, prefer";
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(names));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}

/// Whether the host that a request names can only mean this machine: a page cannot make a name of its own point here.
pub(crate) fn is_own_host(headers: &HeaderMap, uri: &Uri) -> bool {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = uri.authority().map(|authority| authority.as_str()).or(named) else { return false };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn only_listed_origins_pass_and_no_origin_does() {
        let origins = Origins::new(&["https://panel.example/".to_owned()]);
        assert!(origins.check(&headers(header::ORIGIN, "https://Panel.example")).unwrap().is_some());
        assert!(origins.check(&headers(header::ORIGIN, "https://evil.example")).is_err());
        assert!(origins.check(&headers(header::ORIGIN, "null")).is_err());
        assert!(origins.check(&HeaderMap::new()).unwrap().is_none());
        assert!(Origins::new(&["*".to_owned()]).check(&headers(header::ORIGIN, "null")).is_ok());
    }

    #[test]
    fn addresses_and_localhost_are_own_hosts() {
        let uri = Uri::from_static("/v1/services");
        for (host, own) in
            [("127.0.0.1:80", true), ("localhost", true), ("[::1]:8080", true), ("evil.example:80", false)]
        {
            assert_eq!(is_own_host(&headers(header::HOST, host), &uri), own, "{host}");
        }
        assert!(!is_own_host(&HeaderMap::new(), &uri));
    }
}
