//! The device profile that a bench proposes: what was measured, and nothing else.

use super::bench_file::ReaderPlace;
use super::report::Report;

/// For `devices/readers`.
pub(super) fn of_reader(place: &ReaderPlace, reader: &str, report: &Report) -> String {
    let mut lines = Vec::new();
    let mut facts = Vec::new();
    match place {
        ReaderPlace::Pcsc { .. } => {
            let model = without_numbers(reader);
            lines.push(format!("name = {model:?}"));
            lines.push(format!("pcsc_names = [{:?}]", format!("{model}*")));
            facts.push("pcsc_names");
        }
        ReaderPlace::Nfc { connstring } => {
            let driver = connstring.split(':').next().unwrap_or_default();
            lines.push(format!("name = {:?}", format!("{driver} through libnfc")));
            lines.push(format!("libnfc = [{:?}]", format!("{driver}:*")));
            facts.push("libnfc");
        }
    }
    let mut say = |key: &'static str, value: String| {
        lines.push(format!("{key} = {value}"));
        facts.push(key);
    };
    let carried = report.card.as_ref().map(|card| (card.longest_command, card.longest_reply));
    match (&report.lengths, carried) {
        (Some(lengths), _) => {
            let extended = lengths.are_extended();
            say("level", format!("{:?}", if extended { "extended-apdu" } else { "short-apdu" }));
            say("extended_length", format!("{:?}", if extended { "yes" } else { "no" }));
            if lengths.command_ends_there {
                say("max_command", lengths.max_command.to_string());
            }
            if lengths.reply_ends_there {
                say("max_reply", lengths.max_reply.to_string());
            }
            let quirks: Vec<&str> = [
                ("success-without-an-answer", lengths.success_without_an_answer == Some(true)),
                ("long-apdu-ejects-the-card", lengths.too_long_ejects_the_card),
            ]
            .into_iter()
            .filter_map(|(quirk, is_so)| is_so.then_some(quirk))
            .collect();
            if !quirks.is_empty() {
                say("quirks", format!("{quirks:?}"));
            }
        }
        // A card of somebody's tells what passes, and never where it ends.
        (None, Some((command, reply))) if command > 261 || reply > 258 => {
            say("extended_length", "\"yes\"".to_owned());
            lines.push(format!(
                "# a command of {command} bytes and a reply of {reply} passed; longer ones were not tried"
            ));
        }
        (None, Some((command, reply))) => {
            lines
                .push(format!("# no extended length was used: the longest were {command} and {reply} bytes"));
        }
        (None, None) => {}
    }
    lines.push(String::new());
    lines.push("[[seen]]".to_owned());
    lines.push(format!("where = {:?}", format!("cargo xtask hil, bench {}, {}", report.bench, report.day)));
    lines.push("how = \"measured\"".to_owned());
    lines.push(format!("facts = {facts:?}"));
    lines.join("\n") + "\n"
}

/// A PC/SC name without the two numbers that pcsc-lite puts behind it.
fn without_numbers(name: &str) -> &str {
    let mut name = name.trim();
    for _ in 0..2 {
        if let Some((before, number)) = name.rsplit_once(' ')
            && number.len() == 2
            && number.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            name = before.trim_end();
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_behind_a_name_are_left_out() {
        for (name, model) in [
            ("Virtual PCD 00 00", "Virtual PCD"),
            ("ACS ACR122U PICC Interface 01 00", "ACS ACR122U PICC Interface"),
            ("OMNIKEY 5022", "OMNIKEY 5022"),
            ("", ""),
        ] {
            assert_eq!(without_numbers(name), model);
        }
    }
}
