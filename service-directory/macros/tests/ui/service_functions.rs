//! Functions that cannot be methods of a service.

#![allow(unused_variables)]

struct Robot;

#[keyway::service]
impl Robot {
    fn change(&mut self) {}

    fn say(&self, text: &'static str) {}

    fn sum(&self, numbers: &mut [i32]) {}

    fn whose(&self, context: &keyway::CallContext) {}

    fn show(&self, value: impl Into<f64>) {}

    fn generic<T>(&self, value: T) {}

    fn name(&self) -> &str {
        ""
    }

    #[qi(blocking)]
    async fn both(&self) {}

    #[qi(blocking)]
    fn who(&self, #[qi(context)] context: &keyway::CallContext) {}

    #[qi(skip, name = "other")]
    fn skipped(&self) {}

    #[qi(hidden)]
    fn hidden(&self) {}

    fn many(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8) {}
}

fn main() {}
