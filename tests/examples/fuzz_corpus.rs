//! Writes `tests/fuzz/corpus` anew: what libqi sent, and what means harm. Run it after adding a case here; inputs that a
//! fuzzer found are added by hand and stay.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use keyway_session::CapabilityMap;
use keyway_tests::{
    fuzz::{JUDGE, PASS},
    vectors::{CapturedFrame, VectorFile, load},
};
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
use keyway_wire::{
    Flags, Frame, FrameDecoder, FrameLimits, MessageKind,
    native::{Control, Held, Hello, Kept, NativeHeader, Overflow, Proof, Resume, SecretText, VERSION, Welcome},
};
use keyway_yarp_wire::{Bottle, Carrier, Command, Dialect, Dialled, encode_message};

/// Inputs of one target, by file name.
type Inputs = BTreeMap<String, Vec<u8>>;

fn main() -> Result<()> {
    let files = load()?;
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut total = 0;
    for (target, inputs) in [
        ("frame", frames(&files)),
        ("handshake", handshakes(&files)),
        ("native_control", native_controls()),
        ("native_frame", native_frames(&files)),
        ("ros_body", ros_bodies()),
        ("ros_header", ros_headers()),
        ("ros_xmlrpc", ros_xmlrpc()),
        ("signature", signatures(&files)),
        ("value", values(&files)),
        ("yarp_binary", yarp_bottles(true)),
        ("yarp_connection", yarp_connections()),
        ("yarp_text", yarp_bottles(false)),
    ] {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in &inputs {
            fs::write(folder.join(name), bytes)?;
            total += bytes.len();
        }
        println!("{target}: {} inputs", inputs.len());
    }
    println!("{total} bytes");
    Ok(())
}

/// Bottles of both dialects, and what means harm.
fn yarp_bottles(is_binary: bool) -> Inputs {
    let mut inputs = Inputs::new();
    for (number, dialect) in [Dialect::V3, Dialect::V4].into_iter().enumerate() {
        let first = u8::try_from(number).unwrap_or_default();
        for (name, text) in YARP_BOTTLES {
            let bottle = Bottle::parse(text.as_bytes(), dialect).unwrap_or_default();
            let bytes = if is_binary { bottle.to_bytes(dialect) } else { text.as_bytes().to_vec() };
            inputs.insert(format!("{name}-{dialect}"), [&[first][..], &bytes].concat());
        }
    }
    let (dict, list) = (768_i32.to_le_bytes(), 256_i32.to_le_bytes());
    if is_binary {
        let one = 1_i32.to_le_bytes();
        inputs.insert("dict".into(), [&[0][..], &list, &one, &dict, &list, &[0; 4]].concat());
        inputs.insert("hostile-count".into(), [&[0][..], &list, &i32::MAX.to_le_bytes()].concat());
        inputs.insert("hostile-negative".into(), [&[0][..], &list, &(-1_i32).to_le_bytes()].concat());
        inputs.insert("hostile-depth".into(), [&[0][..], &[list, one].concat().repeat(80)].concat());
    } else {
        inputs.insert("hostile-depth".into(), [&[0][..], &b"(".repeat(200)].concat());
        inputs.insert("hostile-halves".into(), b"\0(1 {2 \"3".to_vec());
        inputs.insert("hostile-bytes".into(), b"\0a\xff\xfe \"\xff\" [\xff] \\".to_vec());
    }
    inputs
}

const YARP_BOTTLES: [(&str, &str); 6] = [
    ("call", "set gain 2.5"),
    ("nested", "(1 (2.5 \"x y\") () ((a 1) (b 2))) [ok] true null"),
    ("numbers", "1 -2 5000000000 0x10 017 2.5 1e3 -inf nan 2026-11-21"),
    ("vector", "1.0 2.0 3.0"),
    ("blob", "x {1 2 255} {}"),
    ("text", "hello \"a \\\"b\\\" \\n\" Zoé [position]"),
];

