use keyway_value::{MetaMethodParameter, Signature, Value};

use super::*;
use crate::{Shape, body};

fn signature(text: &str) -> Signature {
    text.parse().unwrap()
}

/// The fixture of the acceptance cases (spec 10.2).
fn probe() -> MetaObject {
    let methods = [
        ("add", "(ii)", "i", "a b"),
        ("greet", "(s)", "s", "who"),
        ("get_answer", "()", "i", ""),
        ("nothing", "()", "v", ""),
        ("boom", "(s)", "v", "why"),
        ("vec", "(i)", "[d]", "n"),
        ("blob", "(i)", "r", "n"),
        ("table", "()", "{si}", ""),
        ("pose", "()", "(ddd)<Pose,x,y,theta>", ""),
        ("echo", "(m)", "m", "value"),
        ("enable", "(b)", "b", "on"),
        ("status", "()", "s", ""),
    ];
    let mut builder = MetaObject::builder();
    for (name, parameters, returns, _) in methods {
        builder.method(name, signature(parameters), signature(returns));
    }
    builder.signal("tick", signature("(i)"));
    builder.signal("alarm", signature("(is)<Alarm,code,text>"));
    builder.property("gain", Signature::double());
    builder.property("mode", Signature::string());
    let mut object = builder.build();
    for (method, (.., names)) in object.methods.values_mut().filter(|method| method.uid >= 100).zip(methods) {
        let parameter = |name: &str| MetaMethodParameter { name: name.to_owned(), description: String::new() };
        method.parameters = names.split_whitespace().map(parameter).collect();
    }
    object
}

fn mapping_of(service: &str, object: &MetaObject) -> Mapping {
    Mapping::new(MappingOptions::default(), Registry::standard(), [(service, object)])
}

fn callable<'m>(mapping: &'m Mapping, name: &str) -> &'m Callable {
    mapping.callables().find(|callable| callable.name == name).unwrap_or_else(|| panic!("{name}"))
}

