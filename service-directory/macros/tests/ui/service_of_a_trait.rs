//! A service is what a type can do by itself.

struct Robot;

#[keyway::service]
impl Default for Robot {
    fn default() -> Self {
        Self
    }
}

fn main() {}