/// Conversations over each carrier, and what means harm.
fn yarp_connections() -> Inputs {
    let mut inputs = Inputs::new();
    let bottle = Bottle::parse(b"add 2 (3 \"x y\")", Dialect::V3).unwrap_or_default();
    for carrier in Carrier::ALL {
        for (name, command) in [
            ("data", Command::Data { reply: false }),
            ("rpc", Command::Data { reply: true }),
            ("admin", Command::Admin),
        ] {
            let mut bytes = [&[3, 1, 27, 200][..], &Dialled::hello(carrier, "/x/w")].concat();
            bytes.extend(encode_message(carrier, Dialect::V3, &command, Some(b"7 1.5"), &bottle));
            bytes.extend(encode_message(carrier, Dialect::V3, &Command::Disconnect, None, &bottle));
            inputs.insert(format!("{name}-{carrier}"), bytes);
        }
    }
    inputs.insert("hostile-udp".into(), b"\0YA\x61\x1e\0\0RP".to_vec());
    inputs.insert("hostile-lines".into(), b"\0CONNECT x\nd\n(\n\"\n\\\n)".to_vec());
    inputs
}

/// Messages of types that come with ROS, and what means harm.
fn ros_bodies() -> Inputs {
    let registry = keyway_ros_types::Registry::standard();
    let kinds =
        ["std_msgs/String", "geometry_msgs/Twist", "sensor_msgs/JointState", "sensor_msgs/Image", "tf2_msgs/TFMessage"];
    let mut inputs = Inputs::new();
    for kind in kinds {
        let shape = kind.parse().ok().and_then(|name| keyway_ros_types::Shape::of_message(&registry, &name).ok());
        let message = shape.and_then(|shape| keyway_ros_types::body::encode(&shape, &shape.default_value()).ok());
        if let Some(message) = message {
            let file = kind.replace('/', "-");
            inputs.insert(file, [format!("{kind} data\n\0").as_bytes(), &message].concat());
        }
    }
    for (name, text, message) in [
        ("all-kinds", "bool a\nint8 b\nuint16[2] c\nfloat64[] d\nstring[] e\ntime f\nuint8[] g", &[1; 60][..]),
        ("constants", "string S=a # b\nint8 X = 3 # c\nint8 x", b"\x03"),
        ("empty", "", b""),
        ("hostile-count", "float64[] a", b"\xff\xff\xff\xff"),
        ("hostile-empties", "std_msgs/Empty[] a", b"\xff\xff\0\0"),
        ("hostile-fixed", "std_msgs/Empty[16777216] a", b""),
        ("hostile-string", "string a", b"\xff\xff\xff\x7fa"),
        ("json", "", b"{\"a\":[1,2.5,{\"$raw\":\"AA==\"},{\"$float\":\"nan\"}]}"),
        ("json-deep", "", &[b'['; 200][..]),
        ("json-large-integer", "", b"[18446744073709551616]"),
    ] {
        inputs.insert(name.to_owned(), [text.as_bytes(), b"\0", message].concat());
    }
    inputs
}

/// Headers as rospy and roscpp send them, without the length before them, and what means harm.
fn ros_headers() -> Inputs {
    let header = |fields: &[(&str, &str)]| {
        keyway_bridge_ros1::tcpros::Header::new(fields.iter().copied()).to_bytes()[4..].to_vec()
    };
    let mut inputs = Inputs::new();
    for (name, fields) in [
        (
            "subscriber",
            &[("callerid", "/l"), ("topic", "/t"), ("type", "std_msgs/String"), ("md5sum", "*"), ("tcp_nodelay", "1")]
                [..],
        ),
        (
            "publisher",
            &[
                ("callerid", "/p"),
                ("type", "std_msgs/String"),
                ("latching", "0"),
                ("message_definition", "string data\n"),
            ],
        ),
        ("caller", &[("callerid", "/c"), ("service", "/s"), ("md5sum", "*"), ("persistent", "1")]),
        ("probe", &[("callerid", "/c"), ("service", "/s"), ("md5sum", "*"), ("probe", "1")]),
        ("refusal", &[("error", "no such topic")]),
        ("none", &[]),
    ] {
        inputs.insert(name.to_owned(), header(fields));
    }
    for (name, bytes) in [
        ("hostile-cut-off", &b"\x08\0\0\0a=b"[..]),
        ("hostile-length", b"\xff\xff\xff\xffa=b"),
        ("hostile-no-equals", b"\x03\0\0\0abc"),
        ("hostile-no-name", b"\x03\0\0\0=bc"),
        ("hostile-not-utf8", b"\x04\0\0\0a=\xff\xfe"),
        ("hostile-twice", b"\x03\0\0\0a=b\x03\0\0\0a=c"),
        ("hostile-empty-field", b"\0\0\0\0"),
    ] {
        inputs.insert(name.to_owned(), bytes.to_vec());
    }
    inputs
}

