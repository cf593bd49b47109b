//! The small language of rules: fields, literals, and calls of methods with them. There is no more to it on purpose.

use keyway_value::Value;

/// A field such as `linear.x`, `-data[0]`, or a literal such as `"Body"`, `1.5`, `true`, `nan`.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// Always the same.
    Literal(Value),
    /// A part of a message, or of what sources return.
    Path {
        /// Whether it is multiplied by -1.
        is_negative: bool,
        /// From the outside in.
        steps: Vec<Step>,
    },
}

/// A step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A field by its name.
    Field(String),
    /// An element of a list, counted from 0.
    Index(usize),
}

/// A method with its arguments: `ALMotion.getAngles("Body", true)`, with `@once` behind it if it is called only once.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The service.
    pub service: String,
    /// The method.
    pub method: String,
    /// Its arguments.
    pub arguments: Vec<Expression>,
    /// Whether what it returned the first time is kept.
    pub is_once: bool,
}

/// A signal of a service, or of an object that a method returns: `ALMemory.subscriber("FrontTactilTouched").signal`.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSource {
    /// The service, or the method that returns the object; its arguments are literals.
    pub emitter: Emitter,
    /// The signal.
    pub signal: String,
}

/// What emits a signal.
#[derive(Debug, Clone, PartialEq)]
pub enum Emitter {
    /// A service.
    Service(String),
    /// An object that a method returns.
    Returned(Source),
}

/// A text that is no expression, or an expression that a value has no part for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// It is no expression.
    #[error("{0:?} is neither a field such as linear.x or data[0], nor a literal such as \"Body\", 1.5 or true")]
    Expression(String),
    /// A field is wanted.
    #[error("{0:?} is no field such as linear.x or data[0]")]
    NotField(String),
    /// A literal is wanted.
    #[error("{0:?} is no literal such as \"Body\", 1.5 or true")]
    NotLiteral(String),
    /// It is no method with arguments.
    #[error("{0:?} is no method; write Service.method, or Service.method(\"argument\", 1.5) @once")]
    Source(String),
    /// It is no signal of a service.
    #[error("{0:?} is no signal; write Service.signal, or Service.method(\"argument\").signal for one of an object")]
    Signal(String),
    /// A source uses another one that is not there, or that uses it itself.
    #[error("{0:?} is not among the sources that are called before")]
    NoSuchSource(String),
    /// There is no such part.
    #[error("there is no {0}")]
    NoSuchPart(String),
    /// What is not a number has no negative.
    #[error("{0} is not a number")]
    NoNumber(String),
}

impl Expression {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let error = || ExpressionError::Expression(text.to_owned());
        let trimmed = text.trim();
        match trimmed {
            "true" => return Ok(Self::Literal(true.into())),
            "false" => return Ok(Self::Literal(false.into())),
            "nan" => return Ok(Self::Literal(f64::NAN.into())),
            _ => {}
        }
        if trimmed.starts_with('"') {
            let text: String = serde_json::from_str(trimmed).map_err(|_| error())?;
            return Ok(Self::Literal(text.into()));
        }
        let (is_negative, rest) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, trimmed),
        };
        if rest.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
            return number(trimmed).map(Self::Literal).ok_or_else(error);
        }
        let steps = steps(rest).ok_or_else(error)?;
        Ok(Self::Path { is_negative, steps })
    }

    /// The name that its path begins with.
    fn root(&self) -> Option<&str> {
        match self {
            Self::Path { steps, .. } => match steps.first() {
                Some(Step::Field(name)) => Some(name),
                _ => None,
            },
            Self::Literal(_) => None,
        }
    }

    /// What it is of a value.
    pub fn evaluate(&self, root: &Value) -> Result<Value, ExpressionError> {
        let (is_negative, steps) = match self {
            Self::Literal(value) => return Ok(value.clone()),
            Self::Path { is_negative, steps } => (*is_negative, steps),
        };
        let mut value = root;
        for (position, step) in steps.iter().enumerate() {
            let part = match step {
                Step::Field(name) => value.field(name),
                Step::Index(index) => value.as_list().and_then(|items| items.get(*index)),
            };
            value = part.ok_or_else(|| ExpressionError::NoSuchPart(path_text(&steps[..=position])))?;
        }
        let value = value.clone().unwrap_dynamic();
        if is_negative { negative(&value, steps) } else { Ok(value) }
    }
}

