//! JWTs, good and bad, at a time that is a parameter.

mod configured;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use configured::{at, config, secret};
use keyway_auth::{Authenticator, Credentials, IssuerKeys, Jwks, JwksError, JwtError, Method, Outcome, Reason, Source};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

#[test]
fn each_algorithm_is_verified() {
    let keys = Keys::new();
    let authenticator = keys.authenticator();
    for token in [keys.ec_token(&claims()), keys.ed_token(&claims())] {
        assert_eq!(bearer(&authenticator, &token), Ok(("eva".into(), "operator".into())));
    }
    let jwks = Jwks::parse(include_str!("testdata/rs256.jwks.json")).unwrap();
    let authenticator = Authenticator::new(config(CONFIG).with_jwks(jwks));
    let token = include_str!("testdata/rs256.jwt").trim();
    assert_eq!(bearer(&authenticator, token), Ok(("rosa".into(), "operator".into())));
    let forged = token.replacen("eyJpc3Mi", "eyJpc3Mj", 1);
    assert_eq!(bearer(&authenticator, &forged), Err(Reason::Jwt(JwtError::Signature)));
}

#[test]
fn claims_are_checked_at_the_time_that_is_given() {
    let keys = Keys::new();
    let jwt = |error| Err(Reason::Jwt(error));
    let accepted = || Ok(("eva".to_owned(), "operator".to_owned()));
    let now = 1_700_000_000;
    let rows = [
        ("exp", json!(now + 1), accepted()),
        ("exp", json!(now - 9), accepted()),
        ("exp", json!(now - 10), jwt(JwtError::Expired)),
        ("exp", Value::Null, jwt(JwtError::Malformed)),
        ("exp", json!("tomorrow"), jwt(JwtError::Malformed)),
        ("nbf", json!(now + 10), accepted()),
        ("nbf", json!(now + 11), jwt(JwtError::NotYet)),
        ("iss", json!("https://other.example"), jwt(JwtError::Issuer)),
        ("aud", json!("other"), jwt(JwtError::Audience)),
        ("aud", json!(["other", "keyway"]), accepted()),
        ("aud", json!([]), jwt(JwtError::Audience)),
        ("sub", json!(""), jwt(JwtError::Subject)),
        ("groups", json!("ops-day"), accepted()),
        ("groups", json!(["staff"]), Err(Reason::JwtWithoutRole)),
    ];
    for (claim, value, expected) in rows {
        // Each has a source of its own, so that none is locked out.
        let authenticator = keys.authenticator();
        let mut claims = claims();
        claims[claim] = value.clone();
        assert_eq!(bearer(&authenticator, &keys.ed_token(&claims)), expected, "{claim} {value}");
    }
    for (missing, error) in [("exp", JwtError::Expired), ("aud", JwtError::Audience), ("iss", JwtError::Issuer)] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(missing);
        assert_eq!(bearer(&keys.authenticator(), &keys.ed_token(&claims)), jwt(error), "{missing}");
    }
    let mut scoped = claims();
    scoped["groups"] = json!([]);
    scoped["scope"] = json!("openid guests");
    assert_eq!(bearer(&keys.authenticator(), &keys.ed_token(&scoped)).unwrap().1, "guest");
}

#[test]
fn a_reload_tells_which_role_the_claims_of_a_client_that_is_in_give_now() {
    let keys = Keys::new();
    let authenticator = keys.authenticator();
    let token = secret(&keys.ed_token(&claims()));
    let credentials = Credentials::Bearer(&token);
    let Outcome::Accepted { identity, .. } = authenticator.begin(at(0), Source::Local, &credentials) else {
        panic!("it is good")
    };
    let footing = authenticator.footing(&credentials, &identity);
    assert_eq!(authenticator.role_by(&footing), Some("operator"));
    let role = |text: &str| authenticator.with_config(config(text)).role_by(&footing).map(str::to_owned);
    // Keys and time do not count: it was verified when the client came in.
    assert_eq!(role(CONFIG), Some("operator".to_owned()));
    assert_eq!(role(&CONFIG.replace("operator", "guest")), Some("guest".to_owned()));
    assert_eq!(role(&CONFIG.replace("issuer = ", "issuer = 'other' #")), None);
    assert_eq!(role(""), None);
}

