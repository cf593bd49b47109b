//! What clients say: one JSON object a message, of which `op` says what it is about.

use std::time::Duration;

use serde_json::{Map as Object, Value as Json};

use crate::{
    fragment::{self, Fragment},
    pace::Wish,
};

/// A message of a client. Names are as the client writes them, with or without a slash before.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// This client publishes on a topic.
    Advertise {
        /// The topic.
        topic: String,
        /// Its type.
        kind: String,
        /// Whether the last message is for those who come later, too.
        latch: bool,
    },
    /// It no longer does.
    Unadvertise {
        /// The topic.
        topic: String,
    },
    /// A message on a topic.
    Publish {
        /// The topic.
        topic: String,
        /// The message.
        message: Json,
        /// As in `Advertise`, for topics that were not advertised.
        latch: bool,
    },
    /// It wants the messages of a topic.
    Subscribe(Subscribe),
    /// It no longer does.
    Unsubscribe {
        /// The topic.
        topic: String,
    },
    /// It calls a service.
    CallService(CallService),
    /// It serves a service.
    AdvertiseService {
        /// The service.
        service: String,
        /// Its type.
        kind: String,
    },
    /// It no longer does.
    UnadvertiseService {
        /// The service.
        service: String,
    },
    /// It has served a call.
    ServiceResponse {
        /// Which one.
        call: String,
        /// Whether it has succeeded.
        is_success: bool,
        /// What came of it, or what went wrong.
        values: Json,
    },
    /// It wants to be told of this and what is worse.
    SetLevel(Level),
    /// It says who it is, which nobody checks.
    Auth,
    /// A piece of a message.
    Fragment(Fragment),
}

/// A subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// The topic.
    pub topic: String,
    /// Its type, if the client says it.
    pub kind: Option<String>,
    /// How often.
    pub wish: Wish,
    /// In which form.
    pub form: Form,
    /// Characters in a piece; messages are whole if it is missing.
    pub fragment_size: usize,
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallService {
    /// The service.
    pub service: String,
    /// The request.
    pub args: Json,
    /// Of the answer.
    pub form: Form,
    /// Of the answer.
    pub fragment_size: usize,
    /// How long it may take, if the client says it.
    pub timeout: Option<Duration>,
}

/// The form of a message to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Text.
    #[default]
    Json,
    /// CBOR.
    Cbor,
    /// The bytes of ROS 1, in CBOR.
    CborRaw,
    /// Text as pixels.
    Png,
}

/// How bad a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Something was left out.
    Warning,
    /// A message had no effect.
    Error,
    /// Nothing is as bad.
    None,
}

impl Level {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::None => "none",
        }
    }
}

/// A message with the id by which the client knows it, if it has one: a text or a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// To be sent back as it is.
    pub id: Option<Json>,
    /// What is said; or what is wrong with it.
    pub op: Result<Op, String>,
}

/// Reads a text frame. What is too deep or has too many parts is refused before memory is taken for it.
pub fn read_text(text: &str) -> Result<Json, String> {
    let mut depth = 0_usize;
    let mut parts = 0_usize;
    let mut is_text = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if is_text => {
                bytes.next();
            }
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'[' | b'{' => {
                depth += 1;
                parts += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => parts += 1,
            _ => {}
        }
        if depth > DEPTH {
            return Err(format!("the message nests deeper than {DEPTH} levels"));
        }
        if parts > PARTS {
            return Err(format!("the message has more than {PARTS} parts; send buffers as base64"));
        }
    }
    serde_json::from_str(text).map_err(|error| format!("bad JSON: {error}"))
}

/// Reads what a message says.
pub fn read(message: Json) -> Message {
    let Json::Object(mut message) = message else {
        return Message { id: None, op: Err("a message is a JSON object with a text `op`".to_owned()) };
    };
    let id = message.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
    Message { op: op(&mut message), id }
}

fn op(message: &mut Object<String, Json>) -> Result<Op, String> {
    let kind =
        message.get("op").and_then(Json::as_str).ok_or("a message is a JSON object with a text `op`")?.to_owned();
    Ok(match kind.as_str() {
        "advertise" => Op::Advertise {
            topic: text(message, "topic")?,
            kind: text(message, "type")?,
            latch: flag(message, "latch"),
        },
        "unadvertise" => Op::Unadvertise { topic: text(message, "topic")? },
        "publish" => Op::Publish {
            topic: text(message, "topic")?,
            latch: flag(message, "latch"),
            message: message.remove("msg").unwrap_or(Json::Null),
        },
        "subscribe" => Op::Subscribe(Subscribe {
            topic: text(message, "topic")?,
            kind: text(message, "type").ok(),
            wish: Wish {
                throttle: Duration::from_millis(number(message, "throttle_rate").min(MOST_THROTTLE)),
                queue_length: usize::try_from(number(message, "queue_length")).unwrap_or(usize::MAX),
            },
            form: form(message)?,
            fragment_size: fragment_size(message),
        }),
        "unsubscribe" => Op::Unsubscribe { topic: text(message, "topic")? },
        "call_service" => Op::CallService(CallService {
            service: text(message, "service")?,
            args: message.remove("args").unwrap_or(Json::Null),
            form: form(message)?,
            fragment_size: fragment_size(message),
            timeout: message.get("timeout").and_then(Json::as_f64).filter(|seconds| *seconds > 0.0).and_then(seconds),
        }),
        "advertise_service" => {
            Op::AdvertiseService { service: text(message, "service")?, kind: text(message, "type")? }
        }
        "unadvertise_service" => Op::UnadvertiseService { service: text(message, "service")? },
        "service_response" => Op::ServiceResponse {
            call: text(message, "id")?,
            is_success: message.get("result").and_then(Json::as_bool).unwrap_or(true),
            values: message.remove("values").unwrap_or(Json::Null),
        },
        "set_level" => Op::SetLevel(match text(message, "level")?.as_str() {
            "info" => Level::Info,
            "warning" => Level::Warning,
            "error" => Level::Error,
            "none" => Level::None,
            other => return Err(format!("there is no level {other:?}; there are info, warning, error and none")),
        }),
        "auth" => Op::Auth,
        "fragment" => Op::Fragment(fragment::read(message).ok_or("a fragment has an id, data, num and total")?),
        other => return Err(format!("unsupported op {:?}", other.chars().take(64).collect::<String>())),
    })
}

