//! Limits of arguments, on bytes.

use bytes::Bytes;
use keyway_policy::{Arguments, Checker, Code, Decision, Policy};
use keyway_value::{
    ActionId, Encoder, MetaMethod, MetaMethodParameter, MetaObject, QiValue, Signature, Value, to_payload,
};

#[test]
fn conditions_are_checked_on_the_bytes_of_a_call() {
    let long = "x".repeat(11);
    let rows: Vec<(&str, &str, Bytes, Option<Code>)> = vec![
        ("(f)", "#0 <= 0.5", bytes(&(0.5_f32,)), None),
        ("(f)", "#0 <= 0.5", bytes(&(0.6_f32,)), Some(Code::Arguments)),
        ("(f)", "#0 <= 0.5", bytes(&(f32::NAN,)), Some(Code::UnreadableArguments)),
        ("(f)", "#0 != 0.5", bytes(&(f32::NAN,)), Some(Code::UnreadableArguments)),
        ("(f)", "#0 <= 0.5", bytes(&(f32::INFINITY,)), Some(Code::Arguments)),
        ("(f)", "#0 <= 0.5", Bytes::new(), Some(Code::UnreadableArguments)),
        ("(l)", "#0 < 9", bytes(&(-3_i64,)), None),
        ("(L)", "#0 < 9", bytes(&(u64::MAX,)), Some(Code::Arguments)),
        ("(b)", "#0 == true", bytes(&(true,)), None),
        ("(b)", "#0 == true", bytes(&(false,)), Some(Code::Arguments)),
        ("(sf)", "#1 > 1", bytes(&("skipped".to_owned(), 2_f32)), None),
        ("(sf)", "#2 > 1", bytes(&("skipped".to_owned(), 2_f32)), Some(Code::UnreadableArguments)),
        ("(s)", "#0 == \"Head\"", bytes(&("Head".to_owned(),)), None),
        ("(s)", "#0 == \"Head\"", bytes(&("Heads".to_owned(),)), Some(Code::Arguments)),
        ("(s)", "#0 != \"Head\"", bytes(&("Arm".to_owned(),)), None),
        ("(s)", "#0 ~ \"/home/*\"", bytes(&("/home/nao".to_owned(),)), None),
        ("(s)", "#0 !~ \"*..*\"", bytes(&("/home/../x".to_owned(),)), Some(Code::Arguments)),
        ("(s)", "#0 < 3", bytes(&("2".to_owned(),)), Some(Code::UnreadableArguments)),
        ("(f)", "#0 == \"x\"", bytes(&(1_f32,)), Some(Code::UnreadableArguments)),
        ("(s)", "length(#0) <= 10", bytes(&(long,)), Some(Code::Arguments)),
        ("([s])", "length(#0) <= 1", bytes(&(vec!["a".to_owned()],)), None),
        ("({si})", "length(#0) == 0", bytes(&(std::collections::BTreeMap::<String, i32>::new(),)), None),
        ("([f])", "#0 <= 0.5", bytes(&(vec![0.1_f32, 0.5],)), None),
        ("([f])", "#0 <= 0.5", bytes(&(vec![0.1_f32, 0.9],)), Some(Code::Arguments)),
        ("((ff))", "#0 <= 0.5", bytes(&((0.1_f32, 0.9_f32),)), Some(Code::Arguments)),
        ("(m)", "#0 <= 0.5", bytes(&(Value::from(0.4),)), None),
        ("(m)", "#0 <= 0.5", bytes(&(Value::from(vec![Value::from(0.4), Value::from(1)]),)), Some(Code::Arguments)),
        ("(m)", "#0 <= 0.5", bytes(&(Value::from("0.4"),)), Some(Code::UnreadableArguments)),
        ("(mm)", "value <= 0.5", bytes(&(Value::from("Head"), Value::from(0.4))), None),
        ("(mm)", "value <= 0.5", bytes(&(Value::from("Head"), Value::from(0.6))), Some(Code::Arguments)),
        ("(mm)", "speed <= 0.5", bytes(&(Value::from("Head"), Value::from(0.4))), Some(Code::UnreadableArguments)),
        ("(ff)<Pair,x,y>", "y < 1", bytes(&(5_f32, 0_f32)), None),
    ];
    for (parameters, condition, payload, expected) in rows {
        let checked = checked(&rule("allow", condition), parameters, &Arguments::new(&payload));
        assert_eq!(checked, expected, "{parameters} {condition} {payload:?}");
    }
}

#[test]
fn one_bad_element_or_doubt_is_enough_to_deny() {
    let rows = [
        ("([f])", bytes(&(vec![0.1_f32, 0.9],)), Some(Code::Denied)),
        ("([f])", bytes(&(vec![0.1_f32, 0.2],)), None),
        ("([f])", bytes(&(Vec::<f32>::new(),)), None),
        ("(f)", bytes(&(f32::NAN,)), Some(Code::UnreadableArguments)),
        ("(s)", bytes(&("x".to_owned(),)), Some(Code::UnreadableArguments)),
    ];
    for (parameters, payload, expected) in rows {
        let rules = format!("{}\n[[rule]]\nrole = 'r'\nservice = 'S'\nallow = ['m']", rule("deny", "#0 > 0.5"));
        assert_eq!(checked(&rules, parameters, &Arguments::new(&payload)), expected, "{parameters} {payload:?}");
    }
}