impl Source {
    /// A method by its name, with arguments.
    pub fn new(call: &str, arguments: Vec<Expression>) -> Result<Self, ExpressionError> {
        let error = || ExpressionError::Source(call.to_owned());
        let (service, method) = call.trim().rsplit_once('.').ok_or_else(error)?;
        if service.is_empty() || method.is_empty() || call.contains(['(', ')']) {
            return Err(error());
        }
        Ok(Self { service: service.to_owned(), method: method.to_owned(), arguments, is_once: false })
    }

    /// Reads a method with its arguments in brackets.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let error = || ExpressionError::Source(text.to_owned());
        let trimmed = text.trim();
        let (call, is_once) = match trimmed.strip_suffix("@once") {
            Some(call) => (call.trim_end(), true),
            None => (trimmed, false),
        };
        let (name, arguments) = match call.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').ok_or_else(error)?),
            None => (call, ""),
        };
        let arguments = split(arguments).into_iter().map(Expression::parse).collect::<Result<_, _>>()?;
        Ok(Self { is_once, ..Self::new(name, arguments)? })
    }

    /// The names of what its arguments are parts of.
    pub(super) fn uses(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().filter_map(Expression::root)
    }

    /// The arguments, with parts of a value.
    pub fn evaluate(&self, root: &Value) -> Result<Vec<Value>, ExpressionError> {
        self.arguments.iter().map(|argument| argument.evaluate(root)).collect()
    }
}

impl EventSource {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let error = || ExpressionError::Signal(text.to_owned());
        let (emitter, signal) = text.trim().rsplit_once('.').ok_or_else(error)?;
        if emitter.is_empty() || signal.is_empty() || signal.contains(['(', ')', '"']) {
            return Err(error());
        }
        let emitter = match emitter.ends_with(')') {
            true => Emitter::Returned(Source::parse(emitter)?),
            false if emitter.contains(['(', '"']) => return Err(error()),
            false => Emitter::Service(emitter.to_owned()),
        };
        if matches!(&emitter, Emitter::Returned(source) if source.uses().next().is_some()) {
            return Err(error());
        }
        Ok(Self { emitter, signal: signal.to_owned() })
    }
}

