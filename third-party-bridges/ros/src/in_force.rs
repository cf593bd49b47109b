//! Rules and imports, from their start to their end.

use std::time::Duration;

use keyway_ros_types::{Registry, rules::Import};

use crate::{
    RosNode, RosOptions, StartError,
    ending::Tasks,
    import::Importing,
    learning::{Types, Unknown},
    rules,
};

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
            let topics = import.subscribe.iter().map(|topic| (topic.name.as_str(), &topic.kind));
            match Types::of(node, registry, topics) {
                Ok(types) => {
                    let import = Importing::start(node, &types, import).map_err(|error| ("import", error))?;
                    importing.spawn(import.run(node.clone()));
                }
                Err(unknown) => importing.spawn(learn_and_import(node.clone(), unknown, import.clone())),
            }
        }
        Ok(Self { rules: running, _imports: importing })
    }

    /// Ends them in order: what moves is stopped, and what was taken is given back. Takes a second at most.
    pub async fn stop(mut self) {
        self.rules.end(LONGEST_END).await;
    }
}

/// An import that is there when somebody has told its types.
async fn learn_and_import<N: RosNode>(node: N, unknown: Unknown, import: Import) {
    let types = unknown.learned().await;
    match Importing::start(&node, &types, &import) {
        Ok(importing) => importing.run(node).await,
        Err(error) => node.warn(&format!("{} is not imported: {error}", import.service)),
    }
}

const LONGEST_END: Duration = Duration::from_secs(1);
