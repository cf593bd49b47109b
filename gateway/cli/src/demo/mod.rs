//! A robot and a meter to try things on: methods, signals, properties, a stream, an object.

mod meter;
mod robot;

use keyway::{Directory, Session};
use tokio::task::JoinSet;

/// The demo's sessions and what keeps them busy; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Demo {
    _session: Session,
    _life: JoinSet<()>,
}

/// Starts both in the directory's process.
pub(crate) async fn start(directory: &Directory) -> anyhow::Result<Demo> {
    let session = directory.session();
    let mut life = JoinSet::new();
    robot::start(&session, &mut life).await?;
    meter::start(&session, &mut life).await?;
    Ok(Demo { _session: session, _life: life })
}

/// What to try, for the person who started it.
pub(crate) fn invitation(url: &str) -> String {
    format!(
        "
A robot and a meter are up. In another terminal:

  keyway info --qi-url {url} Robot
  keyway call --qi-url {url} Robot.say hello
  keyway watch --qi-url {url} Meter.measured

and from Python (pip install qi):

  import qi; s = qi.Session(); s.connect(\"{url}\"); print(s.service(\"Robot\").walkTo(1.0, 0.5))

Ctrl-C ends it.
"
    )
}
