//! Clients that are known by their certificate, over https.

mod world;

use std::sync::Arc;

use keyway::TlsServer;
use keyway_auth::{AuthConfig, Authenticator};
use keyway_door_http::{Door, DoorSettings};
use keyway_gateway::Rules;
use keyway_policy::Policy;
use rcgen::{CertificateParams, CertifiedKey, DnType, KeyPair, generate_simple_self_signed};
use serde_json::json;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring::default_provider,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use world::{POLICY, World, answer, rules};

/// A client's certificate and key; it is its own issuer.
fn known_as(name: &str) -> (rcgen::Certificate, KeyPair) {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    (parameters.self_signed(&key).unwrap(), key)
}

/// An HTTP client that shows one of them, or nothing.
fn client(server: &rcgen::Certificate, shown: Option<&(rcgen::Certificate, KeyPair)>) -> reqwest::Client {
    let mut roots = RootCertStore::empty();
    roots.add(server.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let tls = match shown {
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    reqwest::Client::builder().use_preconfigured_tls(tls).no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_certificate_gives_a_role_to_whom_says_nothing_else() {
    let policy = Policy::parse("policy.toml", POLICY).unwrap();
    let users = AuthConfig::parse(
        "auth.toml",
        "[[certificate]]\nsubject = 'CN=arm-*'\nrole = 'speaker'\n\
         [[user]]\nname = 'admin'\nrole = 'admin'\n\
         token_hash = '8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918'\n",
        &policy,
    );
    let (arm, stranger, unknown) = (known_as("arm-1"), known_as("tablet"), known_as("arm-2"));
    let CertifiedKey { cert: server, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let tls = TlsServer::from_pem(server.pem().as_bytes(), signing_key.serialize_pem().as_bytes()).unwrap();
    let tls = tls.client_ca_pem(format!("{}{}", arm.0.pem(), stranger.0.pem()).as_bytes()).unwrap();
    let world = World::with(rules(false), DoorSettings::default()).await;
    world.gateway.reload(Rules { authenticator: Authenticator::new(users.unwrap()), ..rules(false) });
    let settings =
        DoorSettings { urls: vec!["https://127.0.0.1:0".to_owned()], tls: Some(tls), ..DoorSettings::default() };
    let door = Door::open(&world.gateway, settings).await.unwrap();
    let services = |shown| client(&server, shown).get(format!("{}/v1/services", door.urls()[0]));

    let speaker = (200, json!(["ALTextToSpeech"]));
    assert_eq!(answer(services(Some(&arm))).await, speaker);
    // A token counts before the certificate.
    let admin = (200, json!(["ALTextToSpeech", "Meter"]));
    assert_eq!(answer(services(Some(&arm)).bearer_auth("admin")).await, admin);
    assert_eq!(answer(services(Some(&arm)).bearer_auth("wrong")).await.0, 401);
    let (status, problem) = answer(services(Some(&stranger))).await;
    assert_eq!((status, &problem["code"]), (401, &json!("KW-A004")));
    let (status, problem) = answer(services(None)).await;
    assert_eq!((status, &problem["code"]), (401, &json!("KW-A003")));
    assert_eq!(answer(services(None).bearer_auth("admin")).await, admin);
    assert!(services(Some(&unknown)).send().await.is_err(), "nobody who is believed has issued it");
}
