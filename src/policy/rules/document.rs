//! The document: Talos' `ImageVerificationConfig`, and what we add to it.

use super::fields::Fields;
use super::pattern::Pattern;
use super::requirement;
use super::rule::{Action, Platforms, Rule, Rules};
use super::yaml::{self, Node};
use crate::domain::Result;

/// The most rules of one file.
const MAX_RULES: usize = 10_000;

const VERSION: &str = "v1alpha1";
const KIND: &str = "ImageVerificationConfig";

/// The keys of a document. `default` is ours.
const KEYS: [&str; 4] = ["apiVersion", "kind", "rules", "default"];

/// The keys of a rule; those from `identities` on are ours.
const RULE_KEYS: [&str; 10] =
    ["image", "skip", "deny", "keyless", "publicKey", "identities", "attestations", "tlog", "platforms", "audit"];

/// A rule as it is written, before it has a number.
struct Written {
    line: usize,
    pattern: Pattern,
    action: Action,
    is_audit: bool,
}

impl Rules {
    /// Reads a file. Several documents in it are merged: a rule replaces the first one with the same pattern from a document
    /// before, where that stands, or is appended.
    ///
    /// # Errors
    /// `InvalidArgument` with the line, for whatever is no such document: then no rule of it counts.
    pub fn parse(text: &str) -> Result<Self> {
        parse(text)
    }
}

fn parse(text: &str) -> Result<Rules> {
    let mut all: Vec<Written> = Vec::new();
    let mut is_denied_by_default = false;
    let documents = yaml::read(text)?;
    let said: Vec<&Node> = documents.iter().filter(|document| !document.is_null()).collect();
    if said.is_empty() {
        return Err(yaml::at(1, format!("there is no document: write apiVersion: {VERSION}, kind: {KIND} and rules")));
    }
    for document in said {
        let fields = Fields::of(document, KIND, &KEYS)?;
        if fields.needed_text("apiVersion")? != VERSION || fields.needed_text("kind")? != KIND {
            return Err(fields.error(format!("not of apiVersion {VERSION} and kind {KIND}")));
        }
        if let Some(word) = fields.word("default", &["deny", "allow"])? {
            is_denied_by_default = word == 0;
        }
        let before = all.len();
        for node in fields.list("rules")?.unwrap_or_default() {
            let rule = read_rule(node)?;
            match all[..before].iter_mut().find(|known| known.pattern.text() == rule.pattern.text()) {
                Some(known) => *known = rule,
                None => all.push(rule),
            }
        }
        if all.len() > MAX_RULES {
            return Err(fields.error(format!("more than {MAX_RULES} rules")));
        }
    }
    let rules: Vec<Rule> = all.into_iter().enumerate().map(|(number, rule)| rule.numbered(number)).collect();
    let warnings = rules.iter().flat_map(warnings).collect();
    Ok(Rules { rules, is_denied_by_default, warnings })
}

impl Written {
    fn numbered(self, number: usize) -> Rule {
        let Self { line, pattern, action, is_audit } = self;
        Rule { id: format!("{number:04}"), pattern, line, action, is_audit }
    }
}

fn read_rule(node: &Node) -> Result<Written> {
    let fields = Fields::of(node, "a rule", &RULE_KEYS)?;
    let pattern = Pattern::new(fields.needed_text("image")?);
    let requirement = requirement::read(&fields)?;
    let platforms = fields.word("platforms", &["index", "each"])?;
    let action = match (fields.flag("skip")?, fields.flag("deny")?, requirement) {
        (true, false, None) => Action::Skip,
        (false, true, None) => Action::Deny,
        (false, false, Some(requirement)) => {
            let platforms = if platforms == Some(1) { Platforms::Each } else { Platforms::Index };
            Action::Verify { requirement, platforms }
        }
        _ => return Err(fields.error("a rule has exactly one of skip, deny, keyless, publicKey and identities")),
    };
    if platforms.is_some() && !matches!(action, Action::Verify { .. }) {
        return Err(fields.error("platforms needs keyless, publicKey or identities beside it"));
    }
    Ok(Written { line: node.line, pattern, action, is_audit: fields.flag("audit")? })
}

/// What is allowed in a rule's pattern and probably not meant: the same three that Talos warns of.
fn warnings(rule: &Rule) -> Vec<String> {
    let pattern = rule.pattern.text();
    let mut found = Vec::new();
    if pattern.contains('@') {
        found.push("has an @, and only host and repository are compared, neither tag nor digest");
    }
    if pattern.split_once('/').is_some_and(|(_, repository)| repository.contains(':')) {
        found.push("has a : after its host, and only host and repository are compared, neither tag nor digest");
    }
    if !pattern.contains('/') && pattern != "*" {
        found.push("has no /: names are compared in full, nginx as docker.io/library/nginx");
    }
    found.into_iter().map(|what| format!("line {}: the pattern of rule {rule} {what}", rule.line)).collect()
}