fn number(text: &str) -> Option<Value> {
    let text = match text.strip_prefix('-') {
        Some(rest) => format!("-{}", rest.trim_start()),
        None => text.to_owned(),
    };
    if let Ok(number) = text.parse::<i64>() {
        return Some(i32::try_from(number).map_or(Value::Int64(number), Value::Int32));
    }
    text.parse::<f64>().ok().map(Value::Double)
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in text.split('.') {
        let (name, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        if !is_name {
            return None;
        }
        steps.push(Step::Field(name.to_owned()));
        while !rest.is_empty() {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        }
    }
    Some(steps)
}

/// Parts between commas that are not in texts.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_text, mut is_escaped) = (Vec::new(), 0, false, false);
    for (position, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            ',' if !is_text => {
                parts.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    if !text.trim().is_empty() {
        parts.push(&text[start..]);
    }
    parts
}

fn negative(value: &Value, steps: &[Step]) -> Result<Value, ExpressionError> {
    match value {
        Value::Float(number) => return Ok(Value::Float(-number)),
        Value::Double(number) => return Ok(Value::Double(-number)),
        _ => {}
    }
    let number = value.as_i64().and_then(i64::checked_neg);
    number.map(Value::Int64).ok_or_else(|| ExpressionError::NoNumber(path_text(steps)))
}

fn path_text(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Field(name) if text.is_empty() => text.push_str(name),
            Step::Field(name) => text.push_str(&format!(".{name}")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Registry, Shape};

    fn twist() -> Value {
        let shape = Shape::of_message(&Registry::standard(), &"geometry_msgs/Twist".parse().unwrap()).unwrap();
        let bytes: Vec<u8> = (1..=6).flat_map(|number| f64::from(number).to_le_bytes()).collect();
        crate::body::decode(&shape, &bytes.into()).unwrap()
    }

    fn literal(text: &str) -> Expression {
        Expression::Literal(text.into())
    }

    fn of(text: &str, root: &Value) -> Result<String, ExpressionError> {
        Expression::parse(text)?.evaluate(root).map(|value| value.to_string())
    }

    #[test]
    fn fields_and_literals_are_values() {
        let twist = twist();
        for (text, value) in [
            ("linear.x", "1"),
            ("- angular.z", "-6"),
            ("angular", r#"{"x":4,"y":5,"z":6}"#),
            ("\"Body, \\\"x\\\"\"", r#""Body, \"x\"""#),
            ("1.5", "1.5"),
            ("-2", "-2"),
            ("true", "true"),
        ] {
            assert_eq!(of(text, &twist).as_deref(), Ok(value), "{text}");
        }
        let list = Value::map(
            keyway_value::Signature::string(),
            keyway_value::Signature::dynamic(),
            vec![("pos".into(), Value::from(vec![Value::from(7), Value::from(8)]).into_dynamic())],
        );
        assert_eq!(of("pos[1]", &list).as_deref(), Ok("8"));
        assert_eq!(of("-pos[0]", &list).as_deref(), Ok("-7"));
        assert_eq!(of("pos[2]", &list), Err(ExpressionError::NoSuchPart("pos[2]".into())));
        assert_eq!(of("linear.w", &twist), Err(ExpressionError::NoSuchPart("linear.w".into())));
        assert_eq!(of("-linear", &twist), Err(ExpressionError::NoNumber("linear".into())));
    }

    #[test]
    fn what_is_more_than_that_is_refused() {
        for text in ["", "a + b", "a.", ".a", "a[x]", "a[1", "\"a", "f(x)", "1 2x"] {
            assert!(Expression::parse(text).is_err(), "{text:?}");
        }
        for text in ["", "say", "Service.", ".say", "A.b(1", "A.b(1) @twice", "A.b(1 + 2)"] {
            assert!(Source::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_source_is_a_method_with_arguments() {
        let source = Source::parse("ALMotion.getAngles(\"Body, all\", true) @once").unwrap();
        assert_eq!((source.service.as_str(), source.method.as_str(), source.is_once), ("ALMotion", "getAngles", true));
        let arguments = source.evaluate(&Value::Void).unwrap();
        assert_eq!(arguments, ["Body, all".into(), true.into()]);
        let touched = EventSource::parse("ALMemory.subscriber(\"Front.Touched\").signal").unwrap();
        assert_eq!(touched.signal, "signal");
        assert!(
            matches!(touched.emitter, Emitter::Returned(source) if source.arguments == ["Front.Touched"].map(literal))
        );
        let changed = EventSource::parse("ALTextToSpeech.languageChanged").unwrap();
        assert_eq!(changed.emitter, Emitter::Service("ALTextToSpeech".into()));
        for text in ["", "signal", "A.b(x).signal", "A.b(\"x\")", "A.b(1.signal"] {
            assert!(EventSource::parse(text).is_err(), "{text:?}");
        }
        let source = Source::parse("my.Service.status").unwrap();
        assert_eq!((source.service.as_str(), source.arguments.len(), source.is_once), ("my.Service", 0, false));
        assert_eq!(Source::parse("A.b()").unwrap().arguments, []);
    }
}
