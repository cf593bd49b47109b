//! Clients of the gateway that are known by their certificate.

use std::{fs, path::Path, process::Command, time::Duration};

use keyway::{Directory, Error, Object, Session, SessionBuilder, TlsClient};
use keyway_tests::{
    libqi::{Peer, peer_python},
    process::{Keyway, Running},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN: &str = "the token of the tests";
/// Its SHA-256.
const TOKEN_HASH: &str = "52364ea863f87c86ba686d517b411e4f0b4a473c8c80b246057ed02526f3bd82";

/// A directory with a service, and what a gateway in front of it needs.
struct Stage {
    folder: TempDir,
    directory: Directory,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::builder().start().await.unwrap();
        let mut builder = Object::builder();
        builder.method("say", |(text,): (String,)| format!("said {text}"));
        builder.method("forget", |(text,): (String,)| format!("forgot {text}"));
        directory.session().register("Robot", builder).await.unwrap();

        let authority = KeyPair::generate().unwrap();
        let mut parameters = parameters("authority", &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        fs::write(folder.path().join("ca.pem"), parameters.self_signed(&authority).unwrap().pem()).unwrap();
        let issuer = Issuer::new(parameters, authority);
        issue(folder.path(), &issuer, "server", &["127.0.0.1"]);
        issue(folder.path(), &issuer, "arm-1", &[]);
        issue(folder.path(), &issuer, "tablet", &["Tablet.lab.example"]);
        // Is *called* what others are.
        issue(folder.path(), &issuer, "arm-2,O=Lab", &["tablet.elsewhere.example"]);
        Self { folder, directory }
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    /// A gateway whose only listener is this one.
    fn gateway(&self, scheme: &str, more: &str) -> Running {
        let text = format!(
            "[[listen]]\nurl = '{scheme}://127.0.0.1:0'\ncert = 'server.pem'\nkey = 'server.key'\nclient_ca = 'ca.pem'\n\
             [[directory]]\nurl = '{}'\n\
             [[certificate]]\nsubject = 'CN=arm-*,O=Lab'\nrole = 'speaker'\n\
             [[certificate]]\nsan = '*.lab.example'\nrole = 'speaker'\n\
             [[role]]\nname = 'speaker'\n\
             [[rule]]\nrole = 'speaker'\nservice = 'Robot'\nallow = ['say', 'forget']\n\
             when = ['forget: #0 == \"nothing\"']\n{more}",
            self.directory.urls()[0]
        );
        fs::write(self.folder.path().join("keyway.toml"), text).unwrap();
        let mut command = Command::new(Keyway::program());
        Running::start(command.env("RUST_LOG", "info").args(["gateway", "--config", &self.path("keyway.toml")]))
    }

    /// A client of the SDK, with one of the certificates.
    fn client(&self, certificate: Option<&str>) -> SessionBuilder {
        let mut tls = TlsClient::ca_file(self.path("ca.pem")).unwrap();
        if let Some(name) = certificate {
            let (chain, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
            tls = tls.certificate_files(chain, key).unwrap();
        }
        Session::builder().tls(tls)
    }

    /// What comes of a real libqi client's calls; it has one of the certificates.
    async fn libqi(&self, python: &str, certificate: &str, url: &str) -> Value {
        let [chain, key] = ["pem", "key"].map(|extension| self.path(&format!("{certificate}.{extension}")));
        let (shim, ca) = (self.path("show_certificate.so"), self.path("ca.pem"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/show_certificate.c");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o", &shim]).arg(source).arg("-ldl").status();
        assert!(compiled.unwrap().success());
        let arguments = [&*shim, &*chain, &*key, &*ca, url, "Robot", "say", "forget"];
        let peer = Peer::start(python, "libqi_caller.py", &arguments).await;
        serde_json::from_str(peer.url()).unwrap()
    }
}

/// A certificate and its key, as files.
fn issue(folder: &Path, issuer: &Issuer<'_, KeyPair>, name: &str, sans: &[&str]) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = parameters(name, sans);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    fs::write(folder.join(format!("{name}.pem")), parameters.signed_by(&key, issuer).unwrap().pem()).unwrap();
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn parameters(name: &str, sans: &[&str]) -> CertificateParams {
    let sans: Vec<_> = sans.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(sans).unwrap();
    parameters.distinguished_name = DistinguishedName::new();
    if !name.contains("O=") {
        parameters.distinguished_name.push(DnType::OrganizationName, "Lab");
    }
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

async fn connect(builder: SessionBuilder, url: &str) -> keyway::Result<Session> {
    timeout(PATIENCE, builder.connect(url)).await.unwrap()
}

/// What comes of calling a method.
async fn call(session: &Session, method: &str) -> keyway::Result<String> {
    let robot = timeout(PATIENCE, session.wait_for_service("Robot")).await.unwrap()?;
    timeout(PATIENCE, robot.call::<String>(method, ("x",))).await.unwrap()
}

fn refused_with(outcome: keyway::Result<Session>, code: &str) {
    let error = outcome.unwrap_err();
    let is_so =
        matches!(&error, Error::Closed(text) if text.starts_with("Authentication failed") && text.contains(code));
    assert!(is_so, "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_gives_its_owner_a_role_and_no_more() {
    let stage = Stage::new().await;
    for scheme in ["tcpsm", "quic"] {
        let gateway = stage.gateway(scheme, "");
        for name in ["arm-1", "tablet"] {
            let session = connect(stage.client(Some(name)), &gateway.url).await.unwrap();
            assert_eq!(call(&session, "say").await.unwrap(), "said x", "{scheme} {name}");
            let error = call(&session, "forget").await.unwrap_err().to_string();
            assert!(error.contains("KW-P003"), "{scheme} {name}: {error}");
        }
        refused_with(connect(stage.client(Some("arm-2,O=Lab")), &gateway.url).await, "KW-A004");
        if scheme == "quic" {
            refused_with(connect(stage.client(None), &gateway.url).await, "KW-A003");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_and_token_count_before_the_certificate() {
    let stage = Stage::new().await;
    for scheme in ["tcpsm", "quic"] {
        let user = format!("[[user]]\nname = 'nao'\nrole = 'admin'\ntoken_hash = '{TOKEN_HASH}'\n");
        let gateway = stage.gateway(scheme, &user);
        let client = |token: &str| stage.client(Some("tablet")).credentials("nao", token);
        let session = connect(client(TOKEN), &gateway.url).await.unwrap();
        assert_eq!(call(&session, "forget").await.unwrap(), "forgot x");
        refused_with(connect(client("guessed"), &gateway.url).await, "KW-A001");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_anonymous_elsewhere_is_not_by_a_certificate_without_a_role() {
    let stage = Stage::new().await;
    let gateway = stage.gateway("quic", "[anonymous]\nrole = 'admin'\n");
    refused_with(connect(stage.client(Some("arm-2,O=Lab")), &gateway.url).await, "KW-A004");
    let session = connect(stage.client(None), &gateway.url).await.unwrap();
    assert_eq!(call(&session, "forget").await.unwrap(), "forgot x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_libqi_client_gets_the_role_of_its_certificate() {
    let Some(python) = peer_python() else { return };
    let stage = Stage::new().await;
    let gateway = stage.gateway("tcpsm", "");
    let got = stage.libqi(&python, "tablet", &gateway.url).await;
    assert_eq!((&got["connect"], &got["say"]), (&Value::Null, &json!("said x")), "{got}");
    assert!(got["forget"].as_str().is_some_and(|error| error.contains("KW-P003")), "{got}");
    let got = stage.libqi(&python, "arm-2,O=Lab", &gateway.url).await;
    // libqi itself says no more than "disconnected".
    assert!(got["connect"].is_string() && got.get("say").is_none(), "{got}");
    let logged = async {
        while !gateway.said().contains("KW-A004") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, logged).await.unwrap_or_else(|_| panic!("{}", gateway.said()));
}
