//! Traits that are more than a list of members.

#[keyway::proxy]
trait Generic<T> {
    async fn read(&self) -> keyway::Result<T>;
}

#[keyway::proxy]
trait Sub: Clone {
    async fn read(&self) -> keyway::Result<i32>;
}

#[keyway::proxy(name = "not a name")]
trait Named {
    async fn read(&self) -> keyway::Result<i32>;
}

fn main() {}
