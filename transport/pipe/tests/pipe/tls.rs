//! `tcps` and `tcpsm` (spec 11).

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use keyway_pipe::{
    Carrier, CertificateDer, HandshakeError, Listener, PeerAddress, QueueLimits, Sender, SocketOptions, TlsClient,
    TlsServer, connect_with, pipe,
};
use keyway_session::CloseReason;
use keyway_wire::{Frame, Url};
use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    certificates::{Authority, Pair, self_signed},
    peer::{Echo, Impatient, PATIENCE, Recorder, post},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_every_size_come_back_over_tls() {
    let authority = Authority::new("authority");
    let server = serving("tcps", &server(&authority.issue(&["127.0.0.1"]))).await;
    let carrier = connected(&server, &TlsClient::ca_pem(&authority.pem).unwrap()).await.unwrap();
    assert!(matches!(carrier.peer(), PeerAddress::Tls(address) if address.port() == server.port.unwrap()));
    assert!(carrier.peer().to_string().starts_with("tcps://127.0.0.1:"));
    echo(carrier).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_both_versions_are_served() {
    let authority = Authority::new("authority");
    let server = serving("tcps", &server(&authority.issue(&["127.0.0.1"]))).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (address, pem) = (address(&server), authority.pem.clone());
        let spoken = tokio::task::spawn_blocking(move || {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            // As libqi (spec 11.7).
            config.enable_sni = false;
            let mut tls = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            let mut stream = rustls::Stream::new(&mut tls, &mut socket);
            let frame = post(1, vec![7; 100_000]).to_bytes();
            stream.write_all(&frame).unwrap();
            let mut answer = vec![0; frame.len()];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(answer[28..], frame[28..]);
            tls.protocol_version().unwrap()
        });
        assert_eq!(spoken.await.unwrap(), version.version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_believed_for_its_authority_its_name_and_its_dates() {
    let authority = Authority::new("authority");
    let trusting = TlsClient::ca_pem(&authority.pem).unwrap();
    let other = TlsClient::ca_pem(&Authority::new("another").pem).unwrap();

    let good = serving("tcps", &server(&authority.issue(&["127.0.0.1", "robot.local"]))).await;
    assert!(connected(&good, &trusting).await.is_ok());
    assert!(connected(&good, &trusting.clone().server_name("robot.local").unwrap()).await.is_ok());
    let text = not_trusted(connected(&good, &trusting.clone().server_name("pepper.local").unwrap()).await);
    assert!(text.contains("it is for another name"), "{text}");
    let text = not_trusted(connected(&good, &other).await);
    assert_eq!(
        text,
        "the certificate of 127.0.0.1 is not trusted: nobody who is trusted has issued it; \
         use --ca, --pin or --insecure-skip-verify"
    );

    let elsewhere = serving("tcps", &server(&authority.issue(&["10.1.2.3"]))).await;
    let text = not_trusted(connected(&elsewhere, &trusting).await);
    assert!(text.contains("it is for another name"), "{text}");
    let expired = authority.issue_expired(&["127.0.0.1"]);
    let late = serving("tcps", &server(&expired)).await;
    let text = not_trusted(connected(&late, &trusting).await);
    assert!(text.contains("it has expired"), "{text}");
    // Trusting the certificate itself does not make it younger.
    let text = not_trusted(connected(&late, &TlsClient::ca_pem(&expired.certificate).unwrap()).await);
    assert!(text.contains("it has expired"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_its_own_authority() {
    let authority = Authority::new("authority");
    for pair in [self_signed(&["127.0.0.1"]), authority.issue(&["127.0.0.1"])] {
        let server = serving("tcps", &server(&pair)).await;
        let client = TlsClient::ca_pem(&pair.certificate).unwrap();
        echo(connected(&server, &client).await.unwrap()).await;
        let text = not_trusted(connected(&server, &client.server_name("robot.local").unwrap()).await);
        assert!(text.contains("it is for another name"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_certificate_is_believed_whatever_it_says_and_no_other_is() {
    let robot = Authority::new("authority").issue_expired(&["pepper.local"]);
    let impostor = Authority::new("authority").issue(&["127.0.0.1"]);
    let pinned = TlsClient::pin_pem(&robot.certificate).unwrap();
    echo(connected(&serving("tcps", &server(&robot)).await, &pinned).await.unwrap()).await;
    let impostor = serving("tcps", &server(&impostor)).await;
    let text = not_trusted(connected(&impostor, &pinned).await);
    assert!(text.contains("it is not the pinned one"), "{text}");
    let nobody = TlsClient::pin_sha256(&"00".repeat(32)).unwrap();
    not_trusted(connected(&impostor, &nobody).await);
    echo(connected(&impostor, &TlsClient::dangerous_skip_verification().unwrap()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcpsm_lets_in_clients_with_a_trusted_certificate_only() {
    let authority = Authority::new("authority");
    let (pinned, stranger) = (self_signed(&["client"]), Authority::new("another").issue(&["client"]));
    let trusted = [&authority.pem[..], &pinned.certificate[..]].concat();
    let settings = server(&authority.issue(&["127.0.0.1"])).client_ca_pem(&trusted).unwrap();
    let server = serving("tcpsm", &settings).await;
    let trusting = TlsClient::ca_pem(&authority.pem).unwrap();
    for pair in [&authority.issue(&["client"]), &pinned] {
        let client = trusting.clone().certificate_pem(&pair.certificate, &pair.key).unwrap();
        echo(connected(&server, &client).await.unwrap()).await;
    }
    // Known before anything is sent.
    let error = connected(&server, &trusting).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("lets in clients with a certificate only"), "{error}");
    // A client of tcps does not know.
    let as_tcps = Url { scheme: Some("tcps".to_owned()), ..server.clone() };
    refused(connected(&as_tcps, &trusting).await).await;
    let expired = authority.issue_expired(&["client"]);
    for pair in [&stranger, &expired] {
        refused(connected(&server, &trusting.clone().certificate_pem(&pair.certificate, &pair.key).unwrap()).await)
            .await;
    }
    // A certificate is shown to whom asks for it, and nobody else.
    let open = serving("tcps", &settings).await;
    echo(connected(&open, &trusting).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_s_certificate_is_known_once_the_handshake_is_done() {
    let authority = Authority::new("authority");
    let settings = server(&authority.issue(&["127.0.0.1"])).client_ca_pem(&authority.pem).unwrap();
    let Pair { certificate, key } = authority.issue(&["client"]);
    let client = TlsClient::ca_pem(&authority.pem).unwrap().certificate_pem(&certificate, &key).unwrap();
    let certificate = CertificateDer::from_pem_slice(&certificate).unwrap();
    for (scheme, shown) in [("tcpsm", &[certificate][..]), ("tcps", &[])] {
        let url = Url::parse(&format!("{scheme}://127.0.0.1:0"));
        let listener = Listener::bind_with(&url, &SocketOptions::default(), Some(&settings)).await.unwrap();
        let accepting = async {
            let (sender, driver) = pipe(listener.accept().await, QueueLimits::default());
            assert!(sender.peer_certificates().is_empty());
            let (recorder, record) = Recorder::new();
            tokio::spawn(driver.run(recorder));
            (sender, record)
        };
        let (carrier, (sender, mut record)) = tokio::join!(connected(listener.local_url(), &client), accepting);
        let (client, driver) = pipe(carrier.unwrap(), QueueLimits::default());
        tokio::spawn(driver.run(Recorder::new().0));
        send(&client, post(1, vec![]));
        record.frame().await;
        assert_eq!(sender.peer_certificates(), shown, "{scheme}");
    }
}

#[tokio::test]
async fn a_url_of_tls_wants_settings() {
    let options = SocketOptions::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = server(&self_signed(&["127.0.0.1"]));
    for scheme in ["tcps", "tcpsm"] {
        let url = Url::parse(&format!("{scheme}://{}", listener.local_addr().unwrap()));
        let error = connect_with(&url, &options, None).await.unwrap_err().to_string();
        assert!(["--ca", "--pin", "--insecure-skip-verify"].iter().all(|way| error.contains(way)), "{error}");
        let url = Url::parse(&format!("{scheme}://127.0.0.1:0"));
        let error = Listener::bind(&url, &options).await.unwrap_err();
        assert_eq!(error.to_string(), "SSL certificates/key missing, the SSL configuration is incomplete");
        // A certificate is not enough for tcpsm.
        assert_eq!(Listener::bind_with(&url, &options, Some(&settings)).await.is_ok(), scheme == "tcps");
    }
    // Nobody has come.
    assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err());
    assert!(TlsClient::ca_pem(b"no certificate").is_err());
    assert!(TlsClient::pin_sha256("beef").is_err());
    let pair = self_signed(&["robot"]);
    assert!(TlsServer::from_pem(&pair.certificate, b"no key").is_err());
    let other = self_signed(&["robot"]);
    assert!(TlsServer::from_pem(&pair.certificate, &other.key).is_err(), "the key of another certificate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_tls_on_a_port_with_tls_is_hung_up_on() {
    let server = serving("tcps", &server(&self_signed(&["127.0.0.1"]))).await;
    let mut raw = TcpStream::connect(address(&server)).await.unwrap();
    raw.write_all(&post(1, vec![1; 100]).to_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, raw.read_to_end(&mut answer)).await.expect("it hangs up");
    // An alert, and nothing of QiMessaging (spec 11.6).
    assert!(answer.is_empty() || answer[..2] == [0x15, 0x03], "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_tls_on_a_port_without_is_told() {
    let options = SocketOptions::default();
    let listener = Listener::bind(&Url::parse("tcp://127.0.0.1:0"), &options).await.unwrap();
    let url = Url { scheme: Some("tcps".to_owned()), ..listener.local_url().clone() };
    tokio::spawn(accepting(listener));
    let error = connected(&url, &TlsClient::dangerous_skip_verification().unwrap()).await.unwrap_err();
    assert!(error.to_string().starts_with("127.0.0.1 does not speak TLS on this port"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_is_never_ended_is_cut_off_by_the_handler_s_time() {
    let options = SocketOptions::default();
    let settings = server(&self_signed(&["127.0.0.1"]));
    let url = Url::parse("tcps://127.0.0.1:0");
    let listener = Listener::bind_with(&url, &options, Some(&settings)).await.unwrap();
    // The beginning of a client hello.
    for beginning in [&b""[..], &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]] {
        let mut raw = TcpStream::connect(listener.local_address().unwrap()).await.unwrap();
        raw.write_all(beginning).await.unwrap();
        let (handler, mut record) = Recorder::new();
        let (_sender, driver) = pipe(listener.accept().await, QueueLimits::default());
        tokio::spawn(driver.run(Impatient { recorder: handler, at: Instant::now() + Duration::from_millis(100) }));
        record.closed().await;
        let _ = timeout(PATIENCE, raw.read_to_end(&mut Vec::new())).await.expect("it hangs up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_without_end_is_cut_off_by_its_size() {
    let server = serving("tcps", &server(&self_signed(&["127.0.0.1"]))).await;
    let mut raw = TcpStream::connect(address(&server)).await.unwrap();
    // A hello of 16 MiB, in records of 4 KiB.
    let mut record = vec![0x16, 0x03, 0x01, 0x10, 0x00, 0x01, 0xff, 0xff, 0xff];
    record.resize(5 + 4096, 0);
    let mut sent = 0;
    while sent < 1 << 24 && raw.write_all(&record).await.is_ok() {
        sent += record.len();
        record[5..9].fill(0);
        tokio::task::yield_now().await;
    }
    assert!(sent < 1 << 24, "{sent} bytes were taken");
}

/// Connections to `scheme://127.0.0.1`, each with an echo at its end.
async fn serving(scheme: &str, settings: &TlsServer) -> Url {
    let url = Url::parse(&format!("{scheme}://127.0.0.1:0"));
    let listener = Listener::bind_with(&url, &SocketOptions::default(), Some(settings)).await.unwrap();
    let url = listener.local_url().clone();
    assert_eq!(listener.endpoints().unwrap(), std::slice::from_ref(&url));
    assert!(url.to_string().starts_with(&format!("{scheme}://127.0.0.1:")));
    tokio::spawn(accepting(listener));
    url
}

async fn accepting(listener: Listener) {
    loop {
        let (_, driver) = pipe(listener.accept().await, QueueLimits::default());
        tokio::spawn(driver.run(Echo));
    }
}

fn server(pair: &Pair) -> TlsServer {
    TlsServer::from_pem(&pair.certificate, &pair.key).unwrap()
}

fn address(url: &Url) -> SocketAddr {
    format!("127.0.0.1:{}", url.port.unwrap()).parse().unwrap()
}

async fn connected(url: &Url, settings: &TlsClient) -> io::Result<Arc<dyn Carrier>> {
    timeout(PATIENCE, connect_with(url, &SocketOptions::default(), Some(settings))).await.expect("no hang")
}

/// Sends frames small and large and gets them back in order.
async fn echo(carrier: Arc<dyn Carrier>) {
    let (handler, mut record) = Recorder::new();
    let (sender, driver) = pipe(carrier, QueueLimits::default());
    tokio::spawn(driver.run(handler));
    let sizes = [0, 1, 27, 16_384, 65_536, 1_000_000, 3, 10_000_000, 0];
    for (id, size) in (1..).zip(sizes) {
        send(&sender, post(id, vec![id as u8; size]));
    }
    for (id, size) in (1..).zip(sizes) {
        let frame = record.frame().await;
        assert_eq!((frame.header.id.0, frame.payload.len()), (id, size));
        assert!(frame.payload.into_bytes().iter().all(|byte| *byte == id as u8));
    }
    sender.close(CloseReason::Local);
    assert!(matches!(record.closed().await, CloseReason::Local));
}

fn send(sender: &Sender, frame: Frame) {
    sender.send(frame).unwrap();
}

/// The text of the failure to connect for the server's certificate's sake.
fn not_trusted(outcome: io::Result<Arc<dyn Carrier>>) -> String {
    let error = outcome.unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<HandshakeError>());
    assert!(matches!(inner, Some(HandshakeError::NotTrusted { .. })), "{error:?}");
    error.to_string()
}

/// With TLS 1.3 the client hears of its refusal when it reads.
async fn refused(outcome: io::Result<Arc<dyn Carrier>>) {
    if let Ok(carrier) = outcome {
        let (handler, mut record) = Recorder::new();
        let (sender, driver) = pipe(carrier, QueueLimits::default());
        tokio::spawn(driver.run(handler));
        let _ = sender.send(post(1, vec![]));
        let reason = record.closed().await;
        assert!(matches!(reason, CloseReason::Io(_) | CloseReason::Remote), "{reason:?}");
    }
}
