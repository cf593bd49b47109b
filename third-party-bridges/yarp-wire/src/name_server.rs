//! The text protocol of the name server, and where its address is written (spec 2).

use bytes::BytesMut;

use crate::{WireError, lines::Lines};

/// Where a port is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its name.
    pub name: String,
    /// The host.
    pub host: String,
    /// The number of its TCP port.
    pub port: u16,
    /// How it is spoken to.
    pub carrier: String,
}

impl Registration {
    /// A registration in a line of a reply.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        if (words.next(), words.next()) != (Some("registration"), Some("name")) {
            return None;
        }
        let name = words.next()?.to_owned();
        let mut value = |key: &str| words.next().filter(|word| *word == key).and_then(|_| words.next());
        let (host, port, carrier) = (value("ip")?, value("port")?, value("type")?);
        Some(Self { name, host: host.to_owned(), port: port.parse().ok()?, carrier: carrier.to_owned() })
    }
}

/// A line that asks the name server for something.
pub fn request(command: &str) -> Vec<u8> {
    format!("NAME_SERVER {command}\r\n").into_bytes()
}

/// The lines of a reply, as they come.
#[derive(Debug, Default)]
pub struct Reply {
    buffer: BytesMut,
    lines: Lines,
}

impl Reply {
    /// Where what arrives is to be put.
    pub const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next line; `None` while it has not come.
    pub fn line(&mut self) -> Result<Option<ReplyLine>, WireError> {
        let Some(line) = self.lines.next(&mut self.buffer, MAX_LINE)? else { return Ok(None) };
        let line = String::from_utf8_lossy(&line);
        Ok(Some(match line.trim_end() {
            END => ReplyLine::End,
            line => ReplyLine::Line(line.to_owned()),
        }))
    }
}

/// A line of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyLine {
    /// The last one.
    End,
    /// One that says something.
    Line(String),
}

const END: &str = "*** end of message";

/// Far more than a registration takes.
const MAX_LINE: usize = 64 << 10;

/// The address in a `yarp.conf`: the first line, or a section with `host` and `port`.
pub fn address_in_config(text: &str) -> Option<(String, u16)> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if lines().next()?.starts_with('[') {
        let value = |key: &str| {
            lines().find_map(|line| {
                let (name, value) = line.split_once([' ', '=', '\t'])?;
                (name == key).then(|| value.trim_matches([' ', '=', '\t', '"']).to_owned())
            })
        };
        return Some((value("host")?, value("port")?.parse().ok()?));
    }
    let mut words = lines().next()?.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

/// The names of the files that may hold the address, for a namespace (`/root` by default).
pub fn config_file(namespace: &str) -> String {
    if namespace == "/root" {
        return "yarp.conf".to_owned();
    }
    let name = namespace.replace(|character: char| !character.is_ascii_alphanumeric(), "_");
    format!("{name}.conf")
}

/// A name with every character that ports do not have replaced (NS-7).
pub fn port_name_part(name: &str) -> String {
    name.replace(|character: char| !(character.is_ascii_alphanumeric() || "_.-".contains(character)), "_")
}

/// Whether text is the name of a port: it begins with `/`, does not end with it, and has no blanks or control characters.
pub fn is_port_name(name: &str) -> bool {
    let bad = |character: char| character.is_whitespace() || character.is_control();
    name.len() > 1 && name.starts_with('/') && !name.ends_with('/') && !name.contains(bad)
}
