//! A robot and a meter to try things on: methods, signals, properties, a stream, an object.

mod files;
mod meter;
mod robot;

use keyway::{Directory, Session};
use tokio::task::JoinSet;

pub(crate) use self::files::Files;
use crate::commands::init::quoted;

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

/// What to try, for the person who started it. `bus` is where programs inside connect, `doors` where clients outside do.
pub(crate) fn invitation(bus: &str, doors: &[String], files: Option<&Files>) -> String {
    let mut text = format!(
        "
A robot and a meter are up. From inside, on {bus}, everybody may do everything:

  keyway info --qi-url {bus} Robot
  keyway watch --qi-url {bus} Meter.measured
"
    );
    if let Some(files) = files {
        let (ca, secret) = (quoted(&files.ca().display().to_string()), quoted(&files.secret().display().to_string()));
        text += "\nFrom outside, through the gateway, as the user demo. In another terminal:\n";
        let door = |scheme: &str| doors.iter().find(|url| url.starts_with(scheme));
        if let Some(url) = door("tcps://") {
            text += &python(url, &secret);
            text += &format!(
                "\n  keyway call --qi-url {url} --ca {ca} --user demo --token \"$(cat {secret})\" Robot.say hello\n"
            );
        }
        if let Some(url) = door("https://") {
            let call = "--json '[\"hello\"]'";
            text += &format!(
                "\n  curl --cacert {ca} -H \"Authorization: Bearer $(cat {secret})\" {call} {url}/v1/services/Robot/say\n"
            );
        }
    }
    text + "\nCtrl-C ends it.\n"
}

/// A libqi program; libqi does not verify certificates (spec 11.3).
fn python(url: &str, secret: &str) -> String {
    format!(
        "
  pip install qi; python3 - \"$(cat {secret})\" <<'PY'
  import qi, sys
  class Demo:
      def newAuthenticator(self): return self
      def initialAuthData(self): return {{'user': 'demo', 'token': sys.argv[1]}}
  session = qi.Session(); session.setClientAuthenticatorFactory(Demo()); session.connect('{url}')
  print(session.service('Robot').walkTo(1.0, 0.5))
  PY
"
    )
}
