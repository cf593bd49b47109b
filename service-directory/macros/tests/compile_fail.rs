//! What the macros refuse, and what they say then.

#[test]
fn misuse_is_explained_where_it_is_written() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
