//! Sessions, services and signals over `tcps` and `tcpsm` (spec 11).

use std::time::{Duration, Instant};

use keyway::{Directory, Error, HandshakeError, Object, ObjectBuilder, Session, Signal, TlsClient, TlsServer};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Certificate and key, PEM.
fn certificate(name: &str) -> (Vec<u8>, Vec<u8>) {
    let CertifiedKey::<KeyPair> { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    (cert.pem().into_bytes(), signing_key.serialize_pem().into_bytes())
}

fn robot() -> (TlsServer, TlsClient) {
    let (pem, key) = certificate("127.0.0.1");
    (TlsServer::from_pem(&pem, &key).unwrap(), TlsClient::ca_pem(&pem).unwrap())
}

async fn directory(scheme: &str, server: TlsServer) -> (Directory, String) {
    let directory = Directory::builder().listen(format!("{scheme}://127.0.0.1:0")).tls(server).start().await.unwrap();
    let url = directory.urls().remove(0);
    assert!(url.starts_with(&format!("{scheme}://127.0.0.1:")) && !url.ends_with(":0"), "{url}");
    (directory, url)
}

fn doubling(signal: &Signal<(i32,)>) -> ObjectBuilder {
    let mut builder = Object::builder();
    builder.method("twice", |(n,): (i32,)| 2 * n);
    builder.method("echo", |(text,): (String,)| text);
    builder.signal("changed", signal);
    builder
}

/// A call, a large call and a signal.
async fn use_service(client: &Session, changed: &Signal<(i32,)>) {
    let service = client.service("Doubling").await.unwrap();
    assert_eq!(service.call::<i32>("twice", (21,)).await.unwrap(), 42);
    let text = "keyway ".repeat(300_000);
    assert_eq!(service.call::<String>("echo", (text.clone(),)).await.unwrap(), text);
    let mut events = service.signal::<(i32,)>("changed").await.unwrap();
    for n in 0..100 {
        changed.emit(&(n,));
    }
    for n in 0..100 {
        assert_eq!(timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap(), (n,));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_and_signals_work_over_tcps() {
    let (server, client) = robot();
    let (_directory, url) = directory("tcps", server.clone()).await;
    let host = Session::builder().tls(client.clone()).listener_tls(server).connect(&url).await.unwrap();
    let endpoints = host.listen("tcps://127.0.0.1:0").await.unwrap();
    assert!(endpoints.iter().all(|endpoint| endpoint.starts_with("tcps://")), "{endpoints:?}");
    let changed = Signal::new();
    host.register("Doubling", doubling(&changed)).await.unwrap();
    let session = Session::builder().tls(client).connect(&url).await.unwrap();
    use_service(&session, &changed).await;
    assert_eq!(
        session.service("ServiceDirectory").await.unwrap().call::<String>("machineId", ()).await.unwrap().len(),
        36
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_and_signals_work_over_tcpsm_with_a_certificate_and_not_without() {
    let (client_pem, client_key) = certificate("client");
    let (server, trusting) = robot();
    let server = server.client_ca_pem(&client_pem).unwrap();
    let (_directory, url) = directory("tcpsm", server).await;
    let client = trusting.clone().certificate_pem(&client_pem, &client_key).unwrap();
    let host = Session::builder().tls(client.clone()).without_listener().connect(&url).await.unwrap();
    let changed = Signal::new();
    host.register("Doubling", doubling(&changed)).await.unwrap();
    let session = Session::builder().tls(client).connect(&url).await.unwrap();
    use_service(&session, &changed).await;

    let error = Session::builder().tls(trusting.clone()).connect(&url).await.unwrap_err();
    assert!(matches!(error, Error::TlsSettings(_)), "{error:?}");
    let (stranger, key) = certificate("client");
    let strange = trusting.certificate_pem(&stranger, &key).unwrap();
    let begun = Instant::now();
    Session::builder().tls(strange).connect(&url).await.unwrap_err();
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_trusted_gets_nothing() {
    let (server, _) = robot();
    let (_, other) = robot();
    let (_directory, url) = directory("tcps", server).await;
    let error = Session::builder().tls(other).credentials("nao", "secret").connect(&url).await.unwrap_err();
    let Error::Tls { source: HandshakeError::NotTrusted { .. }, .. } = &error else { panic!("{error:?}") };
    let expected = format!("cannot connect to {url}: the certificate of 127.0.0.1 is not trusted: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    let anybody = TlsClient::dangerous_skip_verification().unwrap();
    assert!(Session::builder().tls(anybody).connect(&url).await.unwrap().is_connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_has_endpoints_of_tls_only_is_not_reached_without_settings() {
    let (server, client) = robot();
    let directory = Directory::builder().start().await.unwrap();
    let url = directory.urls().remove(0);
    let host = Session::builder().listener_tls(server).connect(&url).await.unwrap();
    host.listen("tcps://127.0.0.1:0").await.unwrap();
    let changed = Signal::new();
    host.register("Doubling", doubling(&changed)).await.unwrap();
    let error = Session::connect(&url).await.unwrap().service("Doubling").await.unwrap_err();
    assert_eq!(error.to_string(), "No reachable endpoint was found for this service.");
    // What TLS settings are for: the directory is reached without.
    use_service(&Session::builder().tls(client).connect(&url).await.unwrap(), &changed).await;
}

#[tokio::test]
async fn listening_wants_a_certificate() {
    let (server, _) = robot();
    for (scheme, settings) in [("tcps", None), ("tcpsm", None), ("tcpsm", Some(server))] {
        let mut builder = Directory::builder().listen(format!("{scheme}://127.0.0.1:0"));
        if let Some(settings) = settings {
            builder = builder.tls(settings);
        }
        let error = builder.start().await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("SSL certificates/key missing, the SSL configuration is incomplete"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_end_the_handshake_is_cut_off() {
    let (server, _) = robot();
    let builder = Directory::builder().listen("tcps://127.0.0.1:0").tls(server);
    let directory = builder.authentication_timeout(Duration::from_millis(200)).start().await.unwrap();
    let url = directory.urls().remove(0);
    let mut raw = TcpStream::connect(url.trim_start_matches("tcps://")).await.unwrap();
    let _ = timeout(PATIENCE, raw.read_to_end(&mut Vec::new())).await.expect("it is hung up on");
}

#[tokio::test]
async fn a_server_that_never_ends_the_handshake_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcps://{}", listener.local_addr().unwrap());
    let builder = Session::builder().tls(TlsClient::dangerous_skip_verification().unwrap());
    let error = builder.connect_timeout(Duration::from_millis(200)).connect(&url).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
}
