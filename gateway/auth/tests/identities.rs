//! Who is let in, as what, and what a configuration may not say.

mod configured;

use std::time::{Instant, SystemTime};

use configured::{at, config, password_hash, secret};
use keyway_auth::{
    AuthConfig, AuthProblemCode, Authenticator, Credentials, Footing, Identity, Method, Now, Outcome, Reason, Secret,
    Source, password, token,
};
use keyway_policy::Policy;

#[test]
fn users_are_known_by_password_or_token() {
    let (nao_token, hash) = token::generate().unwrap();
    let text = format!(
        "[[user]]\nname = 'ann'\nrole = 'operator'\npassword_hash = '{}'\n[[user]]\nname = 'nao'\nrole = 'admin'\n\
         token_hash = '{hash}'\n",
        password_hash("correct horse")
    );
    let authenticator = Authenticator::new(config(&text));
    let password = secret("correct horse");
    let wrong = secret("wrong");
    let named = |user, secret| Credentials::Named { user, secret };
    let rows = [
        (named("ann", &password), Some(("ann", Method::Password, "operator"))),
        (named("ann", &wrong), None),
        (named("bob", &password), None),
        (named("nao", &nao_token), Some(("nao", Method::Token, "admin"))),
        (named("ann", &nao_token), None),
        (named("nao", &wrong), None),
        (Credentials::Bearer(&nao_token), Some(("nao", Method::Token, "admin"))),
        (Credentials::Bearer(&password), None),
    ];
    for (number, (credentials, expected)) in rows.into_iter().enumerate() {
        let source = Source::Address([10, 0, 0, u8::try_from(number).unwrap()].into());
        let outcome = authenticator.begin(at(0), source, &credentials);
        match (&outcome, expected) {
            (Outcome::Accepted { identity, role }, Some((name, method, wanted))) => {
                assert_eq!(*identity, Identity { name: name.into(), method });
                assert_eq!(role, wanted);
            }
            (Outcome::Refused { reason: Reason::InvalidCredentials, .. }, None) => {}
            _ => panic!("{credentials:?}: {outcome:?}"),
        }
    }
}

#[test]
fn strangers_come_in_only_if_the_configuration_says_so() {
    let closed = Authenticator::new(config(""));
    let outcome = closed.begin(at(0), Source::Local, &Credentials::Anonymous);
    assert!(matches!(outcome, Outcome::Refused { reason: Reason::AnonymousNotAllowed, .. }), "{outcome:?}");
    let open = Authenticator::new(config("anonymous = { role = 'guest' }"));
    let outcome = open.begin(at(0), Source::Local, &Credentials::Anonymous);
    assert!(matches!(outcome, Outcome::Accepted { ref role, .. } if role == "guest"), "{outcome:?}");
    assert!(config("").admits_nobody(true) && !config("anonymous = { role = 'guest' }").admits_nobody(true));
}

#[test]
fn certificates_are_matched_by_all_that_is_asked_for() {
    let text = "[[certificate]]\nsubject = 'CN=arm-*,O=Lab'\nsan = '*.lab.example'\nrole = 'operator'\n\
                [[certificate]]\nsan = 'Guest.Example'\nrole = 'guest'\n";
    let authenticator = Authenticator::new(config(text));
    let rows: [(&str, &[&str], Option<&str>); 7] = [
        ("CN=arm-1,O=Lab", &["dns:x", "dns:a.lab.example"], Some("operator")),
        ("CN=arm-1,O=Lab", &["dns:a.lab.example.org"], None),
        ("CN=arm-1,O=Lab", &["uri:https://stranger.example/.lab.example"], None),
        ("CN=leg-1,O=Lab", &["dns:a.lab.example"], None),
        ("CN=any", &["dns:guest.example"], Some("guest")),
        ("CN=any", &["email:guest.example"], None),
        ("CN=any", &[], None),
    ];
    for (subject, sans, expected) in rows {
        let outcome = authenticator.begin(at(0), Source::Local, &Credentials::Certificate { subject, sans });
        let role = match &outcome {
            Outcome::Accepted { role, .. } => Some(role.as_str()),
            Outcome::Refused { reason, .. } => {
                assert_eq!(*reason, Reason::CertificateWithoutRole);
                None
            }
        };
        assert_eq!(role, expected, "{subject} {sans:?}");
    }
}

