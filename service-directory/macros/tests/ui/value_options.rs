//! Options that say nothing where they are.

use keyway::QiValue;

#[derive(QiValue)]
#[qi(renamed = "point")]
struct Point {
    x: i32,
}

#[derive(QiValue)]
#[qi(rename = "a<b")]
struct Odd {
    x: i32,
}

#[derive(QiValue)]
struct Twice {
    #[qi(rename = "a", rename = "b")]
    x: i32,
}

#[derive(QiValue)]
#[qi(rename = "pair")]
struct Pair(i32, i32);

#[derive(QiValue)]
enum Mode {
    #[qi(rename = "off")]
    Off,
}

fn main() {}
