//! B6: TLS in front of the gateway and behind it, with the real libqi (spec 11). libqi's Python package takes no certificates:
//! where libqi would show one, a tunnel does (`tests/peers/tls_tunnel.py`).

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use keyway_tests::{
    eventually,
    libqi::{self, Driven, peer_python, script},
    process::{Keyway, Running},
};
use keyway_wire::Url;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use serde_json::json;
use tempfile::TempDir;

const SERVICE: &str = r#"
class Echo(object):
    def __init__(self):
        self.rung = qi.Signal("(i)")
    def echo(self, x):
        return x
    def ring(self, number):
        self.rung(number)
"#;

/// Uses the service `Echo` of `session`.
const USE: &str = r#"
echo = do(session.service, "Echo")
heard = []
link = echo.rung.connect(heard.append)
do(echo.ring, 3)
until(lambda: heard)
text = "keyway " * 100000
[heard, do(echo.echo, text) == text]
"#;

/// A service of libqi at a directory, and a gateway in front of it with a listener of each kind.
struct Stage {
    python: String,
    gateway: Running,
    files: Files,
    _robot: Driven,
    _directory: Running,
}

impl Stage {
    async fn new() -> Option<Self> {
        let python = peer_python()?;
        let directory = Keyway::directory(&[]);
        let robot = robot(&python, &directory.url).await;
        let files = Files::new();
        let (server, key) = files.pair("server", "127.0.0.1");
        let (client, _) = files.pair("client", "tablet");
        let listen = ["tcp", "tcps", "tcpsm"].map(|scheme| format!("{scheme}://127.0.0.1:0"));
        let mut arguments = listen.iter().flat_map(|url| ["--listen", url.as_str()]).collect::<Vec<_>>();
        arguments.extend(["--server-cert", &server, "--server-key", &key, "--server-client-ca", &client]);
        let gateway = Keyway::gateway(&directory.url, &[&arguments[..], &["--anonymous-role", "admin"]].concat());
        let stage = Self { python, gateway, files, _robot: robot, _directory: directory };
        // It may still be finding out what there is.
        let session = keyway::Session::connect(stage.url("tcp")).await.unwrap();
        eventually("the service", session.wait_for_service("Echo")).await.unwrap();
        Some(stage)
    }

    fn url(&self, scheme: &str) -> &str {
        let url = self.gateway.urls.iter().find(|url| url.split(':').next() == Some(scheme));
        url.unwrap_or_else(|| panic!("{scheme}: {:?}", self.gateway.urls))
    }

    /// libqi with or without a client certificate around its connections to the tcpsm listener.
    fn tunnel(&self, files: &[&str]) -> Running {
        tunnel(&self.python, "client", self.url("tcpsm"), files)
    }

    /// What libqi gets of the service, or why not.
    async fn uses(&self, url: &str) -> Result<serde_json::Value, String> {
        let mut client = Driven::start(&self.python);
        client.attempt(&format!("session = connect({url:?})\n{USE}")).await
    }
}

async fn robot(python: &str, directory: &str) -> Driven {
    let mut robot = Driven::start(python);
    let register = "session.listen('tcp://127.0.0.1:0')\ndo(session.registerService, 'Echo', Echo())";
    robot.run(&format!("session = connect({directory:?})\n{SERVICE}\n{register}")).await;
    robot
}

fn tunnel(python: &str, side: &str, to: &str, files: &[&str]) -> Running {
    let to = Url::parse(to);
    let to = format!("{}:{}", to.host.unwrap(), to.port.unwrap());
    Running::start(Command::new(python).arg(script("tls_tunnel.py")).args([side, &to]).args(files))
}

