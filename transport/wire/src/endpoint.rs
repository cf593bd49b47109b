//! Endpoints: where a service can be reached (spec 1.2).

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    net::IpAddr,
    str::FromStr,
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
    /// Reads an endpoint: a URI of RFC 3986 (spec 1.2).
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        Self::read(text).ok_or_else(|| EndpointError(text.to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let after_scheme = scheme.len() + 1;
        let path = match rest.strip_prefix("//") {
            Some(rest) => rest.find(['/', '?', '#']).map_or("", |end| &rest[end..]),
            None => rest,
        };
        let authority = rest.starts_with("//").then(|| (after_scheme + 2, text.len() - path.len()));
        let is_uri = is_scheme(scheme)
            && authority.is_none_or(|(start, end)| Authority::read(&text[start..end]).is_valid())
            && is_path(path);
        is_uri.then(|| Self { text: text.to_owned(), scheme: scheme.len(), authority })
    }

    /// The endpoint relative to a service; `None` if its name cannot stand in a URI (spec 7.9, H1).
    pub fn relative(service: &str) -> Option<Self> {
        let is_segment = !service.is_empty() && consists_of(service, PATH_CHARACTERS);
        is_segment.then(|| Self { text: format!("qi:{service}"), scheme: 2, authority: None })
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
        let host = authority.host.trim_matches(['[', ']']);
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    fn scheme(&self) -> &str {
        &self.text[..self.scheme]
    }

    fn authority(&self) -> Option<Authority<'_>> {
        self.authority.map(|(start, end)| Authority::read(&self.text[start..end]))
    }

    /// What follows scheme and authority.
    fn path(&self) -> &str {
        &self.text[self.authority.map_or(self.scheme + 1, |(_, end)| end)..]
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

impl Ord for Endpoint {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |endpoint: &Self| endpoint.rank();
        key(self)
            .cmp(&key(other))
            .then_with(|| self.scheme().cmp(other.scheme()))
            .then_with(|| self.authority().cmp(&other.authority()))
            .then_with(|| self.path().cmp(other.path()))
            // Components may be equal where the texts are not (port 080): equal endpoints have equal texts.
            .then_with(|| self.text.cmp(&other.text))
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

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The components of an authority, in the order in which endpoints are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Authority<'a> {
    user: Option<&'a str>,
    host: &'a str,
    port: Port<'a>,
}

impl<'a> Authority<'a> {
    fn read(text: &'a str) -> Self {
        let (user, rest) = match text.split_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        // The colons of an IPv6 address stand in brackets.
        let host_end = rest.find(']').map_or(0, |end| end + 1);
        let (host, port) = match rest[host_end..].find(':') {
            Some(colon) => (&rest[..host_end + colon], &rest[host_end + colon + 1..]),
            None => (rest, ""),
        };
        Self { user, host, port: Port(port) }
    }

    fn is_valid(&self) -> bool {
        let is_host = match self.host.strip_prefix('[') {
            Some(literal) => literal
                .strip_suffix(']')
                .is_some_and(|address| !address.is_empty() && consists_of(address, IP_LITERAL_CHARACTERS)),
            None => consists_of(self.host, HOST_CHARACTERS),
        };
        is_host
            && self.user.is_none_or(|user| consists_of(user, USER_CHARACTERS))
            && self.port.0.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// A port's digits, compared as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Port<'a>(&'a str);

impl Ord for Port<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let digits = |port: &Self| port.0.trim_start_matches('0').len();
        digits(self)
            .cmp(&digits(other))
            .then_with(|| self.0.trim_start_matches('0').cmp(other.0.trim_start_matches('0')))
    }
}

impl PartialOrd for Port<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Path, query and fragment.
fn is_path(text: &str) -> bool {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    path.split('/').all(|segment| consists_of(segment, PATH_CHARACTERS))
        && [query, fragment].iter().all(|part| consists_of(part, QUERY_CHARACTERS))
}

/// Whether all characters are letters, digits, whole percent escapes or of these (RFC 3986 section 2).
fn consists_of(text: &str, others: &[u8]) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || others.contains(byte),
    })
}