#[test]
fn arguments_with_a_type_of_their_own_are_read_by_it() {
    let dynamic = Signature::dynamic();
    let rows = [
        ("(f)", dynamic_tuple("(d)", &(0.5_f64,)), None),
        ("(f)", dynamic_tuple("(d)", &(0.7_f64,)), Some(Code::Arguments)),
        ("(f)", dynamic_tuple("(s)", &("0.1".to_owned(),)), Some(Code::UnreadableArguments)),
        // The host would make a 0 of it, or a 1.
        ("(i)", dynamic_tuple("(d)", &(0.4_f64,)), Some(Code::UnreadableArguments)),
        ("(f)", dynamic_tuple("f", &0.1_f32), Some(Code::UnreadableArguments)),
        ("m", dynamic_tuple("[f]", &vec![0.1_f32]), None),
    ];
    for (parameters, payload, expected) in rows {
        let arguments = Arguments { signature: Some(&dynamic), ..Arguments::new(&payload) };
        assert_eq!(checked(&rule("allow", "#0 <= 0.5"), parameters, &arguments), expected, "{parameters} {payload:?}");
    }
}

#[test]
fn conditions_of_one_rule_are_all_met_and_one_rule_is_enough() {
    let rules = "allow = ['m']\nwhen = ['#0 >= 0', '#0 <= 1']\nname = 'small'\n[[rule]]\nrole = 'r'\nservice = 'S'\n\
                 allow = ['m']\nwhen = 'S.m: #0 == 7'\nrate = '1/s'";
    let rows = [(0, None), (1, None), (7, None), (2, Some(Code::Arguments)), (-1, Some(Code::Arguments))];
    for (number, expected) in rows {
        assert_eq!(checked(rules, "(i)", &Arguments::new(&bytes(&(number,)))), expected, "{number}");
    }
    with_checker(rules, "(i)", |checker| {
        assert_eq!(checker.check(&Arguments::new(&bytes(&(1,)))).unwrap().len(), 0);
        assert_eq!(checker.check(&Arguments::new(&bytes(&(7,)))).unwrap().len(), 1);
        let refusal = checker.check(&Arguments::new(&bytes(&(2,)))).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "KW-P003: role \"r\" may not use S m::(i): the arguments are beyond what is allowed, by rule \"small\" \
             (p.toml:3) (#0 <= 1); call with arguments that meet the rule's `when`, or change it"
        );
    });
}

#[test]
fn written_properties_are_limited_by_their_value() {
    let mut builder = MetaObject::builder();
    let volume = builder.property("volume", Signature::parse("f").unwrap());
    let policy = policy("allow = ['write:volume']\nwhen = 'value <= 0.5'");
    let access = policy.access("r", "S", &builder.build());
    let Decision::AllowIfArguments(checker) = access.write(volume) else { panic!() };
    let signature = Signature::parse("(m)").unwrap();
    for (value, allowed) in [(0.5, true), (0.75, false)] {
        let payload = bytes(&(Value::from(value),));
        let arguments = Arguments { signature: Some(&signature), ..Arguments::new(&payload) };
        assert_eq!(checker.check(&arguments).is_ok(), allowed);
    }
}

#[test]
fn hostile_bytes_are_refused_at_once() {
    let bomb = {
        let mut bytes = Vec::new();
        for _ in 0..100_000 {
            bytes.extend_from_slice(b"\x01\0\0\0m");
        }
        Bytes::from(bytes)
    };
    let many = Bytes::from_static(b"\x05\0\0\0[[v]]\xff\xff\xff\xff");
    for payload in [bomb, many] {
        let expected = Some(Code::UnreadableArguments);
        assert_eq!(checked(&rule("allow", "#0 <= 1"), "(m)", &Arguments::new(&payload)), expected);
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_decided(payload: Vec<u8>, at in 0_usize..6) {
        let parameters = ["(m)", "([m])", "(s[f])", "m", "(om)", "({sm}+s)"][at];
        for condition in ["#0 <= 1", "#1 ~ \"a*\"", "length(#0) < 4"] {
            let payload = Bytes::from(payload.clone());
            let _ = checked(&rule("allow", condition), parameters, &Arguments::new(&payload));
        }
    }
}

fn rule(effect: &str, condition: &str) -> String {
    format!("{effect} = ['m']\nwhen = {}", toml::Value::String(condition.to_owned()))
}

fn policy(rules: &str) -> Policy {
    let text = format!("[[role]]\nname = 'r'\n[[rule]]\nrole = 'r'\nservice = 'S'\n{rules}\n");
    Policy::parse("p.toml", &text).unwrap()
}

fn checked(rules: &str, parameters: &str, arguments: &Arguments<'_>) -> Option<Code> {
    with_checker(rules, parameters, |checker| checker.check(arguments).err().map(|refusal| refusal.code))
}

/// For method `m`, whose parameters are documented as `names` and `value` if there are two dynamics.
fn with_checker<T>(rules: &str, parameters: &str, act: impl FnOnce(&Checker) -> T) -> T {
    let named = |name: &str| MetaMethodParameter { name: name.into(), description: String::new() };
    let method = MetaMethod {
        uid: 100,
        return_signature: Signature::void(),
        name: "m".into(),
        parameters_signature: Signature::parse(parameters).unwrap(),
        description: String::new(),
        parameters: if parameters == "(mm)" { vec![named("names"), named("value")] } else { Vec::new() },
        return_description: String::new(),
    };
    let mut metaobject = MetaObject::default();
    metaobject.methods.insert(100, method);
    let access = policy(rules).access("r", "S", &metaobject);
    let Decision::AllowIfArguments(checker) = access.call(ActionId(100)) else { panic!("{:?}", access) };
    act(checker)
}

fn bytes<T: QiValue>(value: &T) -> Bytes {
    to_payload(value).unwrap().into_bytes()
}

fn dynamic_tuple<T: QiValue>(signature: &str, value: &T) -> Bytes {
    let mut encoder = Encoder::new();
    encoder.write_str(signature.as_bytes()).unwrap();
    value.encode(&mut encoder).unwrap();
    encoder.finish().into_bytes()
}