/// Calls and responses as rosmaster, rospy and roscpp write them, and what means harm.
fn ros_xmlrpc() -> Inputs {
    let call = |params: &str| {
        format!(
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>x</methodName>\n<params>{params}</params>\n</methodCall>\n"
        )
    };
    let response = |value: &str| {
        format!(
            "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n{value}\n</param>\n</params>\n</methodResponse>\n"
        )
    };
    let inputs = [
        ("call", call("<param><value><string>/n</string></value></param><param><value>bare</value></param>")),
        ("call-nothing", call("")),
        ("array", response("<value><array><data><value><int>1</int></value><value><string>a</string></value></data></array></value>")),
        ("struct", response("<value><struct><member><name>n</name><value><i4>1</i4></value></member></struct></value>")),
        ("scalars", response("<value><array><data><value><boolean>1</boolean></value><value><double>2.5</double></value><value><base64>AAE=</base64></value><value><dateTime.iso8601>19980717T14:08:55</dateTime.iso8601></value></data></array></value>")),
        ("text", response("<value><string>a &lt;&amp;&#65;&#x42;<![CDATA[<x>]]></string></value>")),
        ("empty", response("<value/>")),
        ("fault", "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-1</int></value></member></struct></value></fault></methodResponse>".to_owned()),
        ("hostile-bomb", "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><methodCall><methodName>&a;</methodName></methodCall>".to_owned()),
        ("hostile-deep", response(&"<value><array><data>".repeat(40))),
        ("hostile-entity", response("<value>&nbsp;</value>")),
        ("hostile-unclosed", "<methodCall><methodName>x".to_owned()),
        ("hostile-char-ref", response("<value>&#0;&#xD800;</value>")),
    ];
    inputs.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect()
}

fn frames(files: &[VectorFile]) -> Inputs {
    let mut inputs = Inputs::new();
    for file in files {
        // The metaobjects of 3 and 13 are those of 1 and 14 again.
        if ["03-host-connect", "13-object-returned"].contains(&file.name.as_str()) {
            continue;
        }
        let stream: Vec<u8> = file.frames().flat_map(|frame| frame.bytes.iter().copied()).collect();
        if !stream.is_empty() {
            inputs.insert(file.name.clone(), [&[3, 1, 27, 200][..], &stream].concat());
        }
    }
    let call = frame(MessageKind::Call, 7, (1, 1, 108), Payload::from(vec![1, 2, 3]));
    let with_size = |size: u32| {
        let mut bytes = vec![0];
        bytes.extend_from_slice(&call.to_bytes());
        bytes[9..13].copy_from_slice(&size.to_le_bytes());
        bytes
    };
    inputs.insert("hostile-size-4-gib".into(), with_size(u32::MAX));
    inputs.insert("hostile-size-one-over-limit".into(), with_size((64 << 10) + 1));
    inputs.insert("hostile-size-short".into(), with_size(1));
    inputs.insert("hostile-magic-swapped".into(), [&[0, 0x42, 0xAD, 0xDE, 0x42][..], &[0; 40]].concat());
    inputs.insert("hostile-header-cut-off".into(), [&[0][..], &call.to_bytes()[..27]].concat());
    inputs.insert(
        "hostile-good-then-bad".into(),
        [&[1, 5][..], &call.to_bytes(), &[0x42, 0xDE, 0, 0], &[9; 30]].concat(),
    );
    inputs
}

