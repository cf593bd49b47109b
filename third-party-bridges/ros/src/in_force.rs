//! Rules and imports, from their start to their end.

use keyway_ros_types::{
    Registry,
    rules::{Import, Rule},
};
use tokio::task::AbortHandle;

use crate::{RosNode, StartError, import::Importing, rules};

/// Rules and imports in force. They end when this is dropped.
#[derive(Debug, Default)]
pub struct InForce(Vec<AbortHandle>);

impl InForce {
    /// Puts them in force. The error begins with what could not be, `rule` or `import`.
    pub fn start<N: RosNode>(
        node: &N,
        registry: &Registry,
        rules: &[Rule],
        imports: &[Import],
    ) -> Result<Self, (&'static str, StartError)> {
        let mut tasks = Self::default();
        for rule in rules {
            tasks.0.extend(rules::start(node, registry, rule).map_err(|error| ("rule", error))?);
        }
        for import in imports {
            let importing = Importing::start(node, registry, import).map_err(|error| ("import", error))?;
            tasks.0.push(tokio::spawn(importing.run(node.clone())).abort_handle());
        }
        Ok(tasks)
    }
}

impl Drop for InForce {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}
