//! What all bridges to ROS are told: how services are shown, rules and imports, as the configuration writes them.

use anyhow::{Context, bail};
use keyway_bridge_ros1::{
    MappingOptions, RosOptions, Types,
    rules::{
        CallRule, Condition, EventRule, EventSource, Expression, Import, Imported, PollRule, Rule, Source, Sources,
    },
};
use keyway_config::{Bridges, RosFront, RosImport, RosRule, RosTypes};

/// What all of them are told, for one of them; a flag takes the place of the root.
pub(super) fn options(bridges: &Bridges, front: RosFront, root: Option<&String>) -> anyhow::Result<RosOptions> {
    let mut mapping = mapping(bridges);
    if let Some(root) = root {
        mapping.root.clone_from(root);
    }
    Ok(RosOptions {
        mapping,
        events: bridges.ros.events,
        definition_paths: bridges.ros.definition_paths.clone(),
        rules: rules(bridges, front)?,
        imports: imports(bridges, front)?,
    })
}

/// How services are shown.
pub(super) fn mapping(bridges: &Bridges) -> MappingOptions {
    let types = match bridges.ros.types {
        RosTypes::Generated => Types::Generated,
        RosTypes::Json => Types::Json,
    };
    MappingOptions { root: bridges.ros.root.clone(), types, std_shapes: bridges.ros.std_shapes }
}

/// Those of one front.
fn rules(bridges: &Bridges, front: RosFront) -> anyhow::Result<Vec<Rule>> {
    let own = bridges.ros.rules.iter().filter(|rule| rule.front == front);
    own.map(|rule| self::rule(rule).with_context(|| format!("[[bridges.ros.rule]] of {}", topic(rule)))).collect()
}

/// Those of one front.
fn imports(bridges: &Bridges, front: RosFront) -> anyhow::Result<Vec<Import>> {
    let own = bridges.ros.imports.iter().filter(|import| import.front == front);
    own.map(|import| self::import(import).with_context(|| format!("[[bridges.ros.import]] of {}", import.service)))
        .collect()
}

fn topic(rule: &RosRule) -> &str {
    rule.subscribe.as_deref().or(rule.publish.as_deref()).unwrap_or("no topic")
}

fn rule(rule: &RosRule) -> anyhow::Result<Rule> {
    let message = rule.message.parse()?;
    match (&rule.subscribe, &rule.publish) {
        (Some(topic), None) => {
            let call = rule.call.as_deref().context("`call` says which method is called")?;
            let on_timeout = rule.on_timeout.as_ref().map(|stop| source(&stop.call, &stop.args)).transpose()?;
            if rule.max_rate.is_some_and(|rate| !is_rate(rate)) {
                bail!("`max_rate` is 0.001 to 1000");
            }
            Ok(Rule::Call(CallRule {
                topic: topic.clone(),
                message,
                when: Condition::parse(&rule.when)?,
                call: source(call, &rule.args)?,
                max_rate: rule.max_rate,
                timeout: rule.timeout,
                on_timeout,
                float_seconds: rule.float_seconds,
            }))
        }
        (None, Some(_)) if !rule.when.is_empty() => bail!("`when` belongs to a rule with `subscribe`"),
        (None, Some(topic)) => {
            let fields = rule.fields.iter().map(|(name, text)| Ok((name.clone(), Expression::parse(text)?)));
            let (topic, fields) = (topic.clone(), fields.collect::<anyhow::Result<_>>()?);
            let (frame_id, is_sensor) = (rule.frame_id.clone().unwrap_or_default(), rule.sensor);
            if let Some(signal) = &rule.signal {
                if !rule.sources.is_empty() || rule.rate.is_some() || rule.finally.is_some() {
                    bail!("a rule with `signal` polls nothing: `rate`, `sources` and `finally` belong to another one");
                }
                let signal = EventSource::parse(signal)?;
                return Ok(Rule::Event(EventRule { topic, message, signal, frame_id, fields, is_sensor }));
            }
            let rate = rule.rate.filter(|rate| is_rate(*rate)).context("`rate` is 0.001 to 1000 messages a second")?;
            let sources = rule.sources.iter().map(|(name, text)| Ok((name.clone(), Source::parse(text)?)));
            let sources = Sources::new(sources.collect::<anyhow::Result<_>>()?)?;
            let finally = rule.finally.as_deref().map(Source::parse).transpose()?;
            finally.iter().try_for_each(|finally| sources.check(finally))?;
            Ok(Rule::Poll(PollRule { topic, message, rate, frame_id, sources, finally, fields, is_sensor }))
        }
        _ => bail!("a rule has either `subscribe` or `publish`"),
    }
}

fn is_rate(rate: f64) -> bool {
    (0.001..=1000.0).contains(&rate)
}

fn source(call: &str, arguments: &[String]) -> anyhow::Result<Source> {
    let arguments = arguments.iter().map(|text| Expression::parse(text)).collect::<Result<_, _>>()?;
    Ok(Source::new(call, arguments)?)
}

fn import(import: &RosImport) -> anyhow::Result<Import> {
    let subscribe = import.subscribe.iter().map(|topic| {
        let (name, member) = (topic.topic.clone(), topic.signal.clone());
        Ok(Imported { name, kind: topic.message.parse()?, member, timeout: None })
    });
    let publish = import.publish.iter().map(|topic| {
        let (name, member) = (topic.topic.clone(), topic.method.clone());
        Ok(Imported { name, kind: topic.message.parse()?, member, timeout: None })
    });
    let call = import.call.iter().map(|service| {
        let (name, member) = (service.service.clone(), service.method.clone());
        Ok(Imported { name, kind: service.message.parse()?, member, timeout: service.timeout })
    });
    Ok(Import {
        service: import.service.clone(),
        subscribe: subscribe.collect::<anyhow::Result<_>>()?,
        publish: publish.collect::<anyhow::Result<_>>()?,
        call: call.collect::<anyhow::Result<_>>()?,
    })
}