/// What was captured, as it would be sent natively; and what means harm.
fn native_frames(files: &[VectorFile]) -> Inputs {
    let mut inputs = Inputs::new();
    for file in files {
        let mut stream = vec![3, 1, 27, 200];
        for frame in file.frames().filter(is_small) {
            let mut decoder = FrameDecoder::new(FrameLimits::default());
            if let Ok(Some(frame)) = decoder.decode(&mut BytesMut::from(&frame.bytes[..])) {
                stream.extend(native(u64::from(frame.header.id.0), &frame));
            }
        }
        if (5..2000).contains(&stream.len()) {
            inputs.insert(file.name.clone(), stream);
        }
    }
    let call = frame(MessageKind::Call, 7, (1, 1, 108), Payload::from(vec![1, 2, 3]));
    let whole = native(0, &call);
    let with_size = |size: &[u8]| [&[0][..], &whole[..whole.len() - 4], size, &[1, 2, 3]].concat();
    inputs.insert("hostile-size-4-gib".into(), with_size(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]));
    inputs.insert("hostile-size-5-gib".into(), with_size(&[0xFF, 0xFF, 0xFF, 0xFF, 0x1F]));
    inputs.insert("hostile-size-one-over-limit".into(), with_size(&[0x81, 0x80, 0x04]));
    inputs.insert("hostile-size-in-a-longer-form".into(), with_size(&[0x83, 0x80, 0x00]));
    inputs.insert("hostile-header-cut-off".into(), [&[0][..], &whole[..whole.len() - 4]].concat());
    inputs.insert("hostile-number-without-end".into(), vec![0x80; 60]);
    inputs.insert("hostile-good-then-bad".into(), [&[2, 1, 5][..], &whole, &[0x80; 50]].concat());
    inputs
}

fn native(sequence: u64, frame: &Frame) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    NativeHeader { sequence, header: frame.header }.encode_into(&mut bytes);
    bytes.extend_from_slice(frame.payload_bytes());
    bytes.to_vec()
}

fn native_controls() -> Inputs {
    let capabilities = CapabilityMap::libqi().encode().into_bytes();
    let token = || SecretText::new("token".into());
    let hello = Control::Hello(Hello { version: VERSION, capabilities: capabilities.clone(), resumes: true });
    let kept = Some(Kept { key: vec![7; 80].into(), seconds: 60 });
    let welcome = Control::Welcome(Welcome { version: VERSION, session: [7; 16], capabilities, kept });
    let key = || Bytes::from(vec![7; 80]);
    let held = || Held { calls: 300, large: 2, events: vec![(1, 1, 0, 5), (2, 1, 300, 70_000)] };
    let resume = Control::Resume(Resume { key: key(), held: held() });
    let resumed =
        [Control::Resumed { held: held(), key: key() }, Control::Acknowledge(held()), Control::Key { key: key() }];
    let challenge = Control::Challenge { text: "user and token".into() };
    let user = Control::Authenticate(Proof::User { user: "nao".into(), token: token() });
    let flow = |overflow| Control::Flow { service: 2, object: 1, action: 300, overflow };
    let flows = [Overflow::Block, Overflow::DropOldest, Overflow::Latest].map(flow);
    let stories: [(&str, Vec<Control>); 7] = [
        ("client-with-nothing", vec![hello.clone(), Control::Authenticate(Proof::Nothing)]),
        ("client-with-token", vec![hello.clone(), Control::Authenticate(Proof::Token(token()))]),
        ("client-with-user", vec![hello.clone(), user.clone(), user]),
        ("server", vec![challenge, welcome]),
        ("flows", flows.to_vec()),
        ("client-that-comes-back", vec![hello.clone(), resume]),
        ("server-that-goes-on", resumed.to_vec()),
    ];
    let bytes = |messages: &[Control]| {
        let mut bytes = BytesMut::new();
        messages.iter().for_each(|message| message.encode_into(&mut bytes).unwrap_or_default());
        bytes.to_vec()
    };
    let mut inputs: Inputs = stories
        .into_iter()
        .map(|(name, messages)| (name.to_owned(), [&[2, 1, 9][..], &bytes(&messages)].concat()))
        .collect();
    let greeting = bytes(&[hello]);
    let hostile: [(&str, Vec<u8>); 8] = [
        ("length-4-gib", vec![0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0]),
        ("length-5-gib", vec![0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0]),
        ("length-without-end", vec![0x80; 20]),
        ("nothing", vec![0, 0, 0]),
        ("unknown-variant", vec![3, 99, 1, 2, 2, 2, 0]),
        ("text-longer-than-message", vec![4, 1, 0xFF, 0x7F, b'x']),
        ("text-that-is-no-utf-8", vec![4, 1, 2, 0xFF, 0xFE]),
        ("cut-off", greeting[..greeting.len() - 1].to_vec()),
    ];
    inputs.extend(hostile.into_iter().map(|(name, bytes)| (format!("hostile-{name}"), [&[0][..], &bytes].concat())));
    inputs
}

