//! Who may connect: web pages of origins that are named, and programs; only by an address, so that no name of a stranger leads here
//! (SEC-9).

use std::net::IpAddr;

/// Whether a connection that sends these headers is let in; the text says why not.
pub fn admit(origin: Option<&str>, host: Option<&str>, allowed: &[String]) -> Result<(), String> {
    match host {
        Some(host) if is_address(host) => {}
        Some(host) => return Err(format!("the host {host:?} is no address; connect to an IP address or to localhost")),
        None => return Err("there is no Host header".to_owned()),
    }
    match origin {
        Some(origin) if !allowed.iter().any(|allowed| allowed == origin) => {
            Err(format!("web pages of {origin:?} are not let in; add it with --allow-origin"))
        }
        _ => Ok(()),
    }
}

/// An IP address or `localhost`, with or without a port.
fn is_address(host: &str) -> bool {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(bare, _)| bare),
    };
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_let_in_and_web_pages_only_from_where_it_is_allowed() {
        let allowed = ["https://lab.example".to_owned()];
        let local = Some("127.0.0.1:9090");
        assert_eq!(admit(None, local, &[]), Ok(()));
        assert_eq!(admit(Some("https://lab.example"), local, &allowed), Ok(()));
        for origin in ["http://evil.example", "null", "", "https://lab.example.evil.example", "http://lab.example"] {
            assert!(admit(Some(origin), local, &allowed).is_err(), "{origin}");
        }
        assert!(admit(Some("https://lab.example"), local, &[]).is_err());
    }

    #[test]
    fn a_name_that_a_stranger_has_made_lead_here_is_refused() {
        for host in ["127.0.0.1", "127.0.0.1:9090", "localhost:1", "LOCALHOST", "[::1]:9090", "[::1]", "192.0.2.7:80"] {
            assert_eq!(admit(None, Some(host), &[]), Ok(()), "{host}");
        }
        for host in ["evil.example:9090", "127.0.0.1.evil.example", "", ":9090", "localhost.evil.example"] {
            assert!(admit(None, Some(host), &[]).is_err(), "{host}");
        }
        assert!(admit(None, None, &[]).is_err());
    }
}