#[test]
fn who_was_let_in_before_has_the_role_of_now_if_he_is_still_known() {
    let (secret, hash) = token::generate().unwrap();
    let user = |role| format!("[[user]]\nname = 'nao'\nrole = '{role}'\ntoken_hash = '{hash}'\n");
    let identity = |name: &str, method| Identity { name: name.into(), method };
    let standing = |text: &str, identity: &Identity| {
        let credential = accepted(&Authenticator::new(config(&user("guest"))), &secret).credential();
        Authenticator::new(config(text)).role_by(&Footing::recalled(identity, credential)).map(str::to_owned)
    };
    let nao = identity("nao", Method::Token);
    assert_eq!(standing(&user("admin"), &nao).as_deref(), Some("admin"));
    assert_eq!(standing(&user("guest"), &nao).as_deref(), Some("guest"));
    assert_eq!(standing("", &nao), None);
    assert_eq!(standing(&user("admin").replace(&hash, &token::generate().unwrap().1), &nao), None);
    assert_eq!(standing("", &identity("anonymous", Method::Anonymous)), None);
    assert_eq!(standing("", &identity("eva", Method::Jwt)), None);
    assert_eq!(standing(&user("admin"), &identity("CN=nao", Method::Certificate)), None);
}

/// What a client that comes as `nao` stands on.
fn accepted(authenticator: &Authenticator, secret: &Secret) -> Footing {
    let now = Now { monotonic: Instant::now(), wall: SystemTime::now() };
    let credentials = Credentials::Named { user: "nao", secret };
    match authenticator.begin(now, Source::Local, &credentials) {
        Outcome::Accepted { identity, .. } => authenticator.footing(&credentials, &identity),
        Outcome::Refused { reason, .. } => panic!("{reason}"),
    }
}

#[test]
fn whose_password_or_token_was_replaced_stands_on_nothing_any_more() {
    let (secret, hash) = token::generate().unwrap();
    let user = |credential: &str| format!("[[user]]\nname = 'nao'\nrole = 'guest'\n{credential}\n");
    let by_token = user(&format!("token_hash = '{hash}'"));
    let hashed = password::hash(&secret).unwrap();
    let by_password = user(&format!("password_hash = '{hashed}'"));
    let other = user(&format!("token_hash = '{}'", token::generate().unwrap().1));
    let anew = user(&format!("password_hash = '{}'", password::hash(&secret).unwrap()));
    for (before, stays, ends) in
        [(&by_token, &by_token, [&other, &by_password]), (&by_password, &by_password, [&anew, &by_token])]
    {
        let authenticator = Authenticator::new(config(before));
        let footing = accepted(&authenticator, &secret);
        let role = |text: &str| authenticator.with_config(config(text)).role_by(&footing).map(str::to_owned);
        assert_eq!(role(stays).as_deref(), Some("guest"));
        let eva = format!("[[user]]\nname = 'eva'\nrole = 'guest'\ntoken_hash = '{}'\n", token::generate().unwrap().1);
        assert_eq!(role(&format!("{stays}{eva}")).as_deref(), Some("guest"));
        for ends in ends {
            assert_eq!(role(ends), None, "{ends}");
        }
        assert!(!format!("{footing:?}").contains(&hash), "{footing:?}");
    }
}

