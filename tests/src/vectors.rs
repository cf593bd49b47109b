//! The frames captured from libqi, in `tests/data/vectors/qi` (its README says what is in which file).

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use keyway_value::Signature;
use serde_json::Value as Json;

/// One file of captured frames.
#[derive(Debug)]
pub struct VectorFile {
    /// Its name, without folder and extension.
    pub name: String,
    /// What happened, in the order in which it did.
    pub entries: Vec<Entry>,
}

/// One thing that happened on a captured connection.
#[derive(Debug)]
pub enum Entry {
    /// A frame was sent.
    Frame(CapturedFrame),
    /// Nothing more will be sent.
    EndOfStream,
}

/// A frame as it was on the wire, and what the capturing script made of it.
#[derive(Debug)]
pub struct CapturedFrame {
    /// Where it is, for messages: file and position.
    pub place: String,
    /// Number of the connection within the capture.
    pub connection: u64,
    /// Whether the client sent it.
    pub from_client: bool,
    /// Header and payload.
    pub bytes: Vec<u8>,
    /// The header's fields.
    pub header: Json,
    /// The payload's type, if the capture knew it.
    pub signature: Option<Signature>,
    /// The payload: dynamics as `{"dynamic": …, "value": …}`, objects as `{"object": …}`, what is not text as
    /// `{"bytes": …}`, maps as lists of pairs, and `[["undecoded", …]]` of what is too short on purpose.
    pub payload: Json,
}

impl CapturedFrame {
    /// Whether the payload ends too early, as the capture wanted it to.
    pub fn is_truncated(&self) -> bool {
        self.payload[0][0] == "undecoded"
    }
}

impl VectorFile {
    /// The frames among the entries.
    pub fn frames(&self) -> impl Iterator<Item = &CapturedFrame> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Frame(frame) => Some(frame),
            Entry::EndOfStream => None,
        })
    }
}

/// All files, by name.
pub fn load() -> Result<Vec<VectorFile>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/vectors/qi");
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.into_iter().map(|path| file(&path).with_context(|| format!("reading {}", path.display()))).collect()
}

fn file(path: &PathBuf) -> Result<VectorFile> {
    let json: Json = serde_json::from_str(&fs::read_to_string(path)?)?;
    let name = path.file_stem().and_then(|stem| stem.to_str()).context("the file has no name")?.to_owned();
    let list = json["frames"].as_array().context("there is no list of frames")?;
    let entries = list.iter().enumerate();
    let entries = entries.map(|(position, json)| {
        let place = format!("{name} frame {position}");
        entry(json, place.clone()).context(place)
    });
    Ok(VectorFile { entries: entries.collect::<Result<_>>()?, name })
}

fn entry(json: &Json, place: String) -> Result<Entry> {
    if json["event"] == "end of stream" {
        return Ok(Entry::EndOfStream);
    }
    let signature = json["payloadSignature"].as_str().map(Signature::parse).transpose()?;
    Ok(Entry::Frame(CapturedFrame {
        place,
        connection: json["connection"].as_u64().context("no connection")?,
        from_client: json["direction"] == "client->server",
        bytes: hex(json["hex"].as_str().context("no bytes")?)?,
        header: json["header"].clone(),
        signature,
        payload: json["payload"].clone(),
    }))
}

/// Bytes from hexadecimal digits.
pub fn hex(text: &str) -> Result<Vec<u8>> {
    ensure!(text.is_ascii() && text.len().is_multiple_of(2), "not pairs of hexadecimal digits");
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&text[at..at + 2], 16).context("not hexadecimal")).collect()
}
