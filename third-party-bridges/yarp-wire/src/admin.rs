//! Administrative messages: what a port is connected to, and changes of that (spec 3.4).

use crate::{Bottle, Carrier, Command, Dialect, Item, Vocab, encode_message};

/// What is asked of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `[add] "carrier://peer"`: connect to a port.
    Add(Destination),
    /// `[del] "/peer"`: end the connection.
    Delete(String),
    /// `[help]`
    Help,
    /// `[list] [in]`
    Inputs,
    /// `[list] [in] /peer`
    Input(String),
    /// `[list] [out]`
    Outputs,
    /// `[list] [out] /peer`
    Output(String),
    /// `[ver]`
    Version,
    /// Anything else.
    Unknown,
}

/// A port, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// As it was written.
    pub text: String,
    /// The name of the carrier, which may be one that is not spoken here.
    pub carrier: String,
    /// The name of the port, with its `/`.
    pub port: String,
}

impl Request {
    /// Reads a request. The verb may be a vocab or a string.
    pub fn parse(bottle: &Bottle) -> Self {
        let words: Vec<_> = bottle.items.iter().map(|item| item.word().unwrap_or_default()).collect();
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        match words[..] {
            ["ver", ..] => Self::Version,
            ["help", ..] => Self::Help,
            ["list", "in"] => Self::Inputs,
            ["list", "out"] => Self::Outputs,
            ["list", "in", peer, ..] => Self::Input(peer.to_owned()),
            ["list", "out", peer, ..] => Self::Output(peer.to_owned()),
            ["add", destination] => Self::Add(Destination::parse(destination, None)),
            ["add", destination, carrier, ..] => Self::Add(Destination::parse(destination, Some(carrier))),
            ["del", peer, ..] => Self::Delete(Destination::parse(peer, None).port),
            _ => Self::Unknown,
        }
    }
}

impl Destination {
    fn parse(text: &str, carrier: Option<&str>) -> Self {
        // `tcp://peer` is the carrier, `:/` and the port's name.
        let (before, port) = match text.split_once(":/") {
            Some((before, port)) if !before.contains('/') => (Some(before), port),
            _ => (None, text),
        };
        let carrier = carrier.or(before).filter(|carrier| !carrier.is_empty()).unwrap_or(Carrier::Tcp.name());
        Self { text: text.to_owned(), carrier: carrier.to_owned(), port: port.to_owned() }
    }
}

/// `[ver] 1 2 3`, whichever YARP it is.
pub fn version() -> Bottle {
    vec![Item::vocab("ver"), 1.into(), 2.into(), 3.into()].into()
}

/// What can be asked.
pub fn help() -> Bottle {
    let lines = [
        "[add] $portname          # connect to a port",
        "[add] $portname $carrier # the same over a carrier: tcp, fast_tcp, text_ack or text",
        "[del] $portname          # end the connection",
        "[list] [in]              # list incoming connections",
        "[list] [in] $portname    # describe one of them",
        "[list] [out]             # list outgoing connections",
        "[list] [out] $portname   # describe one of them",
        "[ver]                    # the version of the protocol",
        "[help]                   # this",
    ];
    many(&lines)
}

/// `[many] "line" …`
pub fn many<L: AsRef<str>>(lines: &[L]) -> Bottle {
    let mut items = vec![Item::Vocab(Vocab::MANY)];
    items.extend(lines.iter().map(|line| Item::from(line.as_ref())));
    items.into()
}

/// The description of a connection.
pub fn connection(from: &str, to: &str, carrier: Carrier) -> Bottle {
    let pair = |key: &str, value: &str| Item::List(vec![key.into(), value.into()]);
    vec![pair("from", from), pair("to", to), pair("carrier", carrier.name())].into()
}

/// What became of a change: 0 for success.
pub fn outcome(code: i32, text: &str) -> Bottle {
    vec![Item::from(code), Item::from(format!("{text}\r\n"))].into()
}

/// The answer to what is not understood.
pub fn unknown() -> Bottle {
    Bottle::fail("send [help] for list of valid commands")
}

/// The bytes that ask a port to connect to another, after the hello on a [`Carrier::TextAck`] connection.
pub fn ask_to_add(port: &str, carrier: Carrier) -> Vec<u8> {
    let bottle = vec![Item::vocab("add"), Item::from(format!("{carrier}:/{port}"))].into();
    encode_message(Carrier::TextAck, Dialect::V3, &Command::Admin, None, &bottle)
}
