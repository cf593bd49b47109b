//! The members of a service (spec 15.1).

use std::fmt::Write;

use keyway::{MetaObject, Signature};

use super::types::pretty;
use crate::{member::is_hidden, selection::FIRST_OWN};

/// Which members are shown, and how.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Those that start with `_` and those that every object has, too.
    pub(crate) hidden: bool,
    /// Documentation, too.
    pub(crate) documentation: bool,
    /// Signatures instead of pretty types.
    pub(crate) raw: bool,
}

impl Style {
    fn shows(self, id: u32, name: &str) -> bool {
        self.hidden || (id >= FIRST_OWN && !is_hidden(name))
    }

    fn of(self, signature: &Signature) -> String {
        if self.raw { signature.to_string() } else { pretty(signature) }
    }
}

/// A line of the listing.
struct Line {
    id: u32,
    name: String,
    types: String,
    documentation: Vec<String>,
}

/// The details of a service, in qicli's form.
pub(crate) fn details(metaobject: &MetaObject, style: Style) -> String {
    let methods = metaobject.methods.values().map(|method| {
        let mut documentation = Vec::new();
        documentation.extend((!method.description.is_empty()).then(|| method.description.clone()));
        documentation.extend(method.parameters.iter().map(|p| format!("{}: {}", p.name, p.description)));
        let returned = &method.return_description;
        documentation.extend((!returned.is_empty()).then(|| format!("returns: {returned}")));
        let types = format!("{} {}", style.of(&method.return_signature), style.of(&method.parameters_signature));
        Line { id: method.uid, name: method.name.clone(), types, documentation }
    });
    let plain = |id, name: &String, signature: &Signature| Line {
        id,
        name: name.clone(),
        types: style.of(signature),
        documentation: Vec::new(),
    };
    let signals = metaobject.signals.values().map(|signal| plain(signal.uid, &signal.name, &signal.signature));
    let properties =
        metaobject.properties.values().map(|property| plain(property.uid, &property.name, &property.signature));
    let mut text = String::new();
    section(&mut text, "Methods", methods.collect(), style);
    section(&mut text, "Signals", signals.collect(), style);
    section(&mut text, "Properties", properties.collect(), style);
    text
}

fn section(text: &mut String, title: &str, lines: Vec<Line>, style: Style) {
    let lines: Vec<_> = lines.into_iter().filter(|line| style.shows(line.id, &line.name)).collect();
    if lines.is_empty() {
        return;
    }
    let width = lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "* {title}");
    for line in lines {
        let _ = writeln!(text, "  {:03} {:width$} {}", line.id, line.name, line.types);
        if style.documentation {
            for paragraph in line.documentation.iter().flat_map(|text| text.lines()) {
                let _ = writeln!(text, "      {}", paragraph.trim());
            }
        }
    }
}

/// `method,…:signal,…:property,…`, for scripts.
pub(crate) fn parseable(metaobject: &MetaObject, style: Style) -> String {
    let join = |names: Vec<String>| names.join(",");
    let shown = |id: u32, name: &String| style.shows(id, name).then(|| name.clone());
    let methods = metaobject.methods.values().filter_map(|member| shown(member.uid, &member.name)).collect();
    let signals = metaobject.signals.values().filter_map(|member| shown(member.uid, &member.name)).collect();
    let properties = metaobject.properties.values().filter_map(|member| shown(member.uid, &member.name)).collect();
    format!("{}:{}:{}", join(methods), join(signals), join(properties))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_in_qiclis_form() {
        let mut builder = MetaObject::builder();
        builder.method("addi", "(ii)".parse().unwrap(), "i".parse().unwrap());
        builder.method("_private", "()".parse().unwrap(), "v".parse().unwrap());
        builder.property("level", "i".parse().unwrap());
        let metaobject = builder.build();
        let raw = Style { raw: true, ..Style::default() };
        let expected = "* Methods\n  100 addi i (ii)\n* Signals\n  102 level (i)\n* Properties\n  102 level i\n";
        assert_eq!(details(&metaobject, raw), expected);
        assert_eq!(parseable(&metaobject, raw), "addi:level:level");
        assert!(details(&metaobject, Style { hidden: true, ..raw }).contains("  101 _private"));
    }
}