/// Certificates and keys.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A certificate for a name, and its key: their paths.
    fn pair(&self, stem: &str, name: &str) -> (String, String) {
        let CertifiedKey::<KeyPair> { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        fs::write(self.path(stem, "pem"), cert.pem()).unwrap();
        fs::write(self.path(stem, "key"), signing_key.serialize_pem()).unwrap();
        (self.path(stem, "pem"), self.path(stem, "key"))
    }

    fn path(&self, stem: &str, extension: &str) -> String {
        Path::new(self.0.path()).join(format!("{stem}.{extension}")).display().to_string()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libqi_uses_a_service_over_tcp_tcps_and_tcpsm() {
    let Some(stage) = Stage::new().await else { return };
    let tunnel = stage.tunnel(&[&stage.files.path("client", "pem"), &stage.files.path("client", "key")]);
    for url in [stage.url("tcp"), stage.url("tcps"), &tunnel.url] {
        assert_eq!(stage.uses(url).await, Ok(json!([[3], true])), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_of_libqi_that_registers_over_tls_is_used_by_others() {
    let Some(stage) = Stage::new().await else { return };
    let tunnel = stage.tunnel(&[&stage.files.path("client", "pem"), &stage.files.path("client", "key")]);
    for (host, name) in [(stage.url("tcps"), "OverTcps"), (&tunnel.url, "OverTcpsm")] {
        let mut outside = Driven::start(&stage.python);
        let register = format!("session.listen('tcp://127.0.0.1:0')\ndo(session.registerService, {name:?}, Echo())");
        outside.run(&format!("session = connect({host:?})\n{SERVICE}\n{register}")).await;
        for url in [stage.url("tcp"), stage.url("tcps")] {
            let mut client = Driven::start(&stage.python);
            let program = format!("session = connect({url:?})\n{}", USE.replace("\"Echo\"", &format!("{name:?}")));
            assert_eq!(client.run(&program).await, json!([[3], true]), "{name} over {url}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcpsm_wants_a_certificate_that_it_knows() {
    let Some(stage) = Stage::new().await else { return };
    let (other, key) = stage.files.pair("other", "tablet");
    let without = stage.tunnel(&[]);
    let unknown = stage.tunnel(&[&other, &key]);
    // libqi itself shows none.
    for url in [stage.url("tcpsm"), &without.url, &unknown.url] {
        let outcome = stage.uses(url).await;
        assert!(outcome.is_err(), "{url}: {outcome:?}");
    }
    assert_eq!(stage.uses(stage.url("tcp")).await, Ok(json!([[3], true])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_text_to_tls_and_tls_to_plain_text_do_not_connect() {
    let Some(stage) = Stage::new().await else { return };
    for (scheme, listener) in [("tcp", "tcps"), ("tcp", "tcpsm"), ("tcps", "tcp"), ("tcps", "tcpsm")] {
        let url = stage.url(listener).replace(listener, scheme);
        let outcome = stage.uses(&url).await;
        assert!(outcome.is_err(), "{url} at {listener}: {outcome:?}");
    }
    for scheme in ["tcp", "tcps"] {
        assert_eq!(stage.uses(stage.url(scheme)).await, Ok(json!([[3], true])));
    }
    assert!(!stage.gateway.said().contains("panicked"), "{}", stage.gateway.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_verifies_refuses_an_unknown_authority_and_a_wrong_name() {
    let Some(stage) = Stage::new().await else { return };
    let (server, (other, _)) = (stage.files.path("server", "pem"), stage.files.pair("unknown", "127.0.0.1"));
    let info = |url: &str, trust: &[&str]| Keyway::run(&[&["info", "--qi-url", url], trust].concat());
    let url = stage.url("tcps");
    for trust in [&["--ca", &server][..], &["--pin", &server], &["--insecure-skip-verify"]] {
        let output = info(url, trust);
        assert!(output.status.success(), "{trust:?}: {}", said(&output));
    }
    for (url, trust) in [
        (url.to_owned(), &["--ca", &other][..]),
        (url.to_owned(), &["--pin", &other]),
        (url.replace("127.0.0.1", "localhost"), &["--ca", &server]),
    ] {
        let output = info(&url, trust);
        assert_eq!(output.status.code(), Some(3), "{url} {trust:?}: {}", said(&output));
        assert!(said(&output).contains("is not trusted"), "{}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let Some(stage) = Stage::new().await else { return };
    let url = Url::parse(stage.url("tcps"));
    let at = format!("{}:{}", url.host.unwrap(), url.port.unwrap());
    let shake = |version: &str| {
        // Old versions are no longer in openssl's own defaults.
        let arguments = ["s_client", "-connect", &at, version, "-cipher", "ALL:@SECLEVEL=0"];
        Command::new("openssl").args(arguments).stdin(Stdio::null()).output().expect("openssl is there")
    };
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let output = shake(version);
        assert!(said(&output).contains(&format!("New, {name}")), "{version}: {}", said(&output));
    }
    for version in ["-tls1", "-tls1_1"] {
        let output = shake(version);
        assert!(!output.status.success(), "{version}: {}", said(&output));
        // An alert of the gateway: openssl itself was ready to speak it.
        let refused = said(&output).contains("SSL alert number") && said(&output).contains("New, (NONE)");
        assert!(refused, "{version}: {}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_libqi_directory_behind_tls_is_attached_by_those_who_trust_it() {
    let Some(python) = peer_python() else { return };
    let directory = libqi::directory(&python, "tcp://127.0.0.1:0");
    let _robot = robot(&python, &directory.url).await;
    let files = Files::new();
    let ((cert, key), (other, _)) = (files.pair("robot", "127.0.0.1"), files.pair("other", "127.0.0.1"));
    let secure = tunnel(&python, "server", &directory.url, &[&cert, &key]);
    for trust in [&["--ca", &cert][..], &["--pin", &cert], &["--insecure-skip-verify"]] {
        let gateway = Keyway::gateway(&secure.url, &[&["--anonymous-role", "admin"], trust].concat());
        let session = keyway::Session::connect(&gateway.url).await.unwrap();
        eventually("the service", session.wait_for_service("Echo")).await.unwrap();
        let mut client = Driven::start(&python);
        let got = client.run(&format!("session = connect({:?})\n{USE}", gateway.url)).await;
        assert_eq!(got, json!([[3], true]), "{trust:?}");
    }
    for distrust in [&["--ca", &other][..], &["--pin", &other], &["--pin", &"ab".repeat(32)]] {
        let gateway = Keyway::gateway(&secure.url, &[&["--anonymous-role", "admin"], distrust].concat());
        let refused = async {
            while !gateway.said().contains("is not trusted") {
                tokio::task::yield_now().await;
            }
        };
        eventually("the refusal", refused).await;
        let session = keyway::Session::connect(&gateway.url).await.unwrap();
        assert_eq!(session.services().await.unwrap().len(), 1, "{distrust:?}");
    }
    // Without a word about trust it does not start.
    let output = Keyway::run(&[
        "gateway",
        "--directory",
        &secure.url,
        "--listen",
        "tcp://127.0.0.1:0",
        "--anonymous-role",
        "admin",
    ]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}
