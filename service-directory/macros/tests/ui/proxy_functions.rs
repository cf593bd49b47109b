//! Functions that a proxy cannot have.

#[keyway::proxy]
trait RobotApi {
    const LEGS: u32;

    async fn nobody() -> keyway::Result<()>;

    async fn nothing(&self);

    async fn done(&self) -> keyway::Result<()> {
        Ok(())
    }

    #[qi(post)]
    async fn posted(&self) -> keyway::Result<()>;

    #[qi(signal)]
    fn changed(&self) -> keyway::Result<()>;

    #[qi(property)]
    async fn set_both(&self, a: i32, b: i32) -> keyway::Result<()>;

    #[qi(signal, property)]
    async fn either(&self) -> keyway::Result<()>;

    #[qi(blocking)]
    async fn blocking(&self) -> keyway::Result<()>;
}

fn main() {}
