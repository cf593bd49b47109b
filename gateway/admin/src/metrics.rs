//! What is counted, in the text format that Prometheus reads (OpenMetrics 1.0).

use std::fmt;

use keyway_gateway::Snapshot;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

/// What the text is.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics as text.
pub(crate) fn text(snapshot: Snapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("keyway_gateway");
    registry.register_collector(Box::new(Shown(snapshot)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Shown(Snapshot);

impl Collector for Shown {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut all = Encoding(encoder);
        connections(&self.0, &mut all)?;
        sessions(&self.0, &mut all)?;
        traffic(&self.0, &mut all)?;
        directories(&self.0, &mut all)?;
        operation(&self.0, &mut all)
    }
}

fn connections(now: &Snapshot, all: &mut Encoding<'_>) -> fmt::Result {
    all.counter("connections_accepted", "Connections that were not one too many.", &[(&[], now.connections_accepted)])?;
    all.counter("connections_refused", "Connections that were one too many.", &[(&[], now.connections_refused)])?;
    all.gauge("connections", "Connections now.", &[(&[], whole(now.connections))])?;
    let closed = now.slow_consumers_closed;
    let help = "Connections closed because the peer did not read, those to directories and services too.";
    all.counter("slow_consumers_closed", help, &[(&[], closed)])?;
    all.counter(
        "events_dropped",
        "Events that subscribers did not get because they did not keep up.",
        &[(&[], now.events_dropped)],
    )
}

fn sessions(now: &Snapshot, all: &mut Encoding<'_>) -> fmt::Result {
    let labels: Vec<_> =
        now.sessions.iter().map(|((door, role), count)| ([("door", &**door), ("role", &**role)], *count)).collect();
    let sessions: Vec<_> = labels.iter().map(|(labels, count)| (&labels[..], whole(*count))).collect();
    all.gauge("sessions", "Sessions now.", &sessions)?;
    let labels: Vec<_> = now.departures.iter().map(|(why, count)| ([("why", why.name())], *count)).collect();
    let ended: Vec<_> = labels.iter().map(|(labels, count)| (&labels[..], *count)).collect();
    all.counter("sessions_ended", "Sessions that ended, by why.", &ended)?;
    let accepted: (&[_], u64) = (&[("outcome", "ok")], now.authenticated);
    let labels: Vec<_> =
        now.refused_authentication.iter().map(|(code, count)| ([("outcome", *code)], *count)).collect();
    let outcomes: Vec<_> = labels.iter().map(|(labels, count)| (&labels[..], *count)).collect();
    all.counter(
        "authentications",
        "Clients that proved who they are, or the code of why not.",
        &[vec![accepted], outcomes].concat(),
    )
}

fn traffic(now: &Snapshot, all: &mut Encoding<'_>) -> fmt::Result {
    let traffic = now.traffic;
    all.counter("calls", "Calls that were passed on.", &[(&[], traffic.calls)])?;
    all.counter("posts", "Posts that were passed on.", &[(&[], traffic.posts)])?;
    let help = "Events that were passed on between service hosts and clients.";
    all.counter("events", help, &[(&[("to", "client")], traffic.events_out), (&[("to", "bus")], traffic.events_in)])?;
    all.gauge(
        "calls_in_flight",
        "Calls that were passed on and are not answered.",
        &[(&[], whole(traffic.in_flight))],
    )?;
    let labels: Vec<_> = now.refused.iter().map(|(code, count)| ([("code", *code)], *count)).collect();
    let refused: Vec<_> = labels.iter().map(|(labels, count)| (&labels[..], *count)).collect();
    all.counter("refusals", "What was refused, by the code of why.", &refused)
}

fn directories(now: &Snapshot, all: &mut Encoding<'_>) -> fmt::Result {
    let named: Vec<_> = now.buses.iter().map(|bus| [("directory", bus.name.as_str())]).collect();
    let each = || now.buses.iter().zip(&named);
    let attached: Vec<_> = each().map(|(bus, labels)| (&labels[..], i64::from(bus.attached))).collect();
    all.gauge("directory_attached", "Whether the directory is attached.", &attached)?;
    let attachments: Vec<_> = each().map(|(bus, labels)| (&labels[..], bus.attachments)).collect();
    all.counter("directory_attachments", "How often the directory was attached.", &attachments)?;
    let sides: Vec<_> = now
        .buses
        .iter()
        .flat_map(|bus| {
            let labels = |side| [("directory", bus.name.as_str()), ("side", side)];
            [(labels("inside"), bus.services_inside), (labels("outside"), bus.services_outside)]
        })
        .collect();
    let services: Vec<_> = sides.iter().map(|(labels, count)| (&labels[..], whole(*count))).collect();
    all.gauge("services", "Services now, those inside and those of clients.", &services)
}

fn operation(now: &Snapshot, all: &mut Encoding<'_>) -> fmt::Result {
    if let Some(audit) = now.audit {
        let dropped = i64::try_from(audit.dropped).unwrap_or(i64::MAX);
        let help = "Audit records that were dropped and are not yet stated in the log.";
        all.gauge("audit_dropped", help, &[(&[], dropped)])?;
        all.gauge("audit_failing", "Whether the audit log cannot be written.", &[(&[], i64::from(audit.failing))])?;
    }
    let reloads: [(&[_], _); 2] =
        [(&[("outcome", "ok")], now.reloads), (&[("outcome", "refused")], now.failed_reloads)];
    all.counter("reloads", "Times the configuration was read again.", &reloads)
}

/// The labels of one number, and it.
type Labelled<'l, T> = (&'l [(&'static str, &'l str)], T);

struct Encoding<'e>(DescriptorEncoder<'e>);

impl Encoding<'_> {
    fn counter(&mut self, name: &str, help: &str, numbers: &[Labelled<'_, u64>]) -> fmt::Result {
        self.all(name, help, MetricType::Counter, numbers, |number| ConstCounter::new(*number))
    }

    fn gauge(&mut self, name: &str, help: &str, numbers: &[Labelled<'_, i64>]) -> fmt::Result {
        self.all(name, help, MetricType::Gauge, numbers, |number| ConstGauge::new(*number))
    }

    fn all<T, M: EncodeMetric>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        numbers: &[Labelled<'_, T>],
        metric: impl Fn(&T) -> M,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, kind)?;
        if let [([], number)] = numbers {
            return metric(number).encode(encoder);
        }
        for (labels, number) in numbers {
            metric(number).encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
