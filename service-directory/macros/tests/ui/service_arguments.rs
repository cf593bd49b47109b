//! Arguments that `#[service]` does not know.

struct Robot;

#[keyway::service(signal(moved))]
impl Robot {}

#[keyway::service(signals(moved(read_only)))]
impl Robot {}

#[keyway::service(rename_all = "kebab-case")]
impl Robot {}

fn main() {}
