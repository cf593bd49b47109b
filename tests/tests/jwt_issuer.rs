//! JWTs whose keys the gateway fetches from their issuer: a real one on loopback, which changes its keys and goes away.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keyway::Session;
use keyway_tests::{
    gateway::Gateway,
    process::{Keyway, Running},
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::AbortHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring::default_provider, pki_types::PrivateKeyDer},
};

/// A key and its id.
struct Signer {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id, pair: Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap() }
    }

    fn token(&self, issuer: &str) -> String {
        let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
        let header = part(json!({"alg": "EdDSA", "kid": self.id}));
        let claims = json!({"iss": issuer, "aud": "keyway", "sub": "eva", "exp": expires, "groups": ["operators"]});
        let signed = format!("{header}.{}", part(claims));
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes())))
    }

    fn published(&self) -> String {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": x}]}).to_string()
    }
}

/// An issuer that answers until it is dropped.
struct Published {
    url: String,
    keys: Arc<Mutex<String>>,
    /// How often its keys were fetched.
    fetched: Arc<AtomicUsize>,
    serving: AbortHandle,
}

impl Published {
    async fn start(listener: TcpListener, tls: Option<TlsAcceptor>, signer: &Signer) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/lab", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(signer.published()));
        let fetched = Arc::new(AtomicUsize::new(0));
        let (issuer, published, count) = (url.clone(), keys.clone(), fetched.clone());
        let serve = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = |path: &str| match path {
                    "/lab/.well-known/openid-configuration" => {
                        Some(json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}).to_string())
                    }
                    "/lab/keys" => {
                        count.fetch_add(1, Ordering::Relaxed);
                        Some(published.lock().unwrap().clone())
                    }
                    _ => None,
                };
                // A client that hangs up is none of ours.
                let _ = match &tls {
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => talk(stream, answer).await,
                        Err(error) => Err(error),
                    },
                    None => talk(stream, answer).await,
                };
            }
        };
        Self { url, keys, fetched, serving: tokio::spawn(serve).abort_handle() }
    }

    fn publish(&self, signer: &Signer) {
        *self.keys.lock().unwrap() = signer.published();
    }

    fn fetched(&self) -> usize {
        self.fetched.load(Ordering::Relaxed)
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One request and its answer.
async fn talk<S>(mut stream: S, answer: impl Fn(&str) -> Option<String>) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request);
    let (status, body) = match answer(request.split(' ').nth(1).unwrap_or_default()) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

fn config(issuer: &str, more: &str) -> String {
    format!(
        "[jwt]\nissuer = '{issuer}'\naudience = 'keyway'\n{more}\n\
         [[jwt.role]]\nclaim = 'groups'\nvalue = 'operators'\nrole = 'admin'\n"
    )
}

async fn enter(gateway: &Running, token: &str) -> Result<(), String> {
    let session = Session::builder().credentials("eva", token).connect(&gateway.url).await;
    session.map(drop).map_err(|error| error.to_string())
}

/// Tries until the gateway has fetched the key; every refusal before says that this is what is missing.
async fn eventually_enter(gateway: &Running, token: &str) {
    let trying = async {
        while let Err(error) = enter(gateway, token).await {
            assert!(error.contains("KW-A008"), "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let entered = tokio::time::timeout(Duration::from_secs(60), trying).await;
    assert!(entered.is_ok(), "the key was never fetched: {}", gateway.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_when_the_issuer_comes_replaced_when_it_changes_them_and_kept_when_it_goes() {
    let directory = Keyway::directory(&[]);
    let (first, second, third) = (Signer::new("first"), Signer::new("second"), Signer::new("third"));
    // The issuer comes later, at this address.
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let url = format!("http://{address}/lab");
    let gateway = Gateway::start(&directory.url, &config(&url, ""), &[]);
    let gateway = &gateway.process;
    for _ in 0..10 {
        let refused = enter(gateway, &first.token(&url)).await.unwrap_err();
        assert!(refused.contains("KW-A008"), "{refused}");
    }
    let issuer = Published::start(TcpListener::bind(address).await.unwrap(), None, &first).await;
    eventually_enter(gateway, &first.token(&url)).await;

    issuer.publish(&second);
    eventually_enter(gateway, &second.token(&url)).await;
    let fetched = issuer.fetched();
    let replaced = enter(gateway, &first.token(&url)).await.unwrap_err();
    assert!(replaced.contains("KW-A008"), "{replaced}");
    for _ in 0..20 {
        let unknown = enter(gateway, &third.token(&url)).await.unwrap_err();
        assert!(unknown.contains("KW-A008"), "{unknown}");
    }
    assert_eq!(issuer.fetched(), fetched, "tokens of strangers make the gateway ask once a minute");

    drop(issuer);
    enter(gateway, &second.token(&url)).await.unwrap();
    let forged = second.token(&url).replacen('.', ".e30", 1);
    assert!(enter(gateway, &forged).await.unwrap_err().contains("KW-A005"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_looked_at_at_an_interval_and_a_reload_keeps_them() {
    let directory = Keyway::directory(&[]);
    let (first, second) = (Signer::new("first"), Signer::new("second"));
    let issuer = Published::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), None, &first).await;
    let config = config(&issuer.url, "refresh = 1\n");
    let gateway = Gateway::start(&directory.url, &config, &["--log", "info"]);
    eventually_enter(&gateway.process, &first.token(&issuer.url)).await;
    // Nobody asks for it by a token.
    issuer.publish(&second);
    let before = issuer.fetched();
    let looking = async {
        while issuer.fetched() < before + 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.unwrap();
    enter(&gateway.process, &second.token(&issuer.url)).await.unwrap();

    let url = issuer.url.clone();
    drop(issuer);
    gateway.configure(&format!("{config}\n[limits]\ncalls_in_flight = 7\n"));
    gateway.process.signal("HUP");
    let reloaded = async {
        while !gateway.process.said().contains("the configuration was reloaded") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reloaded).await.unwrap();
    enter(&gateway.process, &second.token(&url)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_by_https_is_believed_by_its_certificate_only() {
    let directory = Keyway::directory(&[]);
    let signer = Signer::new("first");
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = Published::start(listener, Some(TlsAcceptor::from(Arc::new(tls))), &signer).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("issuer.pem");
    std::fs::write(&ca, cert.pem()).unwrap();

    let known = Gateway::start(&directory.url, &config(&issuer.url, &format!("ca = '{}'", ca.display())), &[]);
    eventually_enter(&known.process, &signer.token(&issuer.url)).await;

    let fetched = issuer.fetched();
    let unknown = Gateway::start(&directory.url, &config(&issuer.url, ""), &[]);
    let refused = async {
        while !unknown.process.said().contains("cannot be fetched") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.unwrap();
    assert!(enter(&unknown.process, &signer.token(&issuer.url)).await.unwrap_err().contains("KW-A008"));
    assert_eq!(issuer.fetched(), fetched);
}
