//! Which directory a client command talks to.

use clap::Args;
use keyway::Session;

use crate::{stop::Stop, tls::TlsArgs};

/// The directory, and who asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConnectionArgs {
    /// The directory; missing parts are tcp and port 9559
    #[arg(long, env = "QI_URL", default_value = "tcp://127.0.0.1:9559", value_name = "URL")]
    pub(crate) qi_url: String,
    /// User to authenticate as
    #[arg(long, env = "KEYWAY_USER", requires = "token")]
    user: Option<String>,
    /// Token of the user
    #[arg(long, env = "KEYWAY_TOKEN", hide_env_values = true, requires = "user")]
    token: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
}

impl ConnectionArgs {
    /// Connects.
    pub(crate) async fn connect(&self) -> anyhow::Result<Session> {
        let mut builder = self.tls.apply(Session::builder())?;
        if let (Some(user), Some(token)) = (&self.user, &self.token) {
            builder = builder.credentials(user, token);
        }
        Ok(builder.connect(&self.qi_url).await?)
    }

    /// Connects and runs a command's work, until it is done or the user has seen enough.
    pub(crate) fn run<F>(&self, work: F) -> anyhow::Result<()>
    where
        F: AsyncFnOnce(&Session) -> anyhow::Result<()>,
    {
        self.run_to_end(async |session, stop| {
            tokio::select! {
                result = work(session) => result,
                () = stop.requested() => Ok(()),
            }
        })
    }

    /// Connects and runs a command's work, which waits for the end itself because something is to be put back then.
    pub(crate) fn run_to_end<F>(&self, work: F) -> anyhow::Result<()>
    where
        F: AsyncFnOnce(&Session, &mut Stop) -> anyhow::Result<()>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut stop = Stop::new()?;
            let session = tokio::select! {
                session = self.connect() => session?,
                () = stop.requested() => return Ok(()),
            };
            let result = work(&session, &mut stop).await;
            session.close().await;
            result
        })
    }
}
