//! Numbers as they come, compared exactly.

use std::cmp::Ordering;

use keyway_value::Type;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    /// None if either is no number.
    pub(crate) fn compare(self, limit: f64) -> Option<Ordering> {
        match self {
            Self::Float(number) => number.partial_cmp(&limit),
            Self::Integer(_) if limit.is_nan() => None,
            Self::Integer(number) => {
                let floor = limit.floor();
                // What is beyond an i128 becomes its end, and every integer of the protocol is far from there.
                let below = number.cmp(&(floor as i128));
                Some(if below.is_eq() && limit > floor { Ordering::Less } else { below })
            }
        }
    }

    /// What the method gets once the host has converted it; none if that cannot be foreseen.
    pub(crate) fn as_declared(self, declared: Option<&Type>) -> Option<Self> {
        match (self, declared) {
            (Self::Float(_), Some(declared)) if declared.is_integer() || *declared == Type::Bool => None,
            (Self::Float(number), Some(Type::Float)) => Some(Self::Float(f64::from(number as f32))),
            _ => Some(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_not_rounded_to_compare_them() {
        let rows = [
            (Number::Integer(3), 3.0, Some(Ordering::Equal)),
            (Number::Integer(3), 3.5, Some(Ordering::Less)),
            (Number::Integer(-3), -3.5, Some(Ordering::Greater)),
            (Number::Integer(i128::from(u64::MAX)), 18_446_744_073_709_551_616.0, Some(Ordering::Less)),
            (Number::Integer(i128::from(i64::MAX)), 1e300, Some(Ordering::Less)),
            (Number::Integer(i128::from(i64::MIN)), -1e300, Some(Ordering::Greater)),
            (Number::Float(f64::NAN), 0.5, None),
            (Number::Float(0.25), 0.5, Some(Ordering::Less)),
        ];
        for (number, limit, expected) in rows {
            assert_eq!(number.compare(limit), expected, "{number:?} {limit}");
        }
    }

    #[test]
    fn what_the_host_makes_of_a_number_is_compared() {
        assert_eq!(Number::Float(1.5).as_declared(Some(&Type::Int32)), None);
        assert_eq!(Number::Float(0.1).as_declared(Some(&Type::Float)), Some(Number::Float(f64::from(0.1_f32))));
        assert_eq!(Number::Integer(1).as_declared(Some(&Type::Double)), Some(Number::Integer(1)));
    }
}