#[test]
fn a_header_chooses_neither_algorithm_nor_key() {
    let keys = Keys::new();
    let good = keys.ed_token(&claims());
    let rest = good.split_once('.').unwrap().1;
    let rows = [
        (json!({"alg": "none"}), JwtError::Unsupported),
        (json!({"alg": "HS256", "kid": "ed"}), JwtError::Unsupported),
        (json!({"alg": "ES256", "kid": "ed"}), JwtError::UnknownKey),
        (json!({"alg": "EdDSA", "kid": "other"}), JwtError::UnknownKey),
        (json!({"alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": false}), JwtError::Unsupported),
        (json!({"alg": "EdDSA", "kid": "ed", "extra": 1}), JwtError::Signature),
    ];
    for (header, error) in rows {
        let token = format!("{}.{rest}", part(&header));
        assert_eq!(bearer(&keys.authenticator(), &token), Err(Reason::Jwt(error)), "{header}");
    }
    for token in ["ey..", "eyJ.e.s", &format!("{good}=")] {
        assert_eq!(bearer(&keys.authenticator(), token), Err(Reason::Jwt(JwtError::Malformed)), "{token}");
    }
    let without_keys = Authenticator::new(config(CONFIG));
    assert_eq!(bearer(&without_keys, &good), Err(Reason::Jwt(JwtError::UnknownKey)));
}

#[test]
fn a_name_beside_a_token_is_its_subject() {
    let keys = Keys::new();
    let token = secret(&keys.ec_token(&claims()));
    let outcome = |user| keys.authenticator().begin(at(0), Source::Local, &Credentials::Named { user, secret: &token });
    assert!(matches!(outcome("eva"), Outcome::Accepted { ref identity, .. } if identity.method == Method::Jwt));
    assert!(matches!(outcome("adam"), Outcome::Refused { reason: Reason::InvalidCredentials, .. }));
}

#[test]
fn the_keys_of_an_issuer_are_asked_for_when_they_are_needed_and_nobody_is_locked_out_meanwhile() {
    let keys = Keys::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let fetched = IssuerKeys::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let from_issuer = CONFIG.replace("jwks = 'keys.json'", "refresh = 60");
    let config = config(&from_issuer).with_issuer_keys(fetched.clone());
    let issuer = config.issuer().unwrap();
    assert_eq!((issuer.url.as_str(), issuer.refresh.as_secs()), ("https://id.example", 60));
    let authenticator = Authenticator::new(config);
    let token = keys.ed_token(&claims());
    for _ in 0..20 {
        assert_eq!(bearer(&authenticator, &token), Err(Reason::KeyNotFetched));
    }
    assert_eq!((asked.load(Ordering::Relaxed), authenticator.remembered()), (20, 0));

    // Another key first, as before a rotation.
    fetched.set(Jwks::parse(&Keys::new().published("old")).unwrap());
    assert_eq!(bearer(&authenticator, &token), Err(Reason::KeyNotFetched));
    assert_eq!(asked.load(Ordering::Relaxed), 21);
    fetched.set(Jwks::parse(&keys.published("ed")).unwrap());
    assert_eq!(bearer(&authenticator, &token), Ok(("eva".into(), "operator".into())));
    // With a reload, too, whose configuration has the same keys.
    let again = authenticator.with_config(configured::config(&from_issuer).with_issuer_keys(fetched));
    assert!(bearer(&again, &token).is_ok());
    let forged = token.replacen('.', ".e30", 1);
    assert_ne!(bearer(&again, &forged), Err(Reason::KeyNotFetched));
    assert_eq!(asked.load(Ordering::Relaxed), 21, "a wrong signature is no reason to ask");
}

