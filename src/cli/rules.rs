//! `loadline rules check`: whether a file of rules is one, and which of them decides on an image. No daemon takes part.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::answer::Answer;
use crate::domain::{Error, Reference, Result};
use crate::policy::rules::{Action, Decision, Rules};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// What can be done with rules.
#[derive(Clone, Debug, Subcommand)]
pub enum RulesCommand {
    /// Check a file of verification rules, and tell which rule decides on an image
    #[command(after_help = CHECK_HELP)]
    Check(RulesCheckFlags),
}

/// The flags of `rules check`.
#[derive(Args, Clone, Debug)]
pub struct RulesCheckFlags {
    /// The rules, YAML or JSON
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Image to find the rule for
    #[arg(long, value_name = "REF")]
    pub image: Option<String>,
}

const CHECK_HELP: &str = "\
Exit status: 0 the file is right, and the image is let in or may be, if it is signed as the rule wants; 1 the file is wrong, or
the image is denied; 2 it could not be told (the file cannot be read, REF is no reference).";

/// Checks a file, and prints what it says.
///
/// # Errors
/// What keeps it from being told: the file cannot be read, or the image is no reference.
pub fn check_rules(flags: &RulesCheckFlags) -> Result<Answer> {
    let image = flags.image.as_deref().map(Reference::parse).transpose()?.map(Reference::with_default_tag);
    let image = image.map(|image| image.canonical()).transpose()?;
    let text = read(flags)?;
    let (answer, lines) = match Rules::parse(&text) {
        Ok(rules) => explain(&rules, image.as_ref()),
        Err(error) => (Answer::No, vec![format!("{}: {error}", flags.file.display())]),
    };
    let mut out = std::io::stdout().lock();
    let printed = lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
    printed.map_err(|error| Error::io("writing", error))?;
    Ok(answer)
}

fn read(flags: &RulesCheckFlags) -> Result<String> {
    use std::io::Read;
    let path = flags.file.display();
    let unreadable = |error| Error::invalid(format!("reading {path}: {error}"));
    let mut text = String::new();
    let file = std::fs::File::open(&flags.file).map_err(unreadable)?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
    match text.len() as u64 > MAX_FILE {
        true => Err(Error::invalid(format!("{path}: larger than {MAX_FILE} bytes"))),
        false => Ok(text),
    }
}

/// What rules say, line by line, and whether that lets the image in.
fn explain(rules: &Rules, image: Option<&Reference>) -> (Answer, Vec<String>) {
    let mut lines: Vec<String> = rules.warnings().iter().map(|warning| format!("warning: {warning}")).collect();
    let Some(image) = image else {
        let rest = if rules.is_denied_by_default() { "denied" } else { "let in" };
        lines.push(format!("{} rules; what none of them matches is {rest}", rules.rules().len()));
        return (Answer::Yes, lines);
    };
    let name = image.repository();
    match rules.decide(Some(image)) {
        Decision::Rule(rule) => {
            let audit = if rule.is_audit { "; a refusal is only noted" } else { "" };
            lines.push(format!("{name}: rule {rule} in line {}: {}{audit}", rule.line, rule.action));
            let is_denied = rule.action == Action::Deny && !rule.is_audit;
            (if is_denied { Answer::No } else { Answer::Yes }, lines)
        }
        Decision::DeniedByDefault => {
            lines.push(format!("{name}: no rule matches; denied, because the file denies the rest"));
            (Answer::No, lines)
        }
        Decision::NoRule => {
            lines.push(format!("{name}: no rule matches; let in without verification"));
            (Answer::Yes, lines)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "apiVersion: v1alpha1
kind: ImageVerificationConfig
default: deny
rules:
  - {image: nginx, skip: true}
  - {image: \"docker.io/*\", skip: true}
  - {image: \"a.example/*\", deny: true}
  - {image: \"b.example/*\", deny: true, audit: true}
  - {image: \"c.example/*\", keyless: {issuer: https://i.example, subject: me@c.example}}
";

    fn explained(image: Option<&str>) -> (Answer, String) {
        let image = image.map(|image| Reference::parse(image).unwrap().canonical().unwrap());
        let (answer, lines) = explain(&Rules::parse(RULES).unwrap(), image.as_ref());
        assert!(lines[0].starts_with("warning: line 5: the pattern of rule 0000 (nginx) has no /"), "{lines:?}");
        (answer, lines[1..].join("\n"))
    }

    #[test]
    fn the_rule_that_decides_is_told_with_its_line() {
        for (image, answer, expected) in [
            (None, Answer::Yes, "5 rules; what none of them matches is denied"),
            (
                Some("registry-1.docker.io/app"),
                Answer::Yes,
                "docker.io/library/app: rule 0001 (docker.io/*) in line 6: let in without verification",
            ),
            (Some("A.example/app:1"), Answer::No, "a.example/app: rule 0002 (a.example/*) in line 7: deny"),
            (
                Some("b.example/app"),
                Answer::Yes,
                "b.example/app: rule 0003 (b.example/*) in line 8: deny; a refusal is only noted",
            ),
            (
                Some("c.example/app"),
                Answer::Yes,
                "c.example/app: rule 0004 (c.example/*) in line 9: let in if the image is signed by me@c.example \
                 (issuer https://i.example), with proof of a transparency log",
            ),
            (
                Some("d.example/app"),
                Answer::No,
                "d.example/app: no rule matches; denied, because the file denies the rest",
            ),
        ] {
            assert_eq!(explained(image), (answer, expected.to_owned()));
        }
    }

    #[test]
    fn a_wrong_file_is_a_no_and_a_missing_one_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let flags = |file: PathBuf, image: Option<&str>| RulesCheckFlags { file, image: image.map(str::to_owned) };
        let file = dir.path().join("rules.yaml");
        check_rules(&flags(file.clone(), None)).unwrap_err();
        std::fs::write(&file, "kind: x\n").unwrap();
        assert_eq!(check_rules(&flags(file.clone(), None)).unwrap(), Answer::No);
        std::fs::write(&file, RULES).unwrap();
        assert_eq!(check_rules(&flags(file.clone(), None)).unwrap(), Answer::Yes);
        for image in ["NOT A NAME", "Team/app"] {
            check_rules(&flags(file.clone(), Some(image))).unwrap_err();
        }
    }
}