fn handshakes(files: &[VectorFile]) -> Inputs {
    let mut inputs = Inputs::new();
    for file in files {
        for (side, from_client) in [("client", true), ("server", false)] {
            // The connection that the file is about, or both.
            let of = |connection| file.frames().filter(move |frame| frame.connection == connection);
            for connection in 0..4 {
                let sent = of(connection).filter(|frame| frame.from_client == from_client);
                let stream: Vec<u8> = sent.filter(is_small).flat_map(|frame| frame.bytes.iter().copied()).collect();
                if stream.is_empty() || !STORIES.contains(&&file.name[..2]) {
                    continue;
                }
                for (name, settings) in SETTINGS {
                    let name = format!("{}-{connection}-{side}-{name}", file.name);
                    inputs.insert(name, [&[settings][..], &stream].concat());
                }
            }
        }
    }
    inputs.extend(hostile_handshakes());
    inputs
}

/// The captures that are about letting in.
const STORIES: [&str; 3] = ["01", "15", "17"];
/// Open to all; never convinced, after two steps, with a delay; waiting for a judgement, and a client with credentials.
const SETTINGS: [(&str, u8); 3] = [("open", 0), ("never", 0x25), ("judged", 0x0A)];

fn is_small(frame: &&CapturedFrame) -> bool {
    frame.bytes.len() < 1000
}

fn hostile_handshakes() -> Inputs {
    let map = CapabilityMap::libqi().encode();
    let authenticate = |id| frame(MessageKind::Call, id, (0, 0, 8), map.clone());
    let pass = |milliseconds| frame(MessageKind::Unknown(PASS), milliseconds, (0, 0, 0), Payload::new());
    let judge = |verdict| frame(MessageKind::Unknown(JUDGE), verdict, (0, 0, 0), Payload::new());
    let call = |id| frame(MessageKind::Call, id, (1, 1, 108), Payload::new());
    let reply = |state: u32| {
        let mut map = CapabilityMap::libqi();
        map.set("__qi_auth_state", state);
        frame(MessageKind::Reply, 1, (0, 0, 8), map.encode())
    };
    let mut many = CapabilityMap::empty();
    (0..100).for_each(|n| _ = many.set(&format!("Capability{n}"), true));
    let many = frame(MessageKind::Capability, 1, (0, 0, 0), many.encode());
    let deep = [&1_u32.to_le_bytes()[..], b"\x01\0\0\0A", &b"\x01\0\0\0m".repeat(200), b"\x01\0\0\0v"].concat();
    let dynamic = frame(MessageKind::Call, 1, (0, 0, 8), deep.clone().into()).with_flags(Flags(3));
    let stories: [(&str, u8, Vec<Frame>); 10] = [
        ("timeout", 0, vec![pass(9999), call(1), pass(1), authenticate(2)]),
        ("pipelined-then-let-in", 2, vec![authenticate(1), call(2), call(3), judge(0), call(4), authenticate(5)]),
        ("pipelined-then-refused", 6, vec![authenticate(1), call(2), judge(2), call(3), pass(100), call(4)]),
        ("judged-unasked", 2, vec![judge(0), authenticate(1), judge(1), judge(0), authenticate(2), judge(0), judge(2)]),
        ("dialogue-without-end", 8, (0..20).flat_map(|id| [reply(2), authenticate(id)]).collect()),
        ("states", 0, vec![reply(2), reply(3), reply(1), reply(0)]),
        ("many-capabilities", 0, vec![many.clone(), many, authenticate(1)]),
        ("deep-map", 0, vec![frame(MessageKind::Call, 1, (0, 0, 8), deep.into())]),
        ("deep-dynamic-map", 0, vec![dynamic]),
        ("old-server", 0, vec![frame(MessageKind::Capability, 1, (0, 0, 0), map.clone()), reply(3), call(1)]),
    ];
    let stories = stories.into_iter();
    let bytes = |settings: u8, frames: Vec<Frame>| {
        let mut bytes = vec![settings];
        frames.iter().for_each(|frame| bytes.extend_from_slice(&frame.to_bytes()));
        bytes
    };
    stories.map(|(name, settings, frames)| (format!("hostile-{name}"), bytes(settings, frames))).collect()
}

