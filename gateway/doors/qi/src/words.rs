//! What a libqi client says of itself (spec 5.4).

use keyway::front::{AuthMap, RESUME_KEY};
use keyway_auth::Secret;
use keyway_gateway::Shown;
use keyway_value::Value;

/// The key of a lost session, or the credentials among a client's words: `auth_user` and `auth_token`, the token alone, or nothing.
pub(crate) fn shown(words: &AuthMap) -> Shown {
    let text = |key: &str| match words.get(key).map(Value::peel) {
        Some(Value::String(text)) => Some(text.to_string_lossy().into_owned()),
        _ => None,
    };
    if let Some(Value::Raw(key)) = words.get(RESUME_KEY) {
        return Shown::ResumeKey(key.clone());
    }
    match (text("user"), text("token")) {
        (Some(user), Some(token)) => Shown::Named { user, secret: Secret::new(token) },
        (None, Some(token)) => Shown::Bearer(Secret::new(token)),
        // A name alone proves nothing.
        (Some(user), None) => Shown::Named { user, secret: Secret::new(String::new()) },
        (None, None) => Shown::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(entries: &[(&str, Value)]) -> AuthMap {
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn user_and_token_are_a_name_with_its_secret() {
        let shown = shown(&words(&[("user", Value::from("nao")), ("token", Value::from("t"))]));
        assert!(matches!(shown, Shown::Named { user, secret } if user == "nao" && secret.expose() == "t"));
    }

    #[test]
    fn a_resume_key_counts_before_everything_else_and_only_as_bytes() {
        let key = Value::Raw(vec![1, 2].into());
        let shown_with = |key| shown(&words(&[(RESUME_KEY, key), ("user", Value::from("nao"))]));
        assert!(matches!(shown_with(key), Shown::ResumeKey(key) if key[..] == [1, 2]));
        assert!(matches!(shown_with(Value::from("text")), Shown::Named { .. }));
    }

    #[test]
    fn other_words_are_nothing() {
        assert!(matches!(shown(&words(&[("remoteEndpoint", Value::from("tcp://h:1"))])), Shown::Nothing));
        assert!(matches!(shown(&words(&[("token", Value::from(5_u32))])), Shown::Nothing));
    }

    #[test]
    fn a_name_alone_is_a_name_with_an_empty_secret() {
        let shown = shown(&words(&[("user", Value::from("nao"))]));
        assert!(matches!(shown, Shown::Named { secret, .. } if secret.expose().is_empty()));
    }
}