const HOST_CHARACTERS: &[u8] = b"-._~!$&'()*+,;=";
const IP_LITERAL_CHARACTERS: &[u8] = b"-._~!$&'()*+,;=:";
const USER_CHARACTERS: &[u8] = b"-._~!$&'()*+,;=:";
const PATH_CHARACTERS: &[u8] = b"-._~!$&'()*+,;=:@";
const QUERY_CHARACTERS: &[u8] = b"-._~!$&'()*+,;=:@/?";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut endpoints: Vec<_> = texts.into_iter().map(|text| Endpoint::parse(text).unwrap()).collect();
        endpoints.sort();
        endpoints.iter().map(ToString::to_string).collect()
    }

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
            "mailto:somebody",
        ];
        assert_eq!(sorted(wanted.into_iter().rev()), wanted);
    }

    #[test]
    fn equally_preferred_endpoints_sort_by_component() {
        let wanted = ["tcp://10.0.0.1:9", "tcp://10.0.0.1:10", "tcp://10.0.0.10:1", "tcps://10.0.0.1:1"];
        assert_eq!(sorted(wanted.into_iter().rev()), wanted);
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "not a uri",
            "",
            "tcp",
            "1tcp://h:1",
            ":1",
            "qi:a b",
            "qi:é",
            "qi:%zz",
            "qi:[",
            "tcp://h:port",
            "tcp://[::1:5",
            "tcp://h[:5",
            "tcp://h:1#a#b",
            "tcp://a@b@c:1",
            "tcp://[]:1",
        ] {
            assert!(Endpoint::parse(text).is_err(), "{text:?}");
        }
        for text in ["qi:Robot", "tcp://h:1", "tcp://[::1]:5", "tcp://u:p@h:5/path?q#f", "a:", "qi:%20", "tcp://h:"] {
            assert_eq!(Endpoint::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_name_that_cannot_stand_in_a_uri_has_no_relative_endpoint() {
        for name in ["a b", "", "é", "a/b", "a?", "a#", "[a]", "%"] {
            assert!(Endpoint::relative(name).is_none(), "{name:?}");
        }
        assert_eq!(Endpoint::relative("Robot").unwrap().as_str(), "qi:Robot");
    }

    #[test]
    fn only_the_scheme_qi_without_an_authority_is_relative() {
        for (text, relative) in [("qi:x", true), ("qi://x", false), ("tcp:x", false)] {
            assert_eq!(Endpoint::parse(text).unwrap().is_relative(), relative, "{text}");
        }
    }

    #[test]
    fn loopback_hosts_are_known_by_name_and_by_address() {
        for (text, loopback) in [
            ("tcp://localhost:1", true),
            ("tcp://LocalHost", true),
            ("tcp://127.3.2.1:1", true),
            ("tcp://[::1]:1", true),
            ("tcp://user@127.0.0.1:1", true),
            ("tcp://128.0.0.1:1", false),
            ("tcp://localhost.example:1", false),
            ("qi:localhost", false),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().is_loopback(), loopback, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_endpoint_or_refused_and_the_order_is_total(
            texts in proptest::collection::vec("(qi|tcp|x):(//)?[a-z0-9.:@\\[\\]/?#%é ]{0,12}", 3),
        ) {
            let endpoints: Vec<_> = texts.iter().filter_map(|text| Endpoint::parse(text).ok()).collect();
            for a in &endpoints {
                for b in &endpoints {
                    prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
                    prop_assert_eq!(a == b, a.cmp(b).is_eq());
                    for c in &endpoints {
                        prop_assert!(!(a <= b && b <= c) || a <= c);
                    }
                }
            }
        }
    }
}