#[test]
fn an_issuer_is_asked_where_nobody_can_answer_in_its_place() {
    let problems = |change: &dyn Fn(&str) -> String| {
        let policy = keyway_policy::Policy::parse("policy.toml", configured::ROLES).unwrap();
        let error = keyway_auth::AuthConfig::parse("keyway.toml", &change(CONFIG), &policy).unwrap_err();
        error.problems.into_iter().map(|problem| (problem.line, problem.code.code())).collect::<Vec<_>>()
    };
    let fetch = |text: &str| text.replace("jwks = 'keys.json'\n", "");
    assert_eq!(problems(&|text| fetch(text).replace("https:", "http:")), [(3, "KW-A105")]);
    assert_eq!(problems(&|text| fetch(text).replace("leeway = 10", "refresh = 0")), [(5, "KW-A105")]);
    assert_eq!(problems(&|text| text.replace("leeway = 10", "ca = 'ca.pem'")), [(6, "KW-A105")]);
}

#[test]
fn files_of_keys_are_checked() {
    let ed = |more: Value| {
        let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode([1; 32])});
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"keys": [key]}).to_string()
    };
    let rows = [
        (ed(json!({})), None),
        (ed(json!({"use": "enc"})), Some(JwksError::Count(0))),
        (ed(json!({"key_ops": ["sign"]})), Some(JwksError::Count(0))),
        (ed(json!({"alg": "ES256"})), Some(JwksError::Count(0))),
        (ed(json!({"d": "AAAA"})), Some(JwksError::Private(0))),
        (ed(json!({"x": "AAAA"})), Some(JwksError::Malformed(0))),
        (json!({"keys": [{"kty": "oct", "k": "AAAA"}]}).to_string(), Some(JwksError::Count(0))),
        (json!({"keys": [{"kty": "RSA", "n": "AAAA", "e": "AQAB"}]}).to_string(), Some(JwksError::Malformed(0))),
    ];
    for (text, expected) in rows {
        assert_eq!(Jwks::parse(&text).err(), expected, "{text}");
    }
    assert!(matches!(Jwks::parse("{"), Err(JwksError::Syntax { line: 1, .. })));
}

const CONFIG: &str = "
[jwt]
jwks = 'keys.json'
issuer = 'https://id.example'
audience = 'keyway'
leeway = 10
[[jwt.role]]
claim = 'groups'
value = 'ops-*'
role = 'operator'
[[jwt.role]]
claim = 'scope'
value = 'guests'
role = 'guest'
";

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "aud": "keyway", "sub": "eva", "exp": 1_700_000_100, "groups": ["staff", "ops-day"],
    })
}

struct Keys {
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    random: SystemRandom,
}

impl Keys {
    fn new() -> Self {
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self { ec, ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(), random }
    }

    fn authenticator(&self) -> Authenticator {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let point = self.ec.public_key().as_ref();
        let keys = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(&point[1..33]), "y": encode(&point[33..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": encode(self.ed.public_key().as_ref())},
        ]});
        Authenticator::new(config(CONFIG).with_jwks(Jwks::parse(&keys.to_string()).unwrap()))
    }

    /// As an issuer has them, with an id for the second.
    fn published(&self, id: &str) -> String {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.ed.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x}]}).to_string()
    }

    fn ec_token(&self, claims: &Value) -> String {
        let signed = format!("{}.{}", part(&json!({"alg": "ES256"})), part(claims));
        let signature = self.ec.sign(&self.random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn ed_token(&self, claims: &Value) -> String {
        let signed = format!("{}.{}", part(&json!({"alg": "EdDSA", "kid": "ed"})), part(claims));
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(self.ed.sign(signed.as_bytes())))
    }
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn bearer(authenticator: &Authenticator, token: &str) -> Result<(String, String), Reason> {
    match authenticator.begin(at(0), Source::Local, &Credentials::Bearer(&secret(token))) {
        Outcome::Accepted { identity, role } => Ok((identity.name, role)),
        Outcome::Refused { reason, .. } => Err(reason),
    }
}
