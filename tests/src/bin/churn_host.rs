//! A host that is to be killed: `churn_host URL NAME` registers one service, says `ready URL`, and waits.

use std::future::pending;

use keyway::{Object, Session};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(name)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: churn_host URL NAME");
    };
    let session = Session::connect(&url).await?;
    let mut builder = Object::builder();
    builder.method("name", move |()| "churn".to_owned());
    session.register(&name, builder).await?;
    println!("ready {url}");
    pending().await
}
