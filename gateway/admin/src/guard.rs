//! A browser on this machine can be made to ask loopback by any web page. It says so by `Origin`, or comes under a name that is not
//! this machine's; supervisors do neither.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

pub(crate) async fn refuse_web_pages(request: Request, next: Next) -> Response {
    if is_from_a_web_page(request.headers()) {
        return (StatusCode::FORBIDDEN, "not for web pages; ask 127.0.0.1 or localhost by a program\n").into_response();
    }
    next.run(request).await
}

fn is_from_a_web_page(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::ORIGIN) {
        return true;
    }
    // HTTP/1.0 has no Host, and no browser speaks it.
    let Some(host) = headers.get(header::HOST) else { return false };
    let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    !host.is_some_and(|host| is_this_machine(host.host()))
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(headers: &[(header::HeaderName, &str)]) -> bool {
        let pairs = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        is_from_a_web_page(&pairs.collect())
    }

    #[test]
    fn programs_on_this_machine_may_ask() {
        for host in ["127.0.0.1:9580", "localhost:9580", "LOCALHOST", "[::1]:9580", "127.0.0.2"] {
            assert!(!refused(&[(header::HOST, host)]), "{host}");
        }
        assert!(!refused(&[]));
    }

    #[test]
    fn web_pages_may_not() {
        assert!(refused(&[(header::HOST, "127.0.0.1:9580"), (header::ORIGIN, "https://evil.example")]));
        assert!(refused(&[(header::HOST, "127.0.0.1"), (header::ORIGIN, "null")]));
    }

    #[test]
    fn a_name_that_somebody_lets_point_here_is_none_of_ours() {
        for host in ["evil.example:9580", "127.0.0.1.evil.example", "10.0.0.1", "no host"] {
            assert!(refused(&[(header::HOST, host)]), "{host}");
        }
    }
}
