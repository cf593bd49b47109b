//! Requests and responses.

mod world;

use std::{sync::atomic::Ordering, time::Duration};

use keyway_door_http::{Door, DoorSettings, OpenError};
use serde_json::json;
use world::{World, answer, http, rules};

#[tokio::test]
async fn a_method_is_called_by_position_and_by_full_name() {
    let world = World::new().await;
    let admin = world.client("admin");
    assert_eq!(admin.post("/v1/services/Meter/add", "[40, 2]").await, (200, json!(42)));
    assert_eq!(admin.post("/v1/services/Meter/add", "[\"a\", \"b\"]").await, (200, json!("ab")));
    assert_eq!(admin.post("/v1/services/Meter/add%3A%3A%28ii%29", "[1, 2]").await, (200, json!(3)));
    assert_eq!(admin.post("/v1/services/Meter/raw", "[\"AAEC\"]").await, (200, json!(3)));
    assert_eq!(admin.post("/v1/services/ALTextToSpeech/stopAll", "").await, (200, json!(null)));
}

#[tokio::test]
async fn services_are_listed_and_described() {
    let world = World::new().await;
    let admin = world.client("admin");
    assert_eq!(admin.get("/v1/services").await, (200, json!(["ALTextToSpeech", "Meter"])));
    let (status, described) = admin.get("/v1/services/Meter").await;
    assert_eq!((status, &described["name"]), (200, &json!("Meter")));
    let names: Vec<_> = described["methods"].as_array().unwrap().iter().map(|method| &method["fullName"]).collect();
    assert!(names.contains(&&json!("add::(ii)")), "{names:?}");
    assert!(!described.to_string().contains("registerEvent"));
}

#[tokio::test]
async fn a_property_is_read_and_written() {
    let world = World::new().await;
    let admin = world.client("admin");
    let path = "/v1/services/Meter/properties/unit";
    assert_eq!(admin.get(path).await, (200, json!("kWh")));
    assert_eq!(admin.put(path, "\"Wh\"").await, (204, json!(null)));
    assert_eq!(admin.get(path).await, (200, json!("Wh")));
    let (status, problem) = admin.put(path, "{").await;
    assert_eq!((status, &problem["code"]), (400, &json!("KW-G003")));
}

#[tokio::test]
async fn errors_are_problems_with_stable_codes() {
    let world = World::new().await;
    let admin = world.client("admin");
    for (path, body, status, code) in [
        ("/v1/services/Nobody/add", "[]", 404, "KW-G012"),
        ("/v1/services/Meter/nothing", "[]", 404, "KW-P006"),
        ("/v1/services/Meter/add", "[1]", 400, "KW-G003"),
        ("/v1/services/Meter/add", "1", 400, "KW-G003"),
        ("/v1/services/Meter/fail", "[]", 502, "KW-G004"),
        ("/v1/objects/nonsense/double", "[1]", 404, "KW-G010"),
        ("/v2", "[]", 404, "KW-H001"),
        ("/v1/services", "[]", 405, "KW-H002"),
    ] {
        let (found, problem) = admin.post(path, body).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{path} {body}: {problem}");
        assert_eq!(problem["status"], json!(status));
        assert!(problem["next"].is_string() && problem["detail"].is_string());
    }
    let (_, problem) = admin.post("/v1/services/Meter/fail", "").await;
    assert_eq!(problem["detail"], json!("the meter is broken"));
    let form = admin.request("POST", "/v1/services/Meter/add").header("content-type", "text/plain").body("[1,2]");
    assert_eq!(answer(form).await.1["code"], json!("KW-H006"));
}

#[tokio::test]
async fn members_that_every_object_has_are_not_called_by_name() {
    let world = World::new().await;
    let admin = world.client("admin");
    for member in
        ["registerEvent", "unregisterEvent", "metaObject", "terminate", "property", "setProperty", "properties"]
    {
        let (status, problem) = admin.post(&format!("/v1/services/Meter/{member}"), "[1]").await;
        assert_eq!((status, &problem["code"]), (404, &json!("KW-P006")), "{member}");
    }
    assert_eq!(admin.post("/v1/services/Meter/isStatsEnabled", "").await, (200, json!(false)));
}

#[tokio::test]
async fn an_object_that_is_returned_can_be_used_until_it_is_released() {
    let world = World::new().await;
    let admin = world.client("admin");
    let (status, object) = admin.post("/v1/services/Meter/open", "").await;
    assert_eq!((status, &object["$object"]["methods"]), (200, &json!(["double::(i)", "read::()"])));
    let path = format!("/v1/objects/{}", object["$object"]["id"].as_str().unwrap());
    assert_eq!(admin.post(&format!("{path}/double"), "[21]").await, (200, json!(42)));
    // It is nobody else's.
    let other = world.client("speaker").post(&format!("{path}/double"), "[21]").await;
    assert_eq!((other.0, &other.1["code"]), (404, &json!("KW-G010")));
    assert_eq!(answer(admin.request("DELETE", &path)).await.0, 204);
    assert_eq!(admin.post(&format!("{path}/double"), "[21]").await.0, 404);
}