fn topic<'m>(mapping: &'m Mapping, name: &str) -> &'m Topic {
    mapping.topics().find(|topic| topic.name == name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn ros_013_generated_types_have_the_checksums_of_the_specification() {
    let mapping = mapping_of("RosProbe", &probe());
    for (name, kind, md5) in [
        ("add", "Add", "639add3ab84b002c09c84d1e872febf0"),
        ("greet", "Greet", "f339b2941ca9f82f8d5839a49c8011cf"),
        ("vec", "Vec", "4be7a7b05f6c9a42239bb76f74713680"),
        ("blob", "Blob", "4bb8075298b8079be3b83457a83c6cc1"),
        ("pose", "Pose", "fad5432e99bb439c6458f719b7a25722"),
        ("table", "Table", "5231c3a214a360db6c1dee28b83b7032"),
        ("echo", "Echo", "f34f987f2df87a094c9d6df26f464de1"),
        ("boom", "Boom", "f9792e4599a8ff1e07ea6d084fe338a6"),
        ("get_gain", "GetGain", "3d528db85fd551a337dae2b68bd9c00b"),
    ] {
        let callable = callable(&mapping, &format!("/qi/RosProbe/{name}"));
        assert_eq!(callable.type_name.to_string(), format!("qi_bridge_msgs/RosProbe{kind}"));
        assert_eq!(callable.md5, md5, "{name}");
    }
    let alarm = topic(&mapping, "/qi/RosProbe/alarm");
    assert_eq!(alarm.type_name.to_string(), "qi_bridge_msgs/RosProbeAlarmEvent");
    assert_eq!(alarm.md5, "dc8d1577f53bc394fa20144f9d99a618");
    let call = mapping.registry().service_md5(&"qi_bridge_msgs/Call".parse().unwrap());
    assert_eq!(call.as_deref(), Ok("5fa2b0b6c9f2abbb00448efeae1667a1"));
}

#[test]
fn what_fits_a_standard_type_has_it() {
    let mapping = mapping_of("RosProbe", &probe());
    let kind = |name: &str| callable(&mapping, &format!("/qi/RosProbe/{name}")).type_name.to_string();
    assert_eq!([kind("status"), kind("nothing")], ["std_srvs/Trigger"; 2]);
    assert_eq!(kind("enable"), "std_srvs/SetBool");
    assert_eq!(topic(&mapping, "/qi/RosProbe/tick").type_name.to_string(), "std_msgs/Int32");
    let gain = topic(&mapping, "/qi/RosProbe/gain");
    assert!(gain.is_latched);
    assert_eq!(gain.type_name.to_string(), "std_msgs/Float64");
    let options = MappingOptions { std_shapes: false, ..MappingOptions::default() };
    let mapping = Mapping::new(options, Registry::standard(), [("RosProbe", &probe())]);
    assert_eq!(callable(&mapping, "/qi/RosProbe/status").type_name.to_string(), "qi_bridge_msgs/RosProbeStatus");
    assert_eq!(topic(&mapping, "/qi/RosProbe/gain").type_name.to_string(), "qi_bridge_msgs/RosProbeGainValue");
}

#[test]
fn a_request_holds_the_arguments_and_a_response_the_result() {
    let mapping = mapping_of("RosProbe", &probe());
    let add = callable(&mapping, "/qi/RosProbe/add");
    let request = body::decode(&add.request, &vec![2, 0, 0, 0, 3, 0, 0, 0].into()).unwrap();
    assert_eq!(add.arguments(request), Ok(vec![2.into(), 3.into()]));
    let response = |result| body::encode(&add.response, &add.answer(result)).unwrap();
    assert_eq!(response(Ok(5.into())), b"\x01\0\0\0\0\x05\0\0\0");
    assert_eq!(response(Err("no")), b"\0\x02\0\0\0no\0\0\0\0");
    let status = callable(&mapping, "/qi/RosProbe/status");
    assert_eq!(body::encode(&status.response, &status.answer(Ok("ready".into()))).unwrap(), b"\x01\x05\0\0\0ready");
    let boom = callable(&mapping, "/qi/RosProbe/boom");
    assert_eq!(body::encode(&boom.response, &boom.answer(Ok(Value::Void))).unwrap(), b"\x01\0\0\0\0");
    let echo = callable(&mapping, "/qi/RosProbe/echo");
    let request = body::decode(&echo.request, &b"\x03\0\0\0[1]"[..].to_vec().into()).unwrap();
    assert_eq!(echo.arguments(request).unwrap()[0].signature().to_string(), "m");
    let greet = callable(&mapping, "/qi/RosProbe/greet");
    let request = body::decode(&greet.request, &b"\x01\0\0\0\xff"[..].to_vec().into()).unwrap();
    assert_eq!(greet.arguments(request).unwrap_err().to_string(), "bad argument who: not UTF-8");
}

#[test]
fn an_event_becomes_a_message_with_a_header() {
    let mapping = mapping_of("RosProbe", &probe());
    let alarm = topic(&mapping, "/qi/RosProbe/alarm");
    let stamp = Stamp { seq: 1, sec: 2, nsec: 3 };
    let message = alarm.message(Value::tuple(vec![7.into(), "hot".into()]), stamp);
    let bytes = body::encode(&alarm.shape, &message).unwrap();
    assert_eq!(bytes, b"\x01\0\0\0\x02\0\0\0\x03\0\0\0\0\0\0\0\x07\0\0\0\x03\0\0\0hot");
    let tick = topic(&mapping, "/qi/RosProbe/tick");
    let message = tick.message(Value::tuple(vec![9.into()]), stamp);
    assert_eq!(body::encode(&tick.shape, &message).unwrap(), b"\x09\0\0\0");
}

#[test]
fn every_type_of_the_directory_that_has_values_has_a_type_in_ros() {
    let mut builder = MetaObject::builder();
    for (name, result, ros) in TYPES {
        builder.method(name, signature("()"), signature(result));
        assert!(!ros.is_empty());
    }
    for unsupported in ["o", "[o]", "(iX)", "[v]", "~i"] {
        builder.method("hidden", signature("()"), signature(unsupported));
    }
    let mapping = mapping_of("T", &builder.build());
    for (name, _, ros) in TYPES {
        let Shape::Message(response) = &callable(&mapping, &format!("/qi/T/{name}")).response else { panic!() };
        assert_eq!(response.fields[2].shape.type_text(), *ros, "{name}");
    }
    assert_eq!(mapping.skipped().len(), 5, "{:?}", mapping.skipped());
}

const TYPES: &[(&str, &str, &str)] = &[
    ("c", "c", "int8"),
    ("C", "C", "uint8"),
    ("L", "L", "uint64"),
    ("f", "f", "float32"),
    ("m", "m", "string"),
    ("lists", "[[i]]", "qi_bridge_msgs/ListInt32[]"),
    ("lists_of_lists", "[[[i]]]", "qi_bridge_msgs/ListListInt32[]"),
    ("raws", "[r]", "qi_bridge_msgs/ListUInt8[]"),
    ("maps", "[{sm}]", "qi_bridge_msgs/ListMapStringStringEntry[]"),
    ("map_of_lists", "{i[s]}", "qi_bridge_msgs/MapInt32StringListEntry[]"),
    ("optional", "+d", "float64[]"),
    ("optional_list", "+[d]", "qi_bridge_msgs/ListFloat64[]"),
    ("nothing", "()", "qi_bridge_msgs/Td41d8cd9"),
    ("nameless", "(is)", "qi_bridge_msgs/T3308174e"),
    ("named", "((ii)<Point,x,y>[s])<a_thing,From,allNames>", "qi_bridge_msgs/AThing"),
];

#[test]
fn names_and_types_that_are_taken_get_numbers() {
    let mut builder = MetaObject::builder();
    builder.method("move", signature("(i)"), signature("(i)<P,a>"));
    builder.method("move", signature("(s)"), signature("(s)<P,a>"));
    builder.method("move_2", signature("(s)"), signature("(i)<P,a>"));
    builder.method("_secret", signature("()"), signature("v"));
    builder.property("move", signature("i"));
    builder.method("get_move", signature("(i)"), signature("i"));
    let mapping = mapping_of("a-b", &builder.build());
    let names: Vec<(&str, String)> =
        mapping.callables().map(|callable| (&callable.name[8..], callable.type_name.name().to_owned())).collect();
    let expected = [
        ("move", "ABMove"),
        ("move_2", "ABMove2"),
        ("move_2_2", "ABMove22"),
        ("n_secret", "ABNSecret"),
        ("get_move", "ABGetMove"),
        ("set_move", "ABSetMove"),
        ("get_move_2", "ABGetMove2"),
    ];
    let expected = expected.map(|(name, kind)| (name, if name == "n_secret" { "Trigger" } else { kind }.to_owned()));
    assert_eq!(names, expected);
    let value = |name: &str| match &callable(&mapping, name).response {
        Shape::Message(response) => response.fields[2].shape.type_text(),
        other => panic!("{other:?}"),
    };
    assert_eq!(value("/qi/a_b/move"), "qi_bridge_msgs/P");
    assert_eq!(value("/qi/a_b/move_2"), "qi_bridge_msgs/P2");
    assert_eq!(value("/qi/a_b/move_2_2"), "qi_bridge_msgs/P");
}

#[test]
fn types_as_json_need_no_package() {
    let options = MappingOptions { types: Types::Json, ..MappingOptions::default() };
    let mapping = Mapping::new(options, Registry::standard(), [("RosProbe", &probe())]);
    let add = callable(&mapping, "/qi/RosProbe/add");
    assert_eq!(add.type_name.to_string(), "qi_bridge_msgs/Call");
    let request = Value::tuple(vec!["".into(), "".into(), "[2,3]".into()]);
    assert_eq!(add.arguments(request), Ok(vec![2.into(), 3.into()]));
    assert_eq!(add.answer(Ok(5.into())).to_string(), r#"{"ok":true,"result_json":"5","error":""}"#);
    let alarm = topic(&mapping, "/qi/RosProbe/alarm");
    let message = alarm.message(Value::tuple(vec![7.into(), "hot".into()]), Stamp::default());
    assert_eq!(message.to_string(), r#"{"data":"[7,\"hot\"]"}"#);
    let gain = topic(&mapping, "/qi/RosProbe/gain");
    assert_eq!(gain.message(2.5.into(), Stamp::default()).to_string(), r#"{"data":"2.5"}"#);
}

#[test]
fn a_generic_call_finds_methods_and_properties() {
    let probe = probe();
    let resolve = |text: &str| {
        GenericCall::of_text(text).unwrap().resolve(&probe).map(|target| match target {
            GenericTarget::Method(method, arguments) => format!("{} {}", method.name, Value::tuple(arguments)),
            GenericTarget::Get(id) => format!("get {id}"),
            GenericTarget::Set(id, value) => format!("set {id} {value}"),
        })
    };
    let ok = |text: &str| resolve(text).unwrap();
    assert_eq!(ok(r#"{"service":"RosProbe","member":"add","args":[2,3]}"#), "add [2,3]");
    assert_eq!(ok(r#"{"service":"RosProbe","member":"add::(ii)","args":[2,3]}"#), "add [2,3]");
    assert_eq!(ok(r#"{"service":"RosProbe","member":"nothing"}"#), "nothing []");
    assert_eq!(ok(r#"{"service":"RosProbe","member":"get:gain"}"#), "get 114");
    assert_eq!(ok(r#"{"service":"RosProbe","member":"set:gain","args":[3]}"#), "set 114 3");
    let error = resolve(r#"{"service":"RosProbe","member":"add","args":[2]}"#).unwrap_err().to_string();
    assert_eq!(error, "bad argument args_json: (ii) is wanted, not a list");
    assert_eq!(resolve(r#"{"service":"RosProbe","member":"sub"}"#), Err(GenericError::NotExposed));
    assert!(matches!(GenericCall::of_text("[]"), Err(GenericError::Request(_))));
}

#[test]
fn the_package_has_all_that_ros_needs_to_build_it() {
    let mapping = mapping_of("RosProbe", &probe());
    let files: BTreeMap<String, String> = mapping.package_files(RosVersion::Ros1).into_iter().collect();
    assert_eq!(files["msg/RosProbeAlarmEvent.msg"], "Header header\nint32 code\nstring text\n");
    assert_eq!(files["srv/RosProbeAdd.srv"], "int32 a\nint32 b\n---\nbool ok\nstring error\nint32 value\n");
    assert!(files["package.xml"].contains("<depend>std_msgs</depend>"));
    assert!(files["CMakeLists.txt"].contains("  RosProbeAdd.srv\n"));
    let files: BTreeMap<String, String> = mapping.package_files(RosVersion::Ros2).into_iter().collect();
    assert_eq!(files["msg/RosProbeAlarmEvent.msg"], "std_msgs/Header header\nint32 code\nstring text\n");
    assert!(files["CMakeLists.txt"].contains("  \"srv/RosProbeAdd.srv\"\n"));
    let shown: serde_json::Value = serde_json::from_str(&mapping.services_json()).unwrap();
    assert_eq!(shown["services"]["RosProbe"]["methods"][0]["ros"], "/qi/RosProbe/add");
    let definitions: serde_json::Value = serde_json::from_str(&mapping.definitions_json(RosVersion::Ros1)).unwrap();
    assert_eq!(definitions["msg/Pose.msg"], "float64 x\nfloat64 y\nfloat64 theta\n");
}
