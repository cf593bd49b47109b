use super::*;

fn result(value: &str) -> Result<XmlValue, XmlError> {
    let text = format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n{value}\n</param>\n</params>\n</methodResponse>\n"
    );
    read_response(text.as_bytes()).map(Result::unwrap)
}

#[test]
fn every_kind_of_value_is_read_in_every_way_it_is_written() {
    let text = XmlValue::text;
    for (xml, value) in [
        ("<value><int>-3</int></value>", XmlValue::Int(-3)),
        ("<value> <i4> 7 </i4>\n</value>", XmlValue::Int(7)),
        ("<value><string>a &lt;b&gt; &#65;&#x42;</string></value>", text("a <b> AB")),
        ("<value>bare &amp; plain</value>", text("bare & plain")),
        ("<value></value>", text("")),
        ("<value/>", text("")),
        ("<value><string/></value>", text("")),
        ("<value><string> spaces stay </string></value>", text(" spaces stay ")),
        ("<value><string><![CDATA[<&>]]></string></value>", text("<&>")),
        ("<value><boolean>1</boolean></value>", XmlValue::Bool(true)),
        ("<value><double>2.5</double></value>", XmlValue::Double(2.5)),
        ("<value><base64>AA\nE=</base64></value>", XmlValue::Base64(vec![0, 1])),
        (
            "<value><dateTime.iso8601>19980717T14:08:55</dateTime.iso8601></value>",
            XmlValue::DateTime("19980717T14:08:55".into()),
        ),
        (
            "<value><array> <data><value><int>1</int></value>\n<value>b</value></data> </array></value>",
            XmlValue::Array(vec![XmlValue::Int(1), text("b")]),
        ),
        ("<value><array><data/></array></value>", XmlValue::Array(vec![])),
        (
            "<value><struct><member><name>n</name><value><int>1</int></value></member></struct></value>",
            XmlValue::Struct(vec![("n".into(), XmlValue::Int(1))]),
        ),
        ("<!-- a comment --><value><int>1</int></value>", XmlValue::Int(1)),
    ] {
        assert_eq!(result(xml), Ok(value), "{xml}");
    }
}

#[test]
fn what_is_written_is_read() {
    let value = XmlValue::Array(vec![
        XmlValue::Int(1),
        XmlValue::text("<&>\r\n'\"é"),
        XmlValue::Bool(false),
        XmlValue::Double(1.5),
        XmlValue::Base64(vec![1, 2, 3]),
        XmlValue::DateTime("19980717T14:08:55".into()),
        XmlValue::Struct(vec![("key".into(), XmlValue::Array(vec![]))]),
    ]);
    assert_eq!(read_response(write_response(&value).as_bytes()), Ok(Ok(value.clone())));
    let call = XmlCall { method: "registerPublisher".into(), params: vec![value, XmlValue::text("")] };
    assert_eq!(read_call(write_call(&call).as_bytes()), Ok(call));
    let fault = XmlFault { code: -1, text: "x: unknown method name".into() };
    assert_eq!(read_response(write_fault(&fault).as_bytes()), Ok(Err(fault)));
}

#[test]
fn a_call_may_have_no_parameters() {
    for text in [
        "<methodCall><methodName>getPid</methodName></methodCall>",
        "<methodCall><methodName>getPid</methodName><params/></methodCall>",
    ] {
        assert_eq!(read_call(text.as_bytes()), Ok(XmlCall { method: "getPid".into(), params: vec![] }));
    }
}

#[test]
fn what_could_do_harm_is_refused() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><methodCall><methodName>&a;</methodName></methodCall>";
    assert_eq!(read_call(bomb.as_bytes()), Err(XmlError::DocumentType));
    assert_eq!(result("<value>&other;</value>"), Err(XmlError::Entity("other".into())));
    let deep = "<value><array><data>".repeat(20) + &"</data></array></value>".repeat(20);
    assert_eq!(result(&deep), Err(XmlError::TooDeep));
    for text in
        ["", "<methodCall>", "<x/>", "<methodCall><methodName>a</methodName><params><param/></params></methodCall>"]
    {
        assert!(read_call(text.as_bytes()).is_err(), "{text}");
    }
    for xml in [
        "<value><int>x</int></value>",
        "<value><what/></value>",
        "<value><int>1</int>x</value>",
        "<value><int>1</string></value>",
    ] {
        assert!(result(xml).is_err(), "{xml}");
    }
}
