//! From the line of a request to what it asks for (sans-I/O).

use axum::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What a request asks for. Names are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Call a method.
    Call {
        /// Of what.
        of: Of,
        /// Its name or full name.
        method: String,
    },
    /// Describe a service.
    Describe(String),
    /// Describe everything.
    OpenApi,
    /// Read a property.
    Get {
        /// Of which service.
        service: String,
        /// Its name.
        property: String,
    },
    /// Let go of an object.
    Release(String),
    /// List the services.
    Services,
    /// Write a property.
    Set {
        /// Of which service.
        service: String,
        /// Its name.
        property: String,
    },
    /// Subscribe to a signal.
    Signal {
        /// Of which service.
        service: String,
        /// Its name.
        signal: String,
    },
    /// Open a WebSocket.
    Socket,
}

/// What has members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// An object that a service returned, by its id.
    Object(String),
    /// A service.
    Service(String),
}

/// A request that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOperation {
    /// There is nothing at the path.
    Path,
    /// There is something, and these methods are for it.
    Method(&'static str),
}

/// What is at a path.
enum Route {
    Call(Of, String),
    Describe(String),
    Object(String),
    OpenApi,
    Property(String, String),
    Services,
    Signal(String, String),
    Socket,
}

impl Operation {
    /// Of a request. HEAD asks for what GET does.
    pub fn parse(method: &Method, path: &str) -> Result<Self, NoOperation> {
        let route = Route::parse(path).ok_or(NoOperation::Path)?;
        let allowed = route.methods();
        let is_get = method == Method::GET || method == Method::HEAD;
        Ok(match route {
            Route::Call(of, name) if method == Method::POST => Self::Call { of, method: name },
            Route::Describe(service) if is_get => Self::Describe(service),
            Route::Object(id) if method == Method::DELETE => Self::Release(id),
            Route::OpenApi if is_get => Self::OpenApi,
            Route::Property(service, property) if is_get => Self::Get { service, property },
            Route::Property(service, property) if method == Method::PUT => Self::Set { service, property },
            Route::Services if is_get => Self::Services,
            Route::Signal(service, signal) if is_get => Self::Signal { service, signal },
            Route::Socket if method == Method::GET => Self::Socket,
            _ => return Err(NoOperation::Method(allowed)),
        })
    }

    /// The methods for a path, if there is something.
    pub fn methods(path: &str) -> Option<&'static str> {
        Some(Route::parse(path)?.methods())
    }
}

impl Route {
    fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/")?;
        let decode = |segment: &str| percent_decode_str(segment).decode_utf8().ok().map(String::from);
        let segments: Option<Vec<String>> = rest.split('/').map(decode).collect();
        let mut segments = segments?.into_iter();
        let parts = [(); 4].map(|()| segments.next());
        if segments.next().is_some() || parts.iter().flatten().any(String::is_empty) {
            return None;
        }
        Some(match parts.each_ref().map(Option::as_deref) {
            [Some("openapi.json"), None, ..] => Self::OpenApi,
            [Some("socket"), None, ..] => Self::Socket,
            [Some("services"), None, ..] => Self::Services,
            [Some("services"), Some(service), None, _] => Self::Describe(service.to_owned()),
            [Some("services"), Some(service), Some("properties"), Some(name)] => {
                Self::Property(service.to_owned(), name.to_owned())
            }
            [Some("services"), Some(service), Some("signals"), Some(name)] => {
                Self::Signal(service.to_owned(), name.to_owned())
            }
            [Some("services"), Some(service), Some(method), None] => {
                Self::Call(Of::Service(service.to_owned()), method.to_owned())
            }
            [Some("objects"), Some(id), None, _] => Self::Object(id.to_owned()),
            [Some("objects"), Some(id), Some(method), None] => Self::Call(Of::Object(id.to_owned()), method.to_owned()),
            _ => return None,
        })
    }

    const fn methods(&self) -> &'static str {
        match self {
            Self::Call(..) => "POST, OPTIONS",
            Self::Object(_) => "DELETE, OPTIONS",
            Self::Property(..) => "GET, HEAD, PUT, OPTIONS",
            Self::Socket => "GET, OPTIONS",
            Self::Describe(_) | Self::OpenApi | Self::Services | Self::Signal(..) => "GET, HEAD, OPTIONS",
        }
    }
}

/// A name as a segment of a path.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}

/// What RFC 3986 leaves unreserved stays readable.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Result<Operation, NoOperation> {
        Operation::parse(&Method::GET, path)
    }

    #[test]
    fn names_are_decoded_segment_by_segment() {
        assert_eq!(get("/v1/services/nao%2FALMotion"), Ok(Operation::Describe("nao/ALMotion".to_owned())));
        let call = Operation::parse(&Method::POST, "/v1/services/Meter/add%3A%3A%28ii%29");
        let of = Of::Service("Meter".to_owned());
        assert_eq!(call, Ok(Operation::Call { of, method: "add::(ii)".to_owned() }));
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let name = "nao/a b::(ii)<\u{e9}>";
        assert_eq!(get(&format!("/v1/services/{}", segment(name))), Ok(Operation::Describe(name.to_owned())));
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        assert_eq!(get("/v1/services/Meter/add"), Err(NoOperation::Method("POST, OPTIONS")));
        let put = Operation::parse(&Method::PUT, "/v1/services/Meter/properties/p");
        assert!(matches!(put, Ok(Operation::Set { .. })));
        assert_eq!(Operation::parse(&Method::HEAD, "/v1/services"), Ok(Operation::Services));
    }

    #[test]
    fn there_is_nothing_elsewhere() {
        for path in [
            "/",
            "/v1",
            "/v1/",
            "/v1/services/",
            "/v1/services//x",
            "/v2/services",
            "/v1/services/a/b/c",
            "/v1/services/%ff",
        ] {
            assert_eq!(get(path), Err(NoOperation::Path), "{path}");
        }
    }
}