fn text(message: &Object<String, Json>, name: &str) -> Result<String, String> {
    match message.get(name) {
        Some(Json::String(text)) if !text.is_empty() && text.len() <= MOST_NAME => Ok(text.clone()),
        Some(Json::String(text)) if !text.is_empty() => Err(format!("`{name}` is longer than {MOST_NAME} bytes")),
        _ => Err(format!("`{name}` is missing, or no text")),
    }
}

fn flag(message: &Object<String, Json>, name: &str) -> bool {
    message.get(name).and_then(Json::as_bool).unwrap_or(false)
}

/// 0 for what is missing or none.
fn number(message: &Object<String, Json>, name: &str) -> u64 {
    message.get(name).and_then(Json::as_u64).unwrap_or(0)
}

fn fragment_size(message: &Object<String, Json>) -> usize {
    usize::try_from(number(message, "fragment_size")).unwrap_or(usize::MAX)
}

fn form(message: &Object<String, Json>) -> Result<Form, String> {
    match message.get("compression").and_then(Json::as_str) {
        None | Some("none" | "") => Ok(Form::Json),
        Some("cbor") => Ok(Form::Cbor),
        Some("cbor-raw") => Ok(Form::CborRaw),
        Some("png") => Ok(Form::Png),
        Some(other) => Err(format!("there is no compression {:?}", other.chars().take(64).collect::<String>())),
    }
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// The name of a topic or service, as everybody here writes it.
pub fn full_name(name: &str) -> String {
    format!("/{}", name.trim_start_matches('/'))
}

const DEPTH: usize = 32;
const PARTS: usize = 1 << 20;
const MOST_NAME: usize = 1024;
/// A day, in milliseconds.
const MOST_THROTTLE: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_clients_send_is_understood() {
        let subscribe = json!({
            "op": "subscribe", "id": "subscribe:/chat:1", "type": "std_msgs/String", "topic": "/chat",
            "compression": "none", "throttle_rate": 0, "queue_length": 0
        });
        let message = read(subscribe);
        assert_eq!(message.id, Some(json!("subscribe:/chat:1")));
        let Ok(Op::Subscribe(subscribe)) = message.op else { panic!("{message:?}") };
        assert_eq!((subscribe.topic.as_str(), subscribe.wish, subscribe.form), ("/chat", Wish::default(), Form::Json));
        let call =
            read(json!({"op": "call_service", "id": 18, "service": "rosapi/topics", "args": {}, "timeout": 1.5}));
        assert_eq!(call.id, Some(json!(18)), "numbers stay numbers");
        let Ok(Op::CallService(call)) = call.op else { panic!("{call:?}") };
        assert_eq!(
            (full_name(&call.service).as_str(), call.timeout),
            ("/rosapi/topics", Some(Duration::from_millis(1500)))
        );
    }

    #[test]
    fn what_is_no_message_is_refused_with_a_reason() {
        for (message, reason) in [
            (json!([]), "a message is a JSON object"),
            (json!({"op": 1}), "a message is a JSON object"),
            (json!({"op": "fly"}), "unsupported op \"fly\""),
            (json!({"op": "publish"}), "`topic` is missing"),
            (json!({"op": "publish", "topic": "x".repeat(2000)}), "longer than"),
            (json!({"op": "subscribe", "topic": "/a", "compression": "zip"}), "there is no compression \"zip\""),
            (json!({"op": "set_level", "level": "loud"}), "there is no level"),
            (json!({"op": "fragment", "id": "a", "data": "", "num": -1, "total": 1}), "a fragment has"),
            (json!({"op": "send_action_goal"}), "unsupported op"),
        ] {
            let error = read(message.clone()).op.unwrap_err();
            assert!(error.contains(reason), "{message}: {error}");
        }
    }

    #[test]
    fn deep_and_crowded_texts_are_refused_before_they_are_read() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read_text(&nested(DEPTH)).is_ok());
        assert!(read_text(&nested(DEPTH + 1)).unwrap_err().contains("deeper"));
        assert!(read_text(&format!("[{}1]", "1,".repeat(PARTS))).unwrap_err().contains("parts"));
        // Texts may hold whatever they like.
        let text = json!({"data": "[".repeat(100) + "\\\"{,\""}).to_string();
        assert!(read_text(&text).is_ok());
        assert!(read_text("{").unwrap_err().contains("bad JSON"));
    }
}
