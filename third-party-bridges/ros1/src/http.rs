//! XML-RPC over HTTP, both ends.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, client, header, server, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use keyway_bridge::{NetworkError, OptIn};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use crate::xmlrpc::{
    MAX_BODY, XmlCall, XmlError, XmlFault, XmlValue, read_call, read_response, write_call, write_fault, write_response,
};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The text is no address of a master or node.
    #[error("{0:?} is no address; write it as http://host:port/")]
    Uri(String),
    /// Nobody is there, or may be asked.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Whoever is there does not speak HTTP.
    #[error("{uri}: {reason}")]
    Http {
        /// Where.
        uri: String,
        /// What is wrong.
        reason: String,
    },
    /// Whoever is there does not speak XML-RPC.
    #[error("{uri}: {source}")]
    Xml {
        /// Where.
        uri: String,
        /// What is wrong.
        source: XmlError,
    },
    /// The method failed.
    #[error("{uri}: {}", .fault.text)]
    Fault {
        /// Where.
        uri: String,
        /// As it was told.
        fault: XmlFault,
    },
}

/// How long a request may take, either way.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many connections of others there may be at once.
const CONNECTIONS: usize = 64;

/// The `host:port` and path of an address such as `http://127.0.0.1:11311/`.
pub(crate) fn split_uri(uri: &str) -> Result<(String, String), HttpError> {
    let error = || HttpError::Uri(uri.chars().take(200).collect());
    let rest = uri.strip_prefix("http://").ok_or_else(error)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_plain = |byte: u8| byte.is_ascii_graphic();
    if authority.is_empty() || authority.contains('@') || !rest.bytes().all(is_plain) {
        return Err(error());
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    Ok((authority, if path.is_empty() { "/RPC2".to_owned() } else { path.to_owned() }))
}

/// Calls a method of a master or node.
pub(crate) async fn call(opt_in: &OptIn, uri: &str, call: &XmlCall) -> Result<XmlValue, HttpError> {
    let (authority, path) = split_uri(uri)?;
    let wrong = |reason: String| HttpError::Http { uri: uri.to_owned(), reason };
    let stream = opt_in.dial(&authority, PATIENCE).await?;
    let exchange = async {
        let http = |error: hyper::Error| wrong(error.to_string());
        let (mut sender, connection) = client::conn::http1::Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(http)?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(&path)
            .header(header::HOST, &authority)
            .header(header::CONTENT_TYPE, "text/xml")
            .header(header::USER_AGENT, "keyway")
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::from(write_call(call))))
            .map_err(|error| wrong(error.to_string()))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(http)?;
            if response.status() != StatusCode::OK {
                return Err(wrong(format!("HTTP status {}", response.status())));
            }
            let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
            Ok(body.map_err(|error| wrong(error.to_string()))?.to_bytes())
        };
        // The connection is driven here, so that nothing is left of it when this is given up.
        let mut connection = std::pin::pin!(connection);
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            ended = &mut connection => {
                ended.map_err(http)?;
                answer.await
            }
        }
    };
    let late = |_| wrong(format!("no answer within {PATIENCE:?}"));
    let body = timeout(PATIENCE, exchange).await.map_err(late)??;
    match read_response(&body) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(fault)) => Err(HttpError::Fault { uri: uri.to_owned(), fault }),
        Err(source) => Err(HttpError::Xml { uri: uri.to_owned(), source }),
    }
}

/// Answers the calls of others, for ever.
pub(crate) async fn serve<A>(listener: TcpListener, answer: A)
where
    A: Fn(XmlCall) -> Result<XmlValue, XmlFault> + Clone + Send + Sync + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // A permit that waits leaves newcomers in the system's own queue.
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let (stream, address) = accept(&listener).await;
        let answer = answer.clone();
        tokio::spawn(async move {
            if let Err(error) = serve_connection(stream, answer).await {
                tracing::debug!(%address, %error, "an XML-RPC connection ended");
            }
            drop(permit);
        });
    }
}

/// The next connection. What the system cannot give now, it may give later.
pub(crate) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted now");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

async fn serve_connection<A>(stream: TcpStream, answer: A) -> Result<(), hyper::Error>
where
    A: Fn(XmlCall) -> Result<XmlValue, XmlFault> + Clone,
{
    let respond = move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move { Ok::<_, std::convert::Infallible>(respond(request, answer).await) }
    };
    // Nagle's algorithm would hold answers back; a socket without it is only slower.
    let _ = stream.set_nodelay(true);
    server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .title_case_headers(true)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service_fn(respond))
        .await
}

async fn respond<A>(request: Request<Incoming>, answer: A) -> Response<Full<Bytes>>
where
    A: Fn(XmlCall) -> Result<XmlValue, XmlFault>,
{
    if request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "XML-RPC is asked by POST");
    }
    let body = match timeout(PATIENCE, Limited::new(request.into_body(), MAX_BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return plain(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string()),
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the request takes too long"),
    };
    let text = match read_call(&body) {
        Ok(call) => match answer(call) {
            Ok(value) => write_response(&value),
            Err(fault) => write_fault(&fault),
        },
        Err(error) => return plain(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/xml"));
    response
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        assert_eq!(split_uri("http://127.0.0.1:11311/").unwrap(), ("127.0.0.1:11311".into(), "/".into()));
        assert_eq!(split_uri("http://localhost").unwrap(), ("localhost:80".into(), "/RPC2".into()));
        assert_eq!(split_uri("http://[::1]:9/x").unwrap(), ("[::1]:9".into(), "/x".into()));
        for text in ["", "localhost:1", "https://a:1/", "http:///", "http://a@b:1/", "http://a b/", "http://a:1/\r\nx"]
        {
            assert!(split_uri(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_call_is_answered_or_fails() {
        let opt_in = OptIn::new(true, false).unwrap();
        let listener = opt_in.listen("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener, |call: XmlCall| match call.method.as_str() {
            "echo" => Ok(XmlValue::Array(call.params)),
            other => Err(XmlFault { code: -1, text: format!("{other}: unknown method name") }),
        }));
        let request = XmlCall { method: "echo".into(), params: vec![XmlValue::Int(1), XmlValue::text("<é>")] };
        assert_eq!(call(&opt_in, &uri, &request).await.unwrap(), XmlValue::Array(request.params));
        let unknown = XmlCall { method: "x".into(), params: vec![] };
        let error = call(&opt_in, &uri, &unknown).await.unwrap_err();
        assert!(matches!(error, HttpError::Fault { .. }) && error.to_string().contains("unknown method name"));
        server.abort();
    }
}
