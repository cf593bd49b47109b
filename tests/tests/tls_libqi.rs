//! `tcps` with the real libqi, which speaks TLS 1.2 without SNI and verifies nothing (spec 11).

use keyway::{Directory, Object, Session, Signal, TlsClient, TlsServer};
use keyway_tests::libqi::{Peer, peer_python};
use rcgen::generate_simple_self_signed;

struct Stage {
    directory: Directory,
    url: String,
    client: TlsClient,
}

async fn stage() -> Stage {
    // libqi is content with any name.
    let pair = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (pem, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let server = TlsServer::from_pem(pem.as_bytes(), key.as_bytes()).unwrap();
    let directory = Directory::builder().listen("tcps://127.0.0.1:0").tls(server).start().await.unwrap();
    let url = directory.urls().remove(0);
    Stage { directory, url, client: TlsClient::ca_pem(pem.as_bytes()).unwrap() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_libqi_client_uses_a_service_over_tcps() {
    let Some(python) = peer_python() else { return };
    let stage = stage().await;
    let mut builder = Object::builder();
    let changed = Signal::<(i32,)>::new();
    builder.method("twice", |(n,): (i32,)| 2 * n);
    builder.method("echo", |(text,): (String,)| text);
    builder.signal("changed", &changed);
    builder.method("change", move |(n,): (i32,)| changed.emit(&(n,)));
    stage.directory.session().register("Doubling", builder).await.unwrap();
    let peer = Peer::start(&python, "libqi_client.py", &["Doubling", &stage.url]).await;
    let got: serde_json::Value = serde_json::from_str(peer.url()).unwrap();
    let expected = serde_json::json!({
        "twice": 42, "echo": true, "heard": [1, 2, 3], "services": ["ServiceDirectory", "Doubling"],
    });
    assert_eq!(got, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_libqi_service_registers_over_tcps() {
    let Some(python) = peer_python() else { return };
    let stage = stage().await;
    let _peer = Peer::start(&python, "libqi_service.py", &["Peer", &stage.url]).await;
    let session = Session::builder().tls(stage.client).connect(&stage.url).await.unwrap();
    let service = session.wait_for_service("Peer").await.unwrap();
    assert_eq!(service.call::<i32>("add", (40, 2)).await.unwrap(), 42);
}
