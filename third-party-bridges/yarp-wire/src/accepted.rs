//! Connections that come to a port.

use bytes::{Bytes, BytesMut};

use crate::{
    Bottle, Carrier, Command, Dialect, Limits, Message, WireError,
    lines::Lines,
    message::{binary_length, binary_message},
    number, text,
};

/// The longest name of a port, in bytes.
pub const MAX_NAME: usize = 1000;

/// A connection that somebody has opened: bytes in, messages out, and the bytes of answers.
///
/// The driver reads into [`buffer`](Self::buffer) and asks for [`event`](Self::event) until there is none.
#[derive(Debug)]
pub struct Accepted {
    buffer: BytesMut,
    lines: Lines,
    state: State,
    limits: Limits,
    dialect: Dialect,
}

#[derive(Debug)]
enum State {
    /// Nothing is known yet.
    Selecting,
    /// The name is due.
    Naming(Carrier),
    Open(Carrier),
    /// A line of a text carrier is due that belongs to a command.
    Data(Carrier, Waiting),
}

/// A command whose data have not all come.
#[derive(Debug)]
struct Waiting {
    command: Command,
    envelope: Option<Bytes>,
    data: Vec<u8>,
    open: text::Open,
}

/// What a connection says.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It has said who it is; [`Accepted::welcome`] is the answer.
    Opened {
        /// How its messages are written.
        carrier: Carrier,
        /// The name of the port it comes from; without a `/` in front it is no port.
        peer: String,
    },
    /// A message; [`Accepted::answer`] is the answer.
    Message(Message),
}

impl Accepted {
    /// A connection that has said nothing.
    pub fn new(dialect: Dialect, limits: Limits) -> Self {
        Self { buffer: BytesMut::new(), lines: Lines::default(), state: State::Selecting, limits, dialect }
    }

    /// Where what arrives is to be put.
    pub const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether the peer has said which carrier it wants; before, it has ten seconds to do so.
    pub const fn has_selected(&self) -> bool {
        !matches!(self.state, State::Selecting)
    }

    /// The next event in what has arrived. After an error the connection is of no use.
    pub fn event(&mut self) -> Result<Option<Event>, WireError> {
        loop {
            match &mut self.state {
                State::Selecting => {
                    let Some(first) = self.buffer.first_chunk() else { return Ok(None) };
                    let carrier = Carrier::select(*first).ok_or(WireError::UnknownCarrier(*first))?;
                    drop(self.buffer.split_to(number::LENGTH));
                    self.state = State::Naming(carrier);
                }
                State::Naming(carrier) => {
                    let carrier = *carrier;
                    let Some(peer) = name(&mut self.buffer, &mut self.lines, carrier)? else { return Ok(None) };
                    self.state = State::Open(carrier);
                    return Ok(Some(Event::Opened { carrier, peer }));
                }
                State::Open(carrier) if carrier.is_text() => {
                    let carrier = *carrier;
                    let Some(line) = self.lines.next(&mut self.buffer, self.limits.line)? else { return Ok(None) };
                    let (command, envelope) = Command::parse(&line);
                    if !command.has_data() {
                        return Ok(Some(Event::Message(Message { command, envelope, bottle: Ok(Bottle::default()) })));
                    }
                    let waiting = Waiting { command, envelope, data: Vec::new(), open: text::Open::default() };
                    self.state = State::Data(carrier, waiting);
                }
                State::Open(_) => {
                    let Some((index, payload)) = binary_length(&self.buffer, self.limits)? else { return Ok(None) };
                    if self.buffer.len() < index + payload {
                        return Ok(None);
                    }
                    drop(self.buffer.split_to(index));
                    let payload = self.buffer.split_to(payload).freeze();
                    return binary_message(payload, self.dialect).map(|message| Some(Event::Message(message)));
                }
                State::Data(carrier, waiting) => {
                    let limit = self.limits.line;
                    let room = limit
                        .checked_sub(waiting.data.len())
                        .ok_or(WireError::TooLarge { size: waiting.data.len() as u64, limit })?;
                    let Some(line) = self.lines.next(&mut self.buffer, room)? else { return Ok(None) };
                    waiting.data.extend_from_slice(&line);
                    waiting.open.feed(&line);
                    if waiting.open.take_escape() {
                        // A backslash at the end is not part of the text, and takes the line break with it.
                        waiting.data.pop();
                        continue;
                    }
                    if waiting.open.is_open() {
                        waiting.data.push(b'\n');
                        continue;
                    }
                    let (command, envelope) = (waiting.command.clone(), waiting.envelope.take());
                    let bottle = Bottle::parse(&waiting.data, self.dialect);
                    self.state = State::Open(*carrier);
                    return Ok(Some(Event::Message(Message { command, envelope, bottle })));
                }
            }
        }
    }

    /// What is said to a peer that has named itself.
    pub fn welcome(carrier: Carrier, peer: &str, port: u16) -> Vec<u8> {
        if carrier.is_text() {
            return format!("Welcome {peer}\r\n").into_bytes();
        }
        number::encode(port.into()).to_vec()
    }

    /// The answer to a message: a bottle if one is wanted, and what acknowledges it; to be written in one go.
    pub fn answer(carrier: Carrier, dialect: Dialect, reply: Option<&Bottle>) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(bottle) = reply {
            if carrier.is_text() {
                out = bottle.to_text();
                out.extend_from_slice(b"\r\n");
            } else {
                bottle.write_to(dialect, &mut out);
            }
        }
        acknowledge(carrier, &mut out);
        out
    }

    /// The answer of a text carrier to a command that gives lines.
    pub fn lines(carrier: Carrier, lines: &str) -> Vec<u8> {
        let mut out = lines.replace('\n', "\r\n").into_bytes();
        acknowledge(carrier, &mut out);
        out
    }
}

fn acknowledge(carrier: Carrier, out: &mut Vec<u8>) {
    match carrier {
        Carrier::Tcp => out.extend_from_slice(&number::encode(number::ACKNOWLEDGEMENT)),
        Carrier::TextAck => out.extend_from_slice(ACKNOWLEDGED_LINE),
        Carrier::FastTcp | Carrier::Text => {}
    }
}

fn name(buffer: &mut BytesMut, lines: &mut Lines, carrier: Carrier) -> Result<Option<String>, WireError> {
    let name = if carrier.is_text() {
        let Some(line) = lines.next(buffer, MAX_NAME)? else { return Ok(None) };
        line.freeze()
    } else {
        let Some(length) = buffer.first_chunk() else { return Ok(None) };
        let announced = i32::from_le_bytes(*length);
        let length = usize::try_from(announced).ok().filter(|length| (1..=MAX_NAME).contains(length));
        let length = length.ok_or_else(|| WireError::BadName(announced.into()))?;
        if buffer.len() < 4 + length {
            return Ok(None);
        }
        drop(buffer.split_to(4));
        let mut name = buffer.split_to(length).freeze();
        // It ends with a zero.
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(length));
        name
    };
    match std::str::from_utf8(&name) {
        // It is shown in logs and descriptions, which are lines.
        Ok(name) if !name.is_empty() && !name.contains(char::is_control) => Ok(Some(name.to_owned())),
        _ => Err(WireError::BadName(i64::try_from(name.len()).unwrap_or(i64::MAX))),
    }
}

pub(crate) const ACKNOWLEDGED_LINE: &[u8] = b"<ACK>\r\n";
