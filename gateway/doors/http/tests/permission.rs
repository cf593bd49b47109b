//! Who may do what.

mod world;

use keyway_door_http::DoorSettings;
use serde_json::{Value, json};
use world::{World, answer, http, rules};

#[tokio::test]
async fn before_authentication_there_is_401_and_nothing_else() {
    let world = World::new().await;
    for (method, path) in [
        ("GET", "/v1/services"),
        ("GET", "/v1/services/Meter"),
        ("GET", "/v1/services/Nobody"),
        ("POST", "/v1/services/Meter/add"),
        ("GET", "/v1/services/Meter/properties/unit"),
        ("PUT", "/v1/services/Meter/properties/unit"),
        ("GET", "/v1/services/Meter/signals/ticks"),
        ("GET", "/v1/socket"),
        ("GET", "/v1/openapi.json"),
        ("DELETE", "/v1/objects/1"),
        ("GET", "/nowhere"),
    ] {
        for authorization in [None, Some("Bearer wrong"), Some("Basic !"), Some("Basic YWRtaW46d3Jvbmc=")] {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = http().request(method, world.url(path));
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401, "{path}");
            assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
            let text = response.text().await.unwrap();
            assert!(!text.contains("Meter") && !text.contains("add"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_user_with_a_token_comes_in_by_basic_too() {
    let world = World::new().await;
    let request = http().get(world.url("/v1/services")).basic_auth("speaker", Some("speaker"));
    assert_eq!(answer(request).await, (200, json!(["ALTextToSpeech"])));
}

#[tokio::test]
async fn anonymous_clients_come_in_if_the_rules_say_so() {
    let world = World::with(rules(true), DoorSettings::default()).await;
    assert_eq!(answer(http().get(world.url("/v1/services"))).await, (200, json!(["ALTextToSpeech"])));
    assert_eq!(answer(http().get(world.url("/v1/services")).bearer_auth("wrong")).await.0, 401);
}

#[tokio::test]
async fn a_door_has_a_role_of_its_own_for_those_who_show_nothing() {
    for anonymous_elsewhere in [false, true] {
        let settings = DoorSettings { anonymous: Some("careful".to_owned()), ..DoorSettings::default() };
        let world = World::with(rules(anonymous_elsewhere), settings).await;
        let services = answer(http().get(world.url("/v1/services"))).await;
        assert_eq!(services, (200, json!(["ALTextToSpeech", "Meter"])), "those of the role `careful`");
        assert_eq!(answer(http().get(world.url("/v1/services")).bearer_auth("wrong")).await.0, 401);
    }
}

#[tokio::test]
async fn a_role_that_may_only_speak_can_do_nothing_else() {
    let world = World::new().await;
    let speaker = world.client("speaker");
    assert_eq!(speaker.post("/v1/services/ALTextToSpeech/say", "[\"hi\"]").await, (200, json!("said hi")));
    assert_eq!(speaker.get("/v1/services").await, (200, json!(["ALTextToSpeech"])));
    let (_, described) = speaker.get("/v1/services/ALTextToSpeech").await;
    let names: Vec<_> = described["methods"].as_array().unwrap().iter().map(|method| &method["name"]).collect();
    assert_eq!((names, &described["properties"], &described["signals"]), (vec![&json!("say")], &json!([]), &json!([])));

    let refused = |(status, problem): (u16, Value)| (status, problem["code"].as_str().unwrap_or_default().to_owned());
    let tts = "/v1/services/ALTextToSpeech";
    let no_rule = |code: &str| (403, code.to_owned());
    assert_eq!(refused(speaker.post(&format!("{tts}/stopAll"), "").await), no_rule("KW-P001"));
    assert_eq!(refused(speaker.get(&format!("{tts}/properties/volume")).await), no_rule("KW-P001"));
    assert_eq!(refused(speaker.put(&format!("{tts}/properties/volume"), "0.1").await), no_rule("KW-P001"));
    assert_eq!(refused(speaker.get(&format!("{tts}/signals/textDone")).await), no_rule("KW-P001"));
    assert_eq!(refused(speaker.post(&format!("{tts}/enableStats"), "[true]").await), no_rule("KW-P009"));
    let post = speaker.request("POST", &format!("{tts}/stopAll")).header("prefer", "respond-async");
    assert_eq!(refused(answer(post).await), no_rule("KW-P001"));
    let emit = speaker.request("POST", &format!("{tts}/textDone")).header("prefer", "respond-async").body("[true]");
    assert_eq!(refused(answer(emit).await), no_rule("KW-P001"));
    for member in ["terminate", "registerEvent", "property", "setProperty"] {
        assert_eq!(refused(speaker.post(&format!("{tts}/{member}"), "[1]").await).0, 404, "{member}");
    }
    // A service of which nothing is allowed is as if it were not there.
    let hidden = refused(speaker.post("/v1/services/Meter/add", "[1,2]").await);
    assert_eq!(hidden, refused(speaker.post("/v1/services/Nobody/add", "[1,2]").await));
    assert_eq!(hidden, (404, "KW-G012".to_owned()));
}

#[tokio::test]
async fn the_description_for_programs_holds_what_the_role_may_do() {
    let world = World::new().await;
    let (status, speaker) = world.client("speaker").get("/v1/openapi.json").await;
    let paths: Vec<_> = speaker["paths"].as_object().unwrap().keys().cloned().collect();
    let tts = "/v1/services/ALTextToSpeech";
    assert_eq!((status, paths), (200, vec!["/v1/services".to_owned(), tts.to_owned(), format!("{tts}/say")]));
    assert_eq!(speaker["openapi"], json!("3.1.0"));
    let (_, admin) = world.client("admin").get("/v1/openapi.json").await;
    let paths = admin["paths"].as_object().unwrap();
    let add = &paths["/v1/services/Meter/add%3A%3A%28ii%29"]["post"];
    let schema = &add["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!((&schema["minItems"], &schema["prefixItems"][0]["format"]), (&json!(2), &json!("int32")));
    assert!(paths.contains_key("/v1/services/Meter/signals/ticks"));
    assert!(paths["/v1/services/Meter/properties/unit"]["put"].is_object());
}

#[tokio::test]
async fn arguments_and_rates_are_limited_and_refusals_name_the_rule() {
    let world = World::new().await;
    let careful = world.client("careful");
    assert_eq!(careful.post("/v1/services/ALTextToSpeech/say", "[\"hi\"]").await, (200, json!("said hi")));
    let (status, problem) = careful.post("/v1/services/ALTextToSpeech/say", "[\"boo\"]").await;
    assert_eq!((status, &problem["code"]), (403, &json!("KW-P003")));
    assert!(problem["rule"].as_str().unwrap().contains("gently"), "{problem}");
    for _ in 0..2 {
        assert_eq!(careful.post("/v1/services/Meter/add", "[1,2]").await.0, 200);
    }
    let request = careful.request("POST", "/v1/services/Meter/add").body("[1,2]");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 1000);
}

#[tokio::test]
async fn a_reload_takes_rights_and_tokens_away_at_once() {
    let world = World::new().await;
    let (admin, speaker) = (world.client("admin"), world.client("speaker"));
    assert_eq!(speaker.get("/v1/services").await.0, 200);
    let policy = keyway_policy::Policy::parse("policy.toml", "").unwrap();
    let hash = keyway_auth::token::hash(&keyway_auth::Secret::new("admin".to_owned()));
    let users = format!("[[user]]\nname = 'admin'\nrole = 'none'\ntoken_hash = '{hash}'\n");
    let auth = keyway_auth::AuthConfig::parse("auth.toml", &users, &policy).unwrap();
    let authenticator = keyway_auth::Authenticator::new(auth);
    world.gateway.reload(keyway_gateway::Rules { policy, authenticator, ..rules(false) });
    assert_eq!(speaker.get("/v1/services").await.0, 401);
    assert_eq!(admin.get("/v1/services").await, (200, json!([])));
}
