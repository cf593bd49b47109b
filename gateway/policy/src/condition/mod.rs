//! Limits of arguments: `value <= 0.5`, `#1 < 3`, `length(names) <= 2`, `name == "Head"`, `file ~ "/home/nao/*"`.

mod argument;
mod number;

use std::{cmp::Ordering, fmt};

pub(crate) use argument::{Quantifier, Undecidable, holds};
pub(crate) use number::Number;

use crate::{Glob, GlobError};

/// A condition on one argument.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) parameter: Parameter,
    pub(crate) test: Test,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameter {
    Named(String),
    /// Counted from 0.
    At(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Number(Comparison, f64),
    Text { equal: bool, text: String },
    Pattern { matching: bool, glob: Glob },
    Length(Comparison, f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConditionError {
    #[error("a condition is `parameter operator value`, such as `value <= 0.5`; operators: <= < >= > == != ~ !~")]
    Shape,
    #[error("`{0}` is no parameter; write its name, `#0` for the first, or `length(name)`")]
    Parameter(String),
    #[error("`{0}` is no value; write a number, true, false or a \"text\"")]
    Value(String),
    #[error("`{0}` compares with {1} only")]
    Operator(&'static str, &'static str),
    #[error(transparent)]
    Glob(#[from] GlobError),
}

impl Condition {
    pub(crate) fn parse(text: &str) -> Result<Self, ConditionError> {
        let text = text.trim();
        let start = text.find(['<', '>', '=', '!', '~']).ok_or(ConditionError::Shape)?;
        let (subject, rest) = (text[..start].trim(), &text[start..]);
        let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator)).ok_or(ConditionError::Shape)?;
        let value = rest[operator.len()..].trim();
        let (length, subject) = match subject.strip_prefix("length(").and_then(|inner| inner.strip_suffix(')')) {
            Some(inner) => (true, inner.trim()),
            None => (false, subject),
        };
        let test = match (Comparison::of(operator), literal(value)?) {
            (Some(comparison), Literal::Number(limit)) if length => Test::Length(comparison, limit),
            _ if length => return Err(ConditionError::Operator("length", "numbers")),
            (Some(comparison), Literal::Number(limit)) => Test::Number(comparison, limit),
            (Some(Comparison::Equal), Literal::Text(text)) => Test::Text { equal: true, text },
            (Some(Comparison::NotEqual), Literal::Text(text)) => Test::Text { equal: false, text },
            (Some(_), Literal::Text(_)) => return Err(ConditionError::Operator(operator, "numbers")),
            (None, Literal::Text(text)) => Test::Pattern { matching: *operator == "~", glob: Glob::parse(&text)? },
            (None, Literal::Number(_)) => return Err(ConditionError::Operator(operator, "a \"text\"")),
        };
        Ok(Self { parameter: Parameter::parse(subject)?, test, text: text.to_owned() })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Parameter {
    /// Where it is among the names of a method's parameters.
    pub(crate) fn position(&self, names: &[&str]) -> Option<usize> {
        match self {
            Self::At(position) => Some(*position),
            Self::Named(wanted) => names.iter().position(|name| name == wanted),
        }
    }

    fn parse(text: &str) -> Result<Self, ConditionError> {
        let unknown = || ConditionError::Parameter(text.to_owned());
        if let Some(position) = text.strip_prefix('#') {
            return position.parse().map(Self::At).map_err(|_| unknown());
        }
        let is_name = !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        if is_name { Ok(Self::Named(text.to_owned())) } else { Err(unknown()) }
    }
}

impl Comparison {
    fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            "==" => Self::Equal,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            "!=" => Self::NotEqual,
            _ => return None,
        })
    }

    pub(crate) const fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::NotEqual => ordering.is_ne(),
        }
    }
}

enum Literal {
    Number(f64),
    Text(String),
}

fn literal(text: &str) -> Result<Literal, ConditionError> {
    let unknown = || ConditionError::Value(text.to_owned());
    if let Some(quoted) = text.strip_prefix('"') {
        let inner = quoted.strip_suffix('"').ok_or_else(unknown)?;
        return if inner.contains('"') { Err(unknown()) } else { Ok(Literal::Text(inner.to_owned())) };
    }
    match text {
        "true" => Ok(Literal::Number(1.0)),
        "false" => Ok(Literal::Number(0.0)),
        _ => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Literal::Number(number)),
            _ => Err(unknown()),
        },
    }
}

/// Longer ones first.
const OPERATORS: [&str; 8] = ["<=", ">=", "==", "!=", "!~", "<", ">", "~"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        let rows = [
            ("value <= 0.5", Parameter::Named("value".into()), Test::Number(Comparison::LessOrEqual, 0.5)),
            ("#1>3", Parameter::At(1), Test::Number(Comparison::Greater, 3.0)),
            ("length( names ) < 2", Parameter::Named("names".into()), Test::Length(Comparison::Less, 2.0)),
            ("on == true", Parameter::Named("on".into()), Test::Number(Comparison::Equal, 1.0)),
            ("n != \"x\"", Parameter::Named("n".into()), Test::Text { equal: false, text: "x".into() }),
            (
                "n !~ \"<*\"",
                Parameter::Named("n".into()),
                Test::Pattern { matching: false, glob: Glob::parse("<*").unwrap() },
            ),
        ];
        for (text, parameter, test) in rows {
            let condition = Condition::parse(text).unwrap();
            assert_eq!((condition.parameter, condition.test), (parameter, test), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let bad = [
            "",
            "value",
            "value 0.5",
            "value <=",
            "<= 3",
            "value = 3",
            "value <= \"a\"",
            "value ~ 3",
            "length(x) == \"a\"",
            "a b <= 3",
            "#x <= 3",
            "v <= NaN",
            "v <= inf",
            "v == \"a",
            "v == \"a\"b\"",
            "v ~ \"[\"",
            "#-1 < 3",
        ];
        for text in bad {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
    }
}
