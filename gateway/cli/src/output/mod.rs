//! What is printed, and how.

pub(crate) mod json;
pub(crate) mod members;
pub(crate) mod types;

use std::io::{self, IsTerminal};

/// Whether people look at the output: then colours and tables, plain text otherwise.
pub(crate) fn is_for_people() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Text in a colour (an SGR number), for people.
pub(crate) fn coloured(colour: u8, text: &str) -> String {
    if is_for_people() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

/// A table: with rules and colours for people, columns otherwise.
pub(crate) fn table(headers: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(if is_for_people() {
        comfy_table::presets::UTF8_HORIZONTAL_ONLY
    } else {
        comfy_table::presets::NOTHING
    });
    table.set_header(headers.iter().copied());
    table.add_rows(rows);
    table.trim_fmt()
}

/// Colour of names (an SGR number).
pub(crate) const NAME: u8 = 36;
/// Colour of what came, or went well.
pub(crate) const GOOD: u8 = 32;
/// Colour of what went, or went wrong.
pub(crate) const BAD: u8 = 31;
