//! The members that every object has (spec 6).

use std::sync::LazyLock;

use super::{MetaMethod, MetaObject, MetaSignal};
use crate::{QiValue, Signature};

pub(super) fn methods() -> &'static [MetaMethod] {
    static METHODS: LazyLock<Vec<MetaMethod>> = LazyLock::new(|| {
        let metaobject = MetaObject::signature();
        let stats = signature(STATS);
        let rows = [
            (0, "registerEvent", "(IIL)", signature("L")),
            (1, "unregisterEvent", "(IIL)", signature("v")),
            (2, "metaObject", "(I)", metaobject),
            (3, "terminate", "(I)", signature("v")),
            (5, "property", "(m)", signature("m")),
            (6, "setProperty", "(mm)", signature("v")),
            (7, "properties", "()", signature("[s]")),
            (8, "registerEventWithSignature", "(IILs)", signature("L")),
            (80, "isStatsEnabled", "()", signature("b")),
            (81, "enableStats", "(b)", signature("v")),
            (82, "stats", "()", stats),
            (83, "clearStats", "()", signature("v")),
            (84, "isTraceEnabled", "()", signature("b")),
            (85, "enableTrace", "(b)", signature("v")),
        ];
        rows.into_iter()
            .map(|(uid, name, parameters, return_signature)| MetaMethod {
                uid,
                return_signature,
                name: name.to_owned(),
                parameters_signature: signature(parameters),
                description: String::new(),
                parameters: Vec::new(),
                return_description: String::new(),
            })
            .collect()
    });
    &METHODS
}

pub(super) fn trace_object() -> &'static MetaSignal {
    static SIGNAL: LazyLock<MetaSignal> =
        LazyLock::new(|| MetaSignal { uid: 86, name: "traceObject".to_owned(), signature: signature(TRACE) });
    &SIGNAL
}

/// Texts of this file; a test reads each of them.
fn signature(text: &str) -> Signature {
    Signature::parse(text).unwrap_or_else(|_| Signature::unknown())
}

const STATS: &str = concat!(
    "{I(I(fff)<MinMaxSum,minValue,maxValue,cumulatedValue>(fff)<MinMaxSum,minValue,maxValue,cumulatedValue>",
    "(fff)<MinMaxSum,minValue,maxValue,cumulatedValue>)<MethodStatistics,count,wall,user,system>}"
);

const TRACE: &str = concat!(
    "((IiIm(ll)<timeval,tv_sec,tv_usec>llII)<EventTrace,id,kind,slotId,arguments,timestamp,userUsTime,",
    "systemUsTime,callerContext,calleeContext>)"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reserved_signature_parses() {
        assert!(methods().iter().all(|method| method.return_signature != Signature::unknown()));
        assert!(methods().iter().all(|method| method.parameters_signature != Signature::unknown()));
        assert_ne!(trace_object().signature, Signature::unknown());
    }
}
