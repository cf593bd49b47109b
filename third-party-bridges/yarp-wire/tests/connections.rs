//! Connections of ports (spec yarp.md 2, 3): what is understood, and what is refused.

use keyway_yarp_wire::{
    Accepted, Bottle, BottleError, Carrier, Command, Dialect, Dialled, Event, Item, Limits, Message, WireError, admin,
    admin::Request,
    encode_message, name_server,
    name_server::{Registration, ReplyLine},
};

fn connection() -> Accepted {
    Accepted::new(Dialect::V3, Limits::default())
}

/// All events of a text, given byte by byte, and what ended them.
fn events(connection: &mut Accepted, bytes: &[u8]) -> (Vec<Event>, Option<WireError>) {
    let mut events = Vec::new();
    for byte in bytes {
        connection.buffer().extend_from_slice(&[*byte]);
        loop {
            match connection.event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}

fn message(event: &Event) -> &Message {
    match event {
        Event::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

fn bottle(text: &str) -> Bottle {
    Bottle::parse(text.as_bytes(), Dialect::V3).unwrap()
}

#[test]
fn text_carriers_are_lines() {
    let mut connection = connection();
    let text = "CONNACK admin\r\nd\r\nget_answer\r\na\n[list] [in]\nD 7 1.5\r\n(1\r\n2) \"a\r\nb\"\r\nd\r\na\\\r\nb\r\n*\r\nq\r\n";
    let (events, error) = events(&mut connection, text.as_bytes());
    assert_eq!(error, None);
    assert_eq!(events[0], Event::Opened { carrier: Carrier::TextAck, peer: "admin".to_owned() });
    assert_eq!(Accepted::welcome(Carrier::TextAck, "admin", 1), b"Welcome admin\r\n");
    let messages: Vec<_> = events[1..].iter().map(message).collect();
    let expected: [(Command, Option<&[u8]>, &str); 6] = [
        (Command::Data { reply: true }, None, "get_answer"),
        (Command::Admin, None, "[list] [in]"),
        (Command::Data { reply: false }, Some(b"7 1.5"), "(1 2) \"a\\nb\""),
        (Command::Data { reply: true }, None, "ab"),
        (Command::Describe, None, ""),
        (Command::Disconnect, None, ""),
    ];
    assert_eq!(messages.len(), expected.len());
    for (message, (command, envelope, text)) in messages.into_iter().zip(expected) {
        assert_eq!(message.command, command);
        assert_eq!(message.envelope.as_deref(), envelope);
        assert_eq!(message.bottle.as_ref().unwrap(), &bottle(text));
    }
    assert_eq!(Accepted::answer(Carrier::TextAck, Dialect::V3, Some(&bottle("42"))), b"42\r\n<ACK>\r\n");
    assert_eq!(Accepted::answer(Carrier::Text, Dialect::V3, Some(&bottle(""))), b"\r\n");
    assert_eq!(Accepted::lines(Carrier::TextAck, "a\nb\n"), b"a\r\nb\r\n<ACK>\r\n");
}

#[test]
fn names_of_ports_are_commands_of_their_own() {
    let mut connection = connection();
    let (events, _) = events(&mut connection, b"CONNECT x\r\n/dest\r\n!/dest\r\nr\r\ndx\r\n");
    let commands: Vec<_> = events[1..].iter().map(|event| message(event).command.clone()).collect();
    let other = |line: &str| Command::Other(line.to_owned());
    assert_eq!(commands, [other("/dest"), other("!/dest"), other("r"), other("dx")]);
}

#[test]
fn carriers_that_are_not_spoken_here_are_refused() {
    // udp, mcast, http and garbage.
    for first in [&b"YA\x61\x1e\0\0RP"[..], b"YA\x62\x1e\0\0RP", b"GET / HT", b"NAME_SER", b"\0\0\0\0\0\0\0\0"] {
        let (found, error) = events(&mut connection(), first);
        assert!(found.is_empty());
        assert!(matches!(error, Some(WireError::UnknownCarrier(_))), "{first:?}: {error:?}");
    }
    // Bits that the rule says nothing about do not matter.
    let (_, error) = events(&mut connection(), b"YA\x64\x1e\0\0RP\x05\0\0\0anon\0");
    assert_eq!(error, None);
}

#[test]
fn names_are_limited_before_they_come() {
    for length in [0, -1, 1001, i32::MAX, i32::MIN] {
        let bytes = [&b"YA\xe4\x1e\0\0RP"[..], &length.to_le_bytes()].concat();
        let (_, error) = events(&mut connection(), &bytes);
        assert_eq!(error, Some(WireError::BadName(length.into())));
    }
    for name in ["", "a\u{7}b"] {
        let (_, error) = events(&mut connection(), format!("CONNACK {name}\r\n").as_bytes());
        assert!(matches!(error, Some(WireError::BadName(_))), "{name:?}: {error:?}");
    }
    let (_, error) = events(&mut connection(), &[&b"CONNACK "[..], &[b'x'; 1100]].concat());
    assert!(matches!(error, Some(WireError::TooLarge { limit: 1000, .. })), "{error:?}");
}

#[test]
fn messages_are_limited_before_they_come() {
    let limits = Limits { message: 100, line: 100 };
    let open = |hello: &[u8]| {
        let mut connection = Accepted::new(Dialect::V3, limits);
        assert_eq!(events(&mut connection, hello).1, None);
        connection
    };
    let mut binary = open(&Dialled::hello(Carrier::Tcp, "anon"));
    let index = [&b"YA\x0a\0\0\0RP\x02\x00"[..], &[0xff; 8], &[50, 0, 0, 0, 51, 0, 0, 0]].concat();
    assert_eq!(events(&mut binary, &index).1, Some(WireError::TooLarge { size: 101, limit: 100 }));
    let mut binary = open(&Dialled::hello(Carrier::Tcp, "anon"));
    let index = [&b"YA\x0a\0\0\0RP\xff\x00"[..], &[0xff; 8], &[0xff; 255 * 4]].concat();
    let size = 255 * u64::from(u32::MAX);
    assert_eq!(events(&mut binary, &index).1, Some(WireError::TooLarge { size, limit: 100 }));
    let mut text = open(b"CONNECT x\r\nd\r\n");
    assert!(matches!(events(&mut text, &[b'a'; 200]).1, Some(WireError::TooLarge { limit: 100, .. })));
    let mut text = open(b"CONNECT x\r\nd\r\n");
    assert!(matches!(events(&mut text, &b"(\n".repeat(100)).1, Some(WireError::TooLarge { .. })));
}

#[test]
fn what_is_no_message_ends_the_connection() {
    for (payload, refused) in [
        (&b"\0\0\0\0~D\0\x02"[..], true),
        (b"\0\0\0\0xD\0\x01", true),
        (b"", true),
        (b"\x09\0\0\0~\0\0\x01D\0", true),
        (b"\xff\xff\xff\xff~\0\0\x01D\0", true),
        (b"\x01\0\0\0~\0\0\x01\0", true),
        (b"\0\0\0\0~*\0\x01", true),
        (b"\0\0\0\0~r\0\x01", true),
        (b"\0\0\0\0~q\0\x01", false),
    ] {
        let length = i32::try_from(payload.len()).unwrap().to_le_bytes();
        let bytes = [&b"YA\x0a\0\0\0RP\x01\x00"[..], &[0xff; 8], &length, payload].concat();
        let mut connection = connection();
        assert_eq!(events(&mut connection, &Dialled::hello(Carrier::FastTcp, "/x")).1, None);
        assert_eq!(events(&mut connection, &bytes).1.is_some(), refused, "{payload:?}");
    }
}

#[test]
fn a_bottle_that_cannot_be_read_is_part_of_its_message() {
    let mut connection = connection();
    let (events, error) = events(&mut connection, b"CONNACK x\r\nd\r\n1 )\r\n");
    assert_eq!(error, None);
    assert_eq!(message(&events[1]).bottle, Err(BottleError::Unbalanced(')')));
}

#[test]
fn both_ends_understand_each_other_over_every_carrier() {
    let request = bottle("call (1 2.5) \"a b\" {1 2} [ok]");
    for carrier in Carrier::ALL {
        for reply in [bottle(""), bottle("[many] a b"), bottle("((a 1) (b 2)) 2.5")] {
            let mut accepted = connection();
            let (found, _) = events(&mut accepted, &Dialled::hello(carrier, "/from"));
            assert_eq!(found, [Event::Opened { carrier, peer: "/from".to_owned() }]);
            let sent = encode_message(carrier, Dialect::V3, &Command::Data { reply: true }, Some(b"1 2.0"), &request);
            let (found, _) = events(&mut accepted, &sent);
            assert_eq!(message(&found[0]).bottle.as_ref(), Ok(&request));
            assert_eq!(message(&found[0]).envelope.as_deref(), Some(&b"1 2.0"[..]));

            let mut dialled = Dialled::new(carrier, Dialect::V3, Limits::default());
            let mut bytes = Accepted::welcome(carrier, "/from", 4711);
            bytes.extend(Accepted::answer(carrier, Dialect::V3, Some(&reply)));
            let (mut welcome, mut answer) = (None, None);
            for (position, byte) in bytes.iter().enumerate() {
                dialled.buffer().extend_from_slice(&[*byte]);
                if welcome.is_none() {
                    welcome = dialled.welcome().unwrap();
                } else if answer.is_none() {
                    answer = dialled.reply().unwrap();
                }
                let last = position + 1 == bytes.len();
                if answer.is_some() && carrier.is_acknowledged() {
                    assert_eq!(dialled.acknowledgement().unwrap().is_some(), last);
                }
            }
            assert_eq!(answer, Some(reply));
        }
    }
}

#[test]
fn replies_are_limited_and_no_reply_is_an_error() {
    let mut dialled = Dialled::new(Carrier::Tcp, Dialect::V3, Limits { message: 1000, line: 1000 });
    dialled.buffer().extend_from_slice(&[0x0a, 1, 0, 0, 0xff, 0xff, 0, 0]);
    assert!(matches!(dialled.reply(), Err(WireError::TooLarge { .. })));
    let mut dialled = Dialled::new(Carrier::Tcp, Dialect::V3, Limits::default());
    dialled.buffer().extend_from_slice(b"YA\0\0\0\0RP");
    assert!(matches!(dialled.reply(), Err(WireError::Bottle(BottleError::UnknownTag(_)))));
    let mut dialled = Dialled::new(Carrier::TextAck, Dialect::V3, Limits::default());
    dialled.buffer().extend_from_slice(b"What?\r\n");
    assert!(matches!(dialled.welcome(), Err(WireError::UnexpectedLine(..))));
}

#[test]
fn administrative_requests_are_read_with_vocabs_and_with_strings() {
    for (text, request) in [
        ("[ver]", Request::Version),
        ("ver", Request::Version),
        ("[help]", Request::Help),
        ("[list] [in]", Request::Inputs),
        ("[list] [out]", Request::Outputs),
        ("[list] [out] /peer", Request::Output("/peer".to_owned())),
        ("list in /peer", Request::Input("/peer".to_owned())),
        ("[del] \"/peer\"", Request::Delete("/peer".to_owned())),
        ("[del] \"tcp://peer\"", Request::Delete("/peer".to_owned())),
        ("[prop] [get] x", Request::Unknown),
        ("", Request::Unknown),
        ("(1 2)", Request::Unknown),
    ] {
        assert_eq!(Request::parse(&bottle(text)), request, "{text}");
    }
    for (text, carrier, port) in [
        ("[add] \"fast_tcp://peer/x\"", "fast_tcp", "/peer/x"),
        ("[add] \"/peer\"", "tcp", "/peer"),
        ("[add] \"/peer\" text", "text", "/peer"),
        ("[add] \"tcp+recv.portmonitor://peer\"", "tcp+recv.portmonitor", "/peer"),
        ("[add] \"/a:/b\"", "tcp", "/a:/b"),
    ] {
        let Request::Add(destination) = Request::parse(&bottle(text)) else { panic!("{text}") };
        assert_eq!((&destination.carrier[..], &destination.port[..]), (carrier, port));
    }
    assert_eq!(admin::version().to_string(), "[ver] 1 2 3");
    assert_eq!(admin::connection("/a", "/b", Carrier::Tcp).to_string(), "(from \"/a\") (to \"/b\") (carrier tcp)");
    assert_eq!(admin::outcome(-1, "Outputs not allowed").to_string(), r#"-1 "Outputs not allowed\r\n""#);
    let asked = admin::ask_to_add("/r", Carrier::FastTcp);
    assert_eq!(asked, b"a\r\n[add] \"fast_tcp://r\"\r\n");
}

#[test]
fn the_name_server_answers_in_lines() {
    let mut reply = name_server::Reply::default();
    reply.buffer().extend_from_slice(b"registration name /x ip 127.0.0.1 port 10002 type tcp\r\n*** end of mess");
    let Ok(Some(ReplyLine::Line(line))) = reply.line() else { panic!("no line") };
    let expected = Registration { name: "/x".into(), host: "127.0.0.1".into(), port: 10002, carrier: "tcp".into() };
    assert_eq!(Registration::parse(&line), Some(expected));
    assert_eq!(reply.line(), Ok(None));
    reply.buffer().extend_from_slice(b"age\r\n");
    assert_eq!(reply.line(), Ok(Some(ReplyLine::End)));
    for line in ["", "registration name", "registration name /x ip h port 70000 type tcp", "port /x property a = b"] {
        assert_eq!(Registration::parse(line), None, "{line}");
    }
    assert_eq!(name_server::request("query /x"), b"NAME_SERVER query /x\r\n");
}

#[test]
fn the_address_of_the_name_server_is_read_from_both_forms_of_file() {
    let address = name_server::address_in_config;
    assert_eq!(address("127.0.0.1 10000 yarp\n"), Some(("127.0.0.1".to_owned(), 10000)));
    assert_eq!(address("[NAME]\nhost robot\nport 10001\nmode yarp\n"), Some(("robot".to_owned(), 10001)));
    assert_eq!(address("[NAME]\nhost = \"robot\"\nport = 1\n"), Some(("robot".to_owned(), 1)));
    for text in ["", "robot", "robot x yarp", "[NAME]\nhost robot\n"] {
        assert_eq!(address(text), None, "{text}");
    }
    assert_eq!(name_server::config_file("/root"), "yarp.conf");
    assert_eq!(name_server::config_file("/my/lab"), "_my_lab.conf");
}

#[test]
fn names_of_services_become_names_of_ports() {
    assert_eq!(name_server::port_name_part("ALText To/Speech.v-2"), "ALText_To_Speech.v-2");
    for (name, is_one) in [("/a", true), ("/a/b:o", true), ("/", false), ("a", false), ("/a/", false), ("/a b", false)]
    {
        assert_eq!(name_server::is_port_name(name), is_one, "{name}");
    }
    assert_eq!(Item::vocab("ok").word().as_deref(), Some("ok"));
}
