//! The front: what it is told, how it starts and ends.

use std::time::Duration;

use keyway_bridge::{Bus, Front, FrontError, OptIn};
use keyway_bridge_ros::{RosOptions, registry};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{
    NAME,
    dds::Middleware,
    names::is_name,
    serving::{Part, Serving},
};

/// How the bridge is a node of ROS 2.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `ROS_DOMAIN_ID`
    pub domain: u16,
    /// Whose requests are understood.
    pub middleware: Middleware,
    /// The node's name.
    pub node_name: String,
    /// Whether headers say the time of `/clock`.
    pub use_sim_time: bool,
    /// How many participants may have left the domain before the bridge takes part anew, if nobody is there who would notice; ten
    /// times as many if somebody is. The DDS library forgets none, and keeps some 100 KiB of each.
    pub renew_after: usize,
    /// What is shown, rules and imports.
    pub ros: RosOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            domain: 0,
            middleware: Middleware::default(),
            node_name: "/qi/bridge".to_owned(),
            use_sim_time: false,
            renew_after: 50,
            ros: RosOptions::default(),
        }
    }
}

/// The bridge as a node of ROS 2, serving.
pub struct Ros2 {
    options: Options,
    ending: watch::Sender<bool>,
    /// Ended in good order after [`stop`](Front::stop), aborted otherwise.
    serving: JoinHandle<()>,
}

impl Front for Ros2 {
    const NAME: &'static str = NAME;

    type Options = Options;

    async fn start(opt_in: &OptIn, bus: &Bus, options: Options) -> Result<Self, FrontError> {
        for (option, name) in [("root", &options.ros.mapping.root), ("node", &options.node_name)] {
            if !is_name(name) {
                return Err(FrontError::Option(format!(
                    "{option}: {name:?} is no name of ROS 2; write it as /name, of letters, digits and single underscores"
                )));
            }
        }
        if options.domain > LAST_DOMAIN {
            return Err(FrontError::Option(format!("domain: {} is none; they are 0 to {LAST_DOMAIN}", options.domain)));
        }
        let registry = registry(&options.ros.definition_paths)
            .map_err(|why| FrontError::Option(format!("definition_paths: {why}")))?;
        let is_local = !opt_in.allows_non_loopback();
        let part = Part { bus: bus.clone(), options: options.clone(), registry, is_local };
        let first = Serving::start(&part).await?;
        let (ending, is_ending) = watch::channel(false);
        Ok(Self { options, ending, serving: tokio::spawn(serve(first, part, is_ending)) })
    }

    fn listening(&self) -> Vec<String> {
        vec![format!("dds://127.0.0.1/{}", self.options.domain)]
    }

    fn reload(&self, options: Options) -> bool {
        options == self.options
    }

    async fn stop(mut self) {
        // A bridge that is just leaving the domain, or coming back, does that first: what moves is stopped in any case.
        self.ending.send_replace(true);
        if let Err(error) = (&mut self.serving).await {
            tracing::error!(%error, "the bridge has not ended in good order");
        }
    }
}

impl Drop for Ros2 {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Takes part until the bridge ends, and anew whenever the library has heard of too many that are gone.
async fn serve(mut serving: Serving, part: Part, mut is_ending: watch::Receiver<bool>) {
    loop {
        let crowd = serving.crowd();
        let ends = tokio::select! {
            _ = is_ending.wait_for(|is_ending| *is_ending) => true,
            () = crowd.is_large() => false,
        };
        if !ends {
            tracing::info!(
                "many nodes have left the domain: it is entered anew, because the DDS library forgets none of them"
            );
        }
        serving.stop().await;
        if ends {
            return;
        }
        serving = loop {
            match Serving::start(&part).await {
                Ok(new) => break new,
                Err(error) => {
                    tracing::warn!(%error, "the domain cannot be entered; tried again");
                    if timeout(AGAIN, is_ending.wait_for(|is_ending| *is_ending)).await.is_ok() {
                        return;
                    }
                }
            }
        };
    }
}

impl std::fmt::Debug for Ros2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ros2").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Ports of higher domains overflow, or are those that the system gives to others.
const LAST_DOMAIN: u16 = 232;
/// Between attempts to enter the domain.
const AGAIN: Duration = Duration::from_secs(5);
