//! Writing calls and responses.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{XmlCall, XmlFault, XmlValue};

/// The text of a call.
pub fn write_call(call: &XmlCall) -> String {
    let mut out = format!("{START}<methodCall><methodName>{}</methodName><params>", escaped(&call.method));
    for param in &call.params {
        out.push_str("<param>");
        value(param, &mut out);
        out.push_str("</param>");
    }
    out + "</params></methodCall>\n"
}

/// The text of a response.
pub fn write_response(result: &XmlValue) -> String {
    let mut out = format!("{START}<methodResponse><params><param>");
    value(result, &mut out);
    out + "</param></params></methodResponse>\n"
}

/// The text of a failure.
pub fn write_fault(fault: &XmlFault) -> String {
    let mut out = format!("{START}<methodResponse><fault>");
    let members =
        [("faultCode".to_owned(), XmlValue::Int(fault.code)), ("faultString".to_owned(), XmlValue::text(&fault.text))];
    value(&XmlValue::Struct(members.into()), &mut out);
    out + "</fault></methodResponse>\n"
}

const START: &str = "<?xml version=\"1.0\"?>\n";

fn value(value: &XmlValue, out: &mut String) {
    out.push_str("<value>");
    match value {
        XmlValue::Array(items) => {
            out.push_str("<array><data>");
            items.iter().for_each(|item| self::value(item, out));
            out.push_str("</data></array>");
        }
        XmlValue::Base64(bytes) => element("base64", &STANDARD.encode(bytes), out),
        XmlValue::Bool(value) => element("boolean", if *value { "1" } else { "0" }, out),
        XmlValue::DateTime(text) => element("dateTime.iso8601", &escaped(text), out),
        XmlValue::Double(number) => element("double", &number.to_string(), out),
        XmlValue::Int(number) => element("int", &number.to_string(), out),
        XmlValue::String(text) => element("string", &escaped(text), out),
        XmlValue::Struct(members) => {
            out.push_str("<struct>");
            for (name, member) in members {
                out.push_str("<member>");
                element("name", &escaped(name), out);
                self::value(member, out);
                out.push_str("</member>");
            }
            out.push_str("</struct>");
        }
    }
    out.push_str("</value>");
}

fn element(name: &str, text: &str, out: &mut String) {
    out.push_str(&format!("<{name}>{text}</{name}>"));
}

/// XML has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Readers make a line end of it.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(letter),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('?'),
            letter => out.push(letter),
        }
    }
    out
}