#[tokio::test]
async fn a_call_whose_client_leaves_is_canceled() {
    let world = World::new().await;
    let admin = world.client("admin");
    let call = tokio::spawn(async move { admin.post("/v1/services/Meter/wait", "").await });
    // It has to be there before it can be canceled.
    tokio::time::sleep(Duration::from_millis(300)).await;
    call.abort();
    while world.canceled.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn whoever_waits_for_nothing_is_told_that_it_was_accepted() {
    let world = World::new().await;
    let admin = world.client("admin");
    let post = admin.request("POST", "/v1/services/Meter/wait").header("prefer", "respond-async");
    assert_eq!(answer(post).await, (202, json!(null)));
}

#[tokio::test]
async fn head_and_options_say_what_get_would() {
    let world = World::new().await;
    let admin = world.client("admin");
    let head = admin.request("HEAD", "/v1/services").send().await.unwrap();
    let length = head.headers()["content-length"].to_str().unwrap().to_owned();
    assert_eq!(head.status(), 200);
    let get = admin.request("GET", "/v1/services").send().await.unwrap().text().await.unwrap();
    assert_eq!(length, get.len().to_string());
    let options =
        http().request(reqwest::Method::OPTIONS, world.url("/v1/services/Any/properties/p")).send().await.unwrap();
    assert_eq!(
        (options.status().as_u16(), options.headers()["allow"].to_str().unwrap()),
        (204, "GET, HEAD, PUT, OPTIONS")
    );
}

#[tokio::test]
async fn pages_of_other_origins_stay_outside() {
    let settings = DoorSettings { origins: vec!["https://panel.example".to_owned()], ..DoorSettings::default() };
    let world = World::with(rules(true), settings).await;
    let from = |origin: &str| http().get(world.url("/v1/services")).header("origin", origin).send();
    let good = from("https://panel.example").await.unwrap();
    assert_eq!(
        (good.status().as_u16(), &good.headers()["access-control-allow-origin"]),
        (200, &"https://panel.example".parse::<reqwest::header::HeaderValue>().unwrap())
    );
    let bad = from("https://evil.example").await.unwrap();
    assert_eq!(bad.status(), 403);
    assert!(bad.headers().get("access-control-allow-origin").is_none());
    // A page whose own name points to this machine.
    let rebound = http().get(world.url("/v1/services")).header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 421);
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused() {
    let world = World::with(rules(false), DoorSettings { body_limit: 100, ..DoorSettings::default() }).await;
    let admin = world.client("admin");
    let large = admin.request("POST", "/v1/services/ALTextToSpeech/say").body(format!("[\"{}\"]", "a".repeat(200)));
    let (status, problem) = answer(large).await;
    assert_eq!((status, &problem["code"]), (413, &json!("KW-H004")));
}

#[tokio::test]
async fn plain_http_is_for_loopback_only() {
    let world = World::new().await;
    let open = |url: &str| {
        let settings = DoorSettings { urls: vec![url.to_owned()], ..DoorSettings::default() };
        let gateway = world.gateway.clone();
        async move { Door::open(&gateway, settings).await.unwrap_err() }
    };
    assert!(matches!(open("http://0.0.0.0:0").await, OpenError::NotLoopback(_)));
    assert!(matches!(open("https://127.0.0.1:0").await, OpenError::NoCertificate(_)));
    assert!(matches!(open("tcp://127.0.0.1:0").await, OpenError::Url(_)));
}

#[tokio::test]
async fn https_is_served_with_the_certificate() {
    let world = World::new().await;
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls =
        keyway::TlsServer::from_pem(key.cert.pem().as_bytes(), key.signing_key.serialize_pem().as_bytes()).unwrap();
    let settings =
        DoorSettings { urls: vec!["https://127.0.0.1:0".to_owned()], tls: Some(tls), ..DoorSettings::default() };
    let door = Door::open(&world.gateway, settings).await.unwrap();
    let port: u16 = door.urls()[0].rsplit(':').next().unwrap().parse().unwrap();
    let answered = tls_get(port, key.cert.der().clone()).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    assert!(answered.ends_with("[\"ALTextToSpeech\",\"Meter\"]"), "{answered}");
}

async fn tls_get(port: u16, trusted: tokio_rustls::rustls::pki_types::CertificateDer<'static>) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let request =
        "GET /v1/services HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answered = String::new();
    stream.read_to_string(&mut answered).await.unwrap();
    answered
}

#[tokio::test]
async fn a_dropped_door_is_closed() {
    let mut world = World::new().await;
    let url = world.url("/v1/services");
    assert_eq!(world.client("admin").get("/v1/services").await.0, 200);
    drop(world.door.take());
    while http().get(&url).send().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
