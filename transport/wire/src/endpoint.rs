//! Endpoints: where a service can be reached (spec 1.2).

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// An endpoint: absolute (`tcp://host:port`) or relative to a service (`qi:Name`). Ordered by preference (spec 1.10).
#[derive(Debug, Clone)]
pub struct Endpoint {
    text: String,
    scheme: usize,
    /// Where the authority is, if there is one.
    authority: Option<(usize, usize)>,
}

/// Text that is no URI; libqi refuses the whole ServiceInfo for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint {0:?} is not a URI")]
pub struct EndpointError(pub String);

impl Endpoint {
    /// Reads an endpoint.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let error = || EndpointError(text.to_owned());
        let (scheme, rest) = text.split_once(':').ok_or_else(error)?;
        let starts_well = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        let goes_on_well = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !starts_well || !goes_on_well || !is_uri_text(rest) {
            return Err(error());
        }
        let start = scheme.len() + 3;
        let authority = rest.strip_prefix("//").map(|rest| {
            let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            (start, start + length)
        });
        Ok(Self { text: text.to_owned(), scheme: scheme.len(), authority })
    }

    /// The endpoint relative to a service; `None` if its name cannot stand in a URI (spec 7.9, H1).
    pub fn relative(service: &str) -> Option<Self> {
        let text = format!("qi:{service}");
        let is_segment = !service.is_empty() && !service.contains(['/', '?', '#']) && is_uri_text(service);
        is_segment.then_some(Self { text, scheme: 2, authority: None })
    }

    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `qi:Name`.
    pub fn is_relative(&self) -> bool {
        self.scheme() == "qi" && self.authority.is_none()
    }

    /// Whether its host is this machine, whoever asks.
    pub fn is_loopback(&self) -> bool {
        let Some(authority) = self.authority() else {
            return false;
        };
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
            _ => authority,
        };
        let host = host.trim_matches(['[', ']']);
        let is_loopback_address = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        host.eq_ignore_ascii_case("localhost") || is_loopback_address
    }

    fn scheme(&self) -> &str {
        &self.text[..self.scheme]
    }

    fn authority(&self) -> Option<&str> {
        self.authority.map(|(start, end)| &self.text[start..end])
    }

    /// Its place in the order of preference (spec 1.10).
    fn rank(&self) -> u8 {
        match (self.is_relative(), self.authority) {
            (true, _) if self.text == "qi:ServiceDirectory" => 1,
            (true, _) => 2,
            (false, None) => 5,
            (false, Some(_)) if self.is_loopback() => 3,
            (false, Some(_)) => 4,
        }
    }
}

/// Whether all characters may stand after a URI's scheme (RFC 3986), percent escapes whole.
fn is_uri_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte),
    })
}

impl Ord for Endpoint {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |endpoint: &Self| (endpoint.rank(), endpoint.scheme().to_owned());
        key(self).cmp(&key(other)).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Endpoint {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_sort_by_preference() {
        let wanted = [
            "qi:ServiceDirectory",
            "qi:C",
            "tcp://127.0.0.1:5",
            "tcp://localhost:7",
            "tcps://127.0.0.1:6",
            "tcp://10.0.0.1:5",
            "tcpsm://1.2.3.4:9",
        ];
        let mut endpoints: Vec<_> = wanted.iter().rev().map(|text| Endpoint::parse(text).unwrap()).collect();
        endpoints.sort();
        assert_eq!(endpoints.iter().map(Endpoint::as_str).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in ["not a uri", "", "tcp", "1tcp://h:1", "qi:a b", "qi:é", "qi:%zz"] {
            assert!(Endpoint::parse(text).is_err(), "{text:?}");
        }
        assert!(Endpoint::relative("a b").is_none());
        assert!(Endpoint::relative("").is_none());
        assert_eq!(Endpoint::relative("Robot").unwrap().as_str(), "qi:Robot");
        assert!(!Endpoint::parse("qi://x").unwrap().is_relative());
    }
}
