//! `loadline check`: what it prints.
//!
//! One line for each finding, then a summary; as text, or as JSON objects for programs. Kinds are words that stay the same.

use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use super::config::{Environment, data_root};
use super::flags::{CheckFlags, Format};
use super::progress::{self, ProgressLine};
use crate::domain::error::{Error, Result};
use crate::engine::check::{self, CheckDepth, CheckOptions, Checked, Finding};

/// How many names of images a line of text holds.
const NAMES: usize = 3;

/// Checks a data root and prints what was found. Returns whether no fault is left.
///
/// # Errors
/// What keeps the data root from being checked at all.
pub fn run(flags: &CheckFlags, environment: &Environment) -> Result<bool> {
    let root = data_root(flags.data_root.clone(), flags.config_file.as_deref(), environment)?;
    let depth = match (flags.quick, flags.deep) {
        (true, _) => CheckDepth::Sizes,
        (_, true) => CheckDepth::Layers,
        _ => CheckDepth::Content,
    };
    let options = CheckOptions { depth, repair: flags.repair };
    let line = ProgressLine::on_terminal();
    let show = |progress: check::Progress| {
        if let Some(line) = &line {
            line.show(progress.what, progress.done, progress.total);
        }
    };
    let checked = check::check(&root, options, &show);
    // Before anything else is printed.
    drop(line);
    let checked = checked?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let printed = match flags.format {
        Format::Text => print_text(&mut out, &root, &checked, options),
        Format::Json => print_json(&mut out, &root, &checked),
    };
    printed.and_then(|()| out.flush()).map_err(|e| Error::io("writing", e))?;
    Ok(checked.faults_left() == 0)
}

fn print_text(out: &mut impl Write, root: &Path, checked: &Checked, options: CheckOptions) -> io::Result<()> {
    for finding in &checked.findings {
        writeln!(out, "{}", printable(&text(finding, options.repair)))?;
    }
    let count = Counts::of(checked);
    let verdict = match (count.left, count.faults) {
        (0, 0) => "sound".to_owned(),
        (0, faults) => format!("sound now, {}", counted(faults, "fault repaired", "faults repaired")),
        (left, _) => counted(left, "fault left", "faults left"),
    };
    let leftovers = match count.leftovers {
        0 => String::new(),
        leftovers => format!(", {}", counted(leftovers, "leftover", "leftovers")),
    };
    let hint = match !options.repair && checked.findings.iter().any(|finding| finding.remedy.is_some()) {
        true => "; --repair puts right what can be",
        false => "",
    };
    writeln!(
        out,
        "{}: {verdict}{leftovers} ({}, {}, {} read){hint}",
        printable(&root.display().to_string()),
        counted(checked.blobs, "blob", "blobs"),
        counted(checked.names, "name", "names"),
        progress::size(checked.bytes),
    )
}

/// `fault corrupt-blob sha256:…: its content hashes to …; needed by app:1.0; removed …`
fn text(finding: &Finding, repair: bool) -> String {
    let severity = severity(finding);
    let mut text = format!("{severity} {} {}: {}", finding.fault.name(), finding.subject, finding.detail);
    if !finding.names.is_empty() {
        text += "; needed by ";
        text += &finding.names[..finding.names.len().min(NAMES)].join(", ");
        if finding.names.len() > NAMES {
            text += &format!(" and {} more", finding.names.len() - NAMES);
        }
    }
    match finding.remedy {
        Some(remedy) if finding.repaired => text += &format!("; {remedy}"),
        None if repair && !finding.is_leftover => text += "; cannot be repaired",
        _ => {}
    }
    text
}

fn print_json(out: &mut impl Write, root: &Path, checked: &Checked) -> io::Result<()> {
    for finding in &checked.findings {
        let line = json!({
            "type": "finding",
            "severity": severity(finding),
            "kind": finding.fault.name(),
            "subject": finding.subject,
            "detail": finding.detail,
            "names": finding.names,
            "remedy": finding.remedy,
            "repaired": finding.repaired,
        });
        writeln!(out, "{line}")?;
    }
    let count = Counts::of(checked);
    let summary = json!({
        "type": "summary",
        "dataRoot": root.to_string_lossy(),
        "blobs": checked.blobs,
        "names": checked.names,
        "bytesRead": checked.bytes,
        "faults": count.faults,
        "faultsLeft": count.left,
        "leftovers": count.leftovers,
    });
    writeln!(out, "{summary}")
}

struct Counts {
    faults: usize,
    left: usize,
    /// Those that are there still.
    leftovers: usize,
}

impl Counts {
    fn of(checked: &Checked) -> Self {
        let faults = checked.findings.iter().filter(|finding| !finding.is_leftover).count();
        let leftovers = checked.findings.iter().filter(|finding| finding.is_leftover && !finding.repaired).count();
        Self { faults, left: checked.faults_left(), leftovers }
    }
}

fn severity(finding: &Finding) -> &'static str {
    if finding.is_leftover { "leftover" } else { "fault" }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A line that no file name can break, or give orders to a terminal through.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::check::Fault;

    #[test]
    fn a_line_names_a_few_images_and_stays_one_line() {
        let mut finding = Finding {
            fault: Fault::CorruptBlob,
            is_leftover: false,
            subject: "sha256:00".to_owned(),
            detail: "it is\n\x1b[31mred".to_owned(),
            names: ["a", "b", "c", "d", "e"].map(str::to_owned).into(),
            remedy: Some("removed"),
            repaired: false,
        };
        let line = printable(&text(&finding, true));
        assert_eq!(line, "fault corrupt-blob sha256:00: it is\\n\\u{1b}[31mred; needed by a, b, c and 2 more");
        (finding.repaired, finding.names) = (true, Vec::new());
        assert!(text(&finding, true).ends_with("; removed"));
        (finding.repaired, finding.remedy) = (false, None);
        assert!(text(&finding, true).ends_with("; cannot be repaired"));
    }
}