fn signatures(files: &[VectorFile]) -> Inputs {
    let all = files.iter().flat_map(VectorFile::frames).filter_map(|frame| frame.signature.as_ref());
    let mut texts: Vec<_> = all.map(ToString::to_string).collect();
    texts.sort_by_key(|text| (text.len(), text.clone()));
    texts.dedup();
    let captured = (0..).zip(texts).map(|(n, text): (u32, _)| (format!("captured-{n:02}"), text.into_bytes()));
    let hostile = [
        ("deep-list-63", format!("{}i{}", "[".repeat(63), "]".repeat(63))),
        ("deep-list-64", format!("{}i{}", "[".repeat(64), "]".repeat(64))),
        ("deep-optional-5000", "+".repeat(5000)),
        ("deep-tuple-open-5000", "(".repeat(5000)),
        ("long-tuple-2000", format!("({})", "d".repeat(2000))),
        ("nested-annotation", "(i<a<b>c>s)<Point,x<y>,z>".into()),
        ("annotation-open", "(is)<Point,x,y".into()),
        ("annotation-empty", "i<>".into()),
        ("annotation-not-ascii", "(is)<P\u{fc}nkt,\u{20ac},\u{1f916}>".into()),
        ("keyword-arguments", "(#m~m)".into()),
        ("all-letters", "(bcCwWiIlLfdsrmovX_)".into()),
        ("map-of-one", "{s}".into()),
        ("list-of-two", "[ss]".into()),
        ("trailing", "ii".into()),
    ];
    captured.chain(hostile.map(|(name, text)| (format!("hostile-{name}"), text.into_bytes()))).collect()
}

fn values(files: &[VectorFile]) -> Inputs {
    let mut inputs = Inputs::new();
    let mut seen = Vec::new();
    for captured in files.iter().flat_map(VectorFile::frames) {
        let Some(signature) = &captured.signature else { continue };
        // One value of each type; of dynamics, which differ, some.
        let text = signature.to_string();
        let repeats = seen.iter().filter(|other| **other == text).count();
        if repeats >= if text.contains('m') && text.len() < 5 { 8 } else { 1 } {
            continue;
        }
        seen.push(text.clone());
        let place = captured.place.replace(" frame ", "-");
        inputs.insert(place, [text.as_bytes(), &[0], &captured.bytes[28..]].concat());
    }
    let hostile: [(&str, &str, Vec<u8>); 14] = [
        ("count-4-gib", "[i]", u32::MAX.to_le_bytes().to_vec()),
        ("string-4-gib", "s", u32::MAX.to_le_bytes().to_vec()),
        ("map-count", "{s[i]}", [1000_u32.to_le_bytes(), [0; 4]].concat()),
        ("list-of-nothing", "[()]", (1_u32 << 31).to_le_bytes().to_vec()),
        ("list-of-little-nothing", "[()]", 500_u32.to_le_bytes().to_vec()),
        ("lists-of-nothing", "[[v]]", [3_u32, 900, 900, 900].iter().flat_map(|count| count.to_le_bytes()).collect()),
        ("tuples-of-nothing", "[(b()()()()()()()())]", [&200_u32.to_le_bytes()[..], &[1; 200]].concat()),
        ("tuples-around-bytes", "[((((((b))))))]", [&400_u32.to_le_bytes()[..], &[1; 400]].concat()),
        ("deep-dynamic-64", "m", [&b"\x01\0\0\0m".repeat(63)[..], b"\x01\0\0\0v"].concat()),
        ("deep-dynamic-2000", "m", [&b"\x01\0\0\0m".repeat(1999)[..], b"\x01\0\0\0v"].concat()),
        ("dynamic-without-type", "m", vec![0; 4]),
        ("dynamic-unknown", "m", b"\x01\0\0\0X".to_vec()),
        ("truth-of-many-kinds", "[(b+b)]", [&3_u32.to_le_bytes()[..], &[2, 255, 7, 0, 0, 1, 9, 3, 3]].concat()),
        ("not-a-number", "(fd)", vec![255; 12]),
    ];
    for (name, signature, bytes) in hostile {
        inputs.insert(format!("hostile-{name}"), [signature.as_bytes(), &[0], &bytes].concat());
    }
    inputs
}

fn frame(kind: MessageKind, id: u32, (service, object, action): (u32, u32, u32), payload: Payload) -> Frame {
    Frame::new(kind, MessageId(id), ServiceId(service), ObjectId(object), ActionId(action), payload)
}
