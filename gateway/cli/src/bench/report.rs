//! Figures for people and for programs.

use std::io::Write;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::figures::{Figures, ratio};

/// The name of the bare TCP echo among the parties.
const ECHO: &str = "echo";

/// Something that was measured in rounds.
#[derive(Debug)]
pub(super) struct Party {
    /// Its part in the measurement.
    pub(super) name: &'static str,
    /// What it is: a URL, or the echo.
    label: String,
    pub(super) rounds: Vec<Figures>,
}

impl Party {
    /// The server behind a URL.
    pub(super) fn new(name: &'static str, url: &str) -> Self {
        Self { name, label: url.to_owned(), rounds: Vec::new() }
    }

    /// The bare TCP echo.
    pub(super) fn echo() -> Self {
        Self::new(ECHO, "bare TCP echo")
    }
}

/// A measurement of one or more parties in the same rounds.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) measure: &'static str,
    /// What is counted.
    pub(super) unit: &'static str,
    pub(super) parameters: Value,
    /// Bytes that each call carries one way, if that is of interest.
    pub(super) bytes: Option<usize>,
    pub(super) parties: Vec<Party>,
}

impl Report {
    /// Prints everything to standard output.
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        let text = if as_json { serde_json::to_string_pretty(&self.json())? } else { self.table() };
        writeln!(std::io::stdout(), "{text}")?;
        Ok(())
    }

    fn megabytes(&self, figures: &Figures) -> Option<f64> {
        self.bytes.map(|bytes| figures.per_second * bytes as f64 / 1e6)
    }

    /// The parties that others are set in relation to.
    fn references(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().filter(|party| party.name == ECHO || party.name == "compare")
    }

    fn json(&self) -> Value {
        let parties = self.parties.iter().map(|party| {
            let median = Figures::median(&party.rounds);
            let mut object = json!({ "what": party.label, "median": median, "rounds": party.rounds });
            if let Some(megabytes) = self.megabytes(&median) {
                object["megabytes_per_second"] = json!(megabytes);
            }
            for reference in self.references().filter(|reference| reference.name != party.name) {
                object[format!("rate_to_{}", reference.name)] =
                    json!(ratio(&party.rounds, &reference.rounds, |round| round.per_second));
                object[format!("p50_to_{}", reference.name)] =
                    json!(ratio(&party.rounds, &reference.rounds, |round| round.p50));
            }
            (party.name.to_owned(), object)
        });
        json!({
            "measure": self.measure,
            "unit": self.unit,
            "latency_unit": "us",
            "parameters": self.parameters,
            "parties": parties.collect::<serde_json::Map<_, _>>(),
        })
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        let mut header = vec!["".to_owned(), self.unit.to_owned()];
        if self.bytes.is_some() {
            header.push("MB/s".to_owned());
        }
        header.extend(["p50 us", "p90", "p99", "p99.9", "max"].map(str::to_owned));
        for reference in self.references() {
            header.extend([format!("rate / {}", reference.name), format!("p50 / {}", reference.name)]);
        }
        table.set_header(header);
        for party in &self.parties {
            let median = Figures::median(&party.rounds);
            let mut row = vec![party.label.clone(), format!("{:.0}", median.per_second)];
            row.extend(self.megabytes(&median).map(|megabytes| format!("{megabytes:.0}")));
            let latencies = [median.p50, median.p90, median.p99, median.p999, median.max];
            row.extend(latencies.map(|micros| format!("{micros:.1}")));
            for reference in self.references() {
                row.push(times(ratio(&party.rounds, &reference.rounds, |round| round.per_second)));
                row.push(times(ratio(&party.rounds, &reference.rounds, |round| round.p50)));
            }
            table.add_row(row);
        }
        table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
        format!("{table}")
    }
}

/// Three digits, whatever the size.
fn times(ratio: f64) -> String {
    match ratio {
        large if large >= 10.0 => format!("{large:.1}"),
        small => format!("{small:.3}"),
    }
}
