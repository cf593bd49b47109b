//! Rules and imports, from their start to their end.

use std::time::Duration;

use keyway_ros_types::Registry;

use crate::{RosNode, RosOptions, StartError, ending::Tasks, import::Importing, rules};

/// Rules and imports in force. They end when this is dropped.
#[derive(Debug)]
pub struct InForce {
    rules: Tasks,
    _imports: Tasks,
}

impl InForce {
    /// Puts them in force. The error begins with what could not be, `rule` or `import`.
    pub fn start<N: RosNode>(
        node: &N,
        registry: &Registry,
        options: &RosOptions,
    ) -> Result<Self, (&'static str, StartError)> {
        let mut running = Tasks::new();
        for rule in &options.rules {
            rules::start(node, registry, rule, &mut running).map_err(|error| ("rule", error))?;
        }
        let mut importing = Tasks::new();
        for import in &options.imports {
            let import = Importing::start(node, registry, import).map_err(|error| ("import", error))?;
            importing.spawn(import.run(node.clone()));
        }
        Ok(Self { rules: running, _imports: importing })
    }

    /// Ends them in order: what moves is stopped, and what was taken is given back. Takes a second at most.
    pub async fn stop(mut self) {
        self.rules.end(LONGEST_END).await;
    }
}

const LONGEST_END: Duration = Duration::from_secs(1);
