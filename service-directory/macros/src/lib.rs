//! Attribute and derive macros of the keyway SDK.
