//! How well a type converts to another (spec 3.3).

use crate::{Signature, Type};

/// From 0, impossible, to 1, as it is.
pub fn score(from: &Signature, to: &Signature) -> f32 {
    use Type as T;
    match (from.kind(), to.kind()) {
        (_, T::Void) => 1.0,
        (T::Unknown, T::Unknown) => 1.0,
        (_, T::Unknown) => 0.9,
        (_, T::Dynamic) | (T::None, _) => 0.95,
        (T::Optional(from), T::Optional(to)) => score(from, to),
        (T::Void, T::Optional(_)) => 1.0,
        (_, T::Optional(to)) => score(from, to),
        (T::Optional(_), _) => 0.0,
        (from, to) if is_number(from) => match (is_number(to), is_float(from), is_float(to)) {
            (false, ..) => 0.0,
            (true, false, true) => 0.98,
            (true, true, false) => {
                if *to == T::Bool {
                    0.93
                } else {
                    0.97
                }
            }
            _ if *to == T::Bool && *from != T::Bool => 0.96,
            _ => 1.0,
        },
        (T::List(a) | T::VarArgs(a), T::List(b) | T::VarArgs(b)) => child(score(a, b)),
        (T::Map(a), T::Map(b)) => child(score(&a.0, &b.0)) * child(score(&a.1, &b.1)),
        (T::Tuple(a), T::Tuple(b)) if a.len() == b.len() => {
            a.iter().zip(b.iter()).map(|(a, b)| child(score(a, b))).product()
        }
        (T::Tuple(_), T::Tuple(_)) => match (from.struct_name(), to.struct_name()) {
            (Some(a), Some(b)) if a == b => 0.1,
            _ => 0.0,
        },
        (from, to) if from == to => 1.0,
        _ => 0.0,
    }
}

/// What a child's score leaves of its container's.
fn child(score: f32) -> f32 {
    if score == 0.0 { 0.0 } else { 1.0 - (1.0 - score) * 0.95 }
}

const fn is_float(kind: &Type) -> bool {
    matches!(kind, Type::Float | Type::Double)
}

const fn is_number(kind: &Type) -> bool {
    use Type as T;
    let integer = matches!(
        kind,
        T::Bool | T::Int8 | T::UInt8 | T::Int16 | T::UInt16 | T::Int32 | T::UInt32 | T::Int64 | T::UInt64
    );
    integer || is_float(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(from: &str, to: &str) -> f32 {
        score(&from.parse().unwrap(), &to.parse().unwrap())
    }

    #[test]
    fn scores_follow_the_rules_of_the_table() {
        for (from, to, expected) in [
            ("i", "v", 1.0),
            ("i", "m", 0.95),
            ("i", "l", 1.0),
            ("i", "d", 0.98),
            ("d", "i", 0.97),
            ("i", "b", 0.96),
            ("s", "i", 0.0),
            ("i", "s", 0.0),
            ("m", "i", 0.0),
            ("[i]", "[s]", 0.0),
            ("v", "+i", 1.0),
            ("i", "+i", 1.0),
            ("+i", "i", 0.0),
            ("(ii)", "(i)", 0.0),
            ("(ii)<P,x,y>", "(i)<P,x>", 0.1),
        ] {
            assert!((between(from, to) - expected).abs() < 1e-6, "{from} to {to}: {}", between(from, to));
        }
        assert!(between("(i)", "(d)") < between("(i)", "(i)"));
    }
}
