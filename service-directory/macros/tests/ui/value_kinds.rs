//! Types that have no type on the wire.

use keyway::QiValue;

#[derive(QiValue)]
union Bits {
    int: u32,
    float: f32,
}

#[derive(QiValue)]
enum Shape {
    Dot,
    Circle(f32),
}

#[derive(QiValue)]
enum Never {}

#[derive(QiValue)]
#[qi(transparent)]
struct Both {
    a: i32,
    b: i32,
}

fn main() {}
