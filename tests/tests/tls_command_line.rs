//! The options of TLS on the command line.

use std::{fs, path::Path, process::Output};

use keyway_tests::process::Keyway;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

/// A certificate and its key as files; their paths.
fn files(folder: &Path, stem: &str, name: &str) -> (String, String) {
    let CertifiedKey::<KeyPair> { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let path = |extension: &str| folder.join(format!("{stem}.{extension}")).display().to_string();
    let (certificate, key) = (path("pem"), path("key"));
    fs::write(&certificate, cert.pem()).unwrap();
    fs::write(&key, signing_key.serialize_pem()).unwrap();
    (certificate, key)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_directory_of_tcps_is_reached_by_those_who_say_whom_they_trust() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = files(folder.path(), "robot", "127.0.0.1");
    let (other, _) = files(folder.path(), "other", "127.0.0.1");
    let directory = Keyway::directory(&["--listen", "tcps://127.0.0.1:0", "--cert", &cert, "--key", &key]);
    let url = &directory.url;
    for trust in [&["--ca", &cert][..], &["--pin", &cert], &["--insecure-skip-verify"]] {
        let output = Keyway::run(&[&["info", "--qi-url", url], trust].concat());
        assert!(output.status.success(), "{trust:?}: {}", said(&output));
        let output = Keyway::run(&[&["probe", url], trust].concat());
        assert!(output.status.success(), "{trust:?}: {}", said(&output));
    }
    for distrust in [&["--ca", &other][..], &["--pin", &other], &["--pin", &"ab".repeat(32)]] {
        for command in [&["info", "--qi-url", url][..], &["probe", url]] {
            let output = Keyway::run(&[command, distrust].concat());
            assert_eq!(output.status.code(), Some(3), "{distrust:?}: {}", said(&output));
            assert!(said(&output).contains("the certificate of 127.0.0.1 is not trusted: "), "{}", said(&output));
        }
    }
    // Without a word about trust nothing is sent, and a probe sees only that it is TLS.
    assert_eq!(Keyway::run(&["info", "--qi-url", url]).status.code(), Some(2));
    let output = Keyway::run(&["probe", url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("keyway probe --pin"), "{output:?}");
}

#[test]
fn a_directory_of_tcpsm_is_reached_with_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = files(folder.path(), "robot", "127.0.0.1");
    let (client, client_key) = files(folder.path(), "client", "client");
    let listen = ["--listen", "tcpsm://127.0.0.1:0", "--cert", &cert, "--key", &key, "--client-ca", &client];
    let directory = Keyway::directory(&listen);
    let info = ["info", "--qi-url", &directory.url, "--ca", &cert];
    let output = Keyway::run(&[&info[..], &["--cert", &client, "--key", &client_key]].concat());
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(Keyway::run(&info).status.code(), Some(2));
    let output = Keyway::run(&[&info[..], &["--cert", &cert, "--key", &key]].concat());
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn wrong_settings_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = files(folder.path(), "robot", "127.0.0.1");
    let missing = folder.path().join("missing").display().to_string();
    let url = "tcps://127.0.0.1:1";
    for arguments in [
        &["info", "--qi-url", url, "--ca", &missing][..],
        &["info", "--qi-url", url, "--ca", &key],
        &["info", "--qi-url", url, "--pin", "beef"],
        &["info", "--qi-url", url, "--ca", &cert, "--insecure-skip-verify"],
        &["info", "--qi-url", url, "--cert", &cert, "--key", &key],
        &["info", "--qi-url", url, "--ca", &cert, "--cert", &cert],
        &["directory", "--listen", "tcps://127.0.0.1:0", "--cert", &cert],
        &["directory", "--listen", "tcps://127.0.0.1:0", "--cert", &cert, "--key", &missing],
        &["directory", "--listen", "tcpsm://127.0.0.1:0", "--cert", &cert, "--key", &key],
    ] {
        let output = Keyway::run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
    }
}
