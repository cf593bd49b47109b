//! Names that ROS takes, made of names that the directory takes (spec 6.1).

use std::collections::HashSet;

/// The part of a topic's or service's name: letters, digits and underscores, a letter first.
pub fn graph_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for letter in text.chars() {
        let letter = if letter.is_ascii_alphanumeric() { letter } else { '_' };
        if letter != '_' || !name.ends_with('_') {
            name.push(letter);
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) { name } else { format!("n{name}") }
}

/// The name of a field: lower case, words apart by underscores, no word of Python, C++ or IDL.
pub fn field_name(text: &str) -> String {
    let letters: Vec<char> = graph_name(text).chars().collect();
    let mut name = String::with_capacity(letters.len() + 4);
    for (position, letter) in letters.iter().enumerate() {
        let before = position.checked_sub(1).and_then(|before| letters.get(before));
        let begins_word = before.is_some_and(|before| {
            before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && letters.get(position + 1).is_some_and(char::is_ascii_lowercase))
        });
        if letter.is_ascii_uppercase() && begins_word {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    if RESERVED.contains(&name.as_str()) { format!("f_{name}") } else { name }
}

/// The name of a message: words begin with upper case, no underscores.
pub(crate) fn message_name(text: &str) -> String {
    let name = graph_name(text);
    name.split('_')
        .flat_map(|word| word.chars().take(1).map(|first| first.to_ascii_uppercase()).chain(word.chars().skip(1)))
        .collect()
}

/// Gives out each name once: a second one gets `_2`, a third `_3`.
#[derive(Debug, Default)]
pub(crate) struct Names(HashSet<String>);

impl Names {
    pub(crate) fn with(taken: &[&str]) -> Self {
        Self(taken.iter().map(|name| (*name).to_owned()).collect())
    }

    pub(crate) fn take(&mut self, name: &str) -> String {
        let free = |name: &String| !self.0.contains(name);
        let numbered = (2..).map(|number: u32| format!("{name}_{number}"));
        // There are more numbers than names.
        let name = std::iter::once(name.to_owned()).chain(numbered).find(free).unwrap_or_default();
        self.0.insert(name.clone());
        name
    }
}

/// Words that a field may not be called in code that is generated, in lower case as fields are.
const RESERVED: &[&str] = &[
    "abstract",
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "any",
    "as",
    "asm",
    "assert",
    "async",
    "attribute",
    "auto",
    "await",
    "bitand",
    "bitor",
    "bool",
    "boolean",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "compl",
    "component",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "consumes",
    "context",
    "continue",
    "co_await",
    "co_return",
    "co_yield",
    "custom",
    "decltype",
    "def",
    "default",
    "del",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "elif",
    "else",
    "emits",
    "enum",
    "eventtype",
    "except",
    "exception",
    "explicit",
    "export",
    "extern",
    "factory",
    "false",
    "finally",
    "finder",
    "fixed",
    "float",
    "for",
    "friend",
    "from",
    "getraises",
    "global",
    "goto",
    "home",
    "if",
    "import",
    "importid",
    "in",
    "inline",
    "inout",
    "int",
    "interface",
    "is",
    "lambda",
    "local",
    "long",
    "manages",
    "module",
    "mutable",
    "namespace",
    "native",
    "new",
    "noexcept",
    "none",
    "nonlocal",
    "not",
    "not_eq",
    "nullptr",
    "object",
    "octet",
    "oneway",
    "operator",
    "or",
    "or_eq",
    "out",
    "pass",
    "primarykey",
    "private",
    "protected",
    "provides",
    "public",
    "publishes",
    "raise",
    "raises",
    "readonly",
    "register",
    "reinterpret_cast",
    "requires",
    "return",
    "self",
    "sequence",
    "setraises",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "string",
    "struct",
    "supports",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "truncatable",
    "try",
    "typedef",
    "typeid",
    "typename",
    "typeprefix",
    "union",
    "unsigned",
    "uses",
    "using",
    "valuebase",
    "valuetype",
    "virtual",
    "void",
    "volatile",
    "wchar",
    "wchar_t",
    "while",
    "with",
    "wstring",
    "xor",
    "xor_eq",
    "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_what_ros_takes() {
        for (text, name) in [
            ("ALMotion", "ALMotion"),
            ("my.service-name", "my_service_name"),
            ("a  b__c_", "a_b_c"),
            ("9lives", "n9lives"),
            ("été", "n_t"),
            ("", "n"),
        ] {
            assert_eq!(graph_name(text), name);
        }
    }

    #[test]
    fn fields_are_in_snake_case_and_no_keywords() {
        for (text, name) in [
            ("maxSpeed", "max_speed"),
            ("HTTPServer", "http_server"),
            ("x2Y", "x2_y"),
            ("class", "f_class"),
            ("From", "f_from"),
            ("a b", "a_b"),
            ("_private", "n_private"),
        ] {
            assert_eq!(field_name(text), name);
        }
        assert_eq!(message_name("emit_tick"), "EmitTick");
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let mut names = Names::with(&["a_2"]);
        assert_eq!([names.take("a"), names.take("a"), names.take("a")], ["a", "a_3", "a_4"]);
    }
}