#[test]
fn each_mistake_of_a_configuration_is_reported_with_its_place() {
    let user = "[[user]]\nname = 'a'\nrole = 'guest'\n";
    let jwt = "[jwt]\njwks = 'k'\nissuer = 'i'\naudience = 'a'\n";
    let hash = "0".repeat(64);
    let rows = [
        ("colour = 1".to_owned(), AuthProblemCode::Syntax, 1),
        ("anonymous = { role = 'x' }".to_owned(), AuthProblemCode::UnknownRole, 1),
        (user.to_owned(), AuthProblemCode::Credential, 2),
        (format!("{user}token_hash = 'abc'"), AuthProblemCode::Credential, 4),
        (format!("{user}password_hash = 'plain'"), AuthProblemCode::Credential, 4),
        (
            format!("{user}password_hash = '$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo'"),
            AuthProblemCode::Credential,
            4,
        ),
        (
            format!("{user}password_hash = '{}'\ntoken_hash = '{hash}'", password_hash("x")),
            AuthProblemCode::Credential,
            2,
        ),
        (format!("{user}token_hash = '{hash}'\n{user}token_hash = '{hash}'"), AuthProblemCode::DuplicateUser, 6),
        ("[[certificate]]\nrole = 'guest'".to_owned(), AuthProblemCode::Glob, 2),
        ("[[certificate]]\nsan = '['\nrole = 'guest'".to_owned(), AuthProblemCode::Glob, 2),
        (jwt.to_owned(), AuthProblemCode::Jwt, 3),
        (
            format!("{}[[jwt.role]]\nclaim='c'\nvalue='*'\nrole='guest'", jwt.replace("'a'", "''")),
            AuthProblemCode::Jwt,
            4,
        ),
        (format!("{jwt}leeway = 1000\n[[jwt.role]]\nclaim='c'\nvalue='*'\nrole='guest'"), AuthProblemCode::Jwt, 5),
        ("[lockout]\nfirst_delay = 0".to_owned(), AuthProblemCode::Lockout, 1),
        ("[lockout]\nforget_after = 1".to_owned(), AuthProblemCode::Lockout, 1),
    ];
    let policy = Policy::parse("p", configured::ROLES).unwrap();
    for (text, code, line) in rows {
        let error = AuthConfig::parse("keyway.toml", &text, &policy).unwrap_err();
        assert_eq!((error.problems[0].code, error.problems[0].line), (code, line), "{error}\n{text}");
        assert!(error.to_string().starts_with("keyway.toml:"), "{error}");
    }
}

#[test]
fn nothing_prints_a_secret() {
    let (token, hash) = token::generate().unwrap();
    let authenticator = Authenticator::new(config(&format!(
        "[[user]]\nname = 'a'\nrole = 'guest'\ntoken_hash = '{hash}'\n[[user]]\nname = 'b'\nrole = 'guest'\n\
         password_hash = '{}'\n",
        password_hash("hunter2")
    )));
    let credentials = Credentials::Named { user: "a", secret: &token };
    let outcome = authenticator.begin(at(0), Source::Local, &credentials);
    for text in [format!("{authenticator:?}"), format!("{credentials:?}"), format!("{outcome:?}"), format!("{token:?}")]
    {
        assert!(!text.contains(token.expose()) && !text.contains(&hash) && !text.contains("argon2"), "{text}");
    }
}

#[test]
fn fresh_hashes_verify_and_are_salted() {
    let password = secret("pass");
    let [one, other] = [(); 2].map(|()| password::hash(&password).unwrap());
    assert_ne!(one, other);
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
    let text = format!("[[user]]\nname = 'a'\nrole = 'guest'\npassword_hash = '{one}'");
    let credentials = Credentials::Named { user: "a", secret: &password };
    let outcome = Authenticator::new(config(&text)).begin(at(0), Source::Local, &credentials);
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
}

#[test]
fn codes_are_listed_for_people() {
    let list = include_str!("../../../docs/errors.md");
    let problems = AuthProblemCode::ALL.iter().map(|code| code.code());
    let reasons = ["KW-A001", "KW-A002", "KW-A003", "KW-A004", "KW-A005", "KW-A006", "KW-A007", "KW-A008"];
    for code in problems.chain(reasons) {
        assert_eq!(list.matches(&format!("| `{code}` |")).count(), 1, "{code}");
    }
}
