//! Rules in force.

use std::fmt;

use super::pattern::Pattern;
use crate::domain::Reference;
use crate::domain::verification::{Identities, Requirement, Tlog};

/// The rules of a file, in the order in which they are tried. The default has none and lets everything in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) is_denied_by_default: bool,
    pub(super) warnings: Vec<String>,
}

/// What becomes of the images that a pattern is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its number among the rules, from 0 on, in four digits or more.
    pub id: String,
    pub pattern: Pattern,
    /// The line that it begins in, counted from 1 in its document's file.
    pub line: usize,
    pub action: Action,
    /// Whether a refusal is only noted.
    pub is_audit: bool,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Lets the image in, unseen.
    Skip,
    /// Keeps it out.
    Deny,
    /// Lets it in if it is signed as required.
    Verify {
        requirement: Requirement,
        /// What of an image has to be signed.
        platforms: Platforms,
    },
}

/// What of an image has to be signed, where it is an index. The signature of an index covers every manifest that it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Platforms {
    /// What the name points at: the index, or the manifest of an image without one.
    #[default]
    Index,
    /// Each platform's manifest by itself, those that are not here included.
    Each,
}

/// What rules say of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// This rule decides.
    Rule(&'a Rule),
    /// No rule matches, and the file denies by default.
    DeniedByDefault,
    /// No rule matches, and nothing is said of the rest.
    NoRule,
}

impl Rules {
    /// What in the file is allowed and probably not meant, each with its rule.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Every rule, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether what no rule matches is kept out.
    pub fn is_denied_by_default(&self) -> bool {
        self.is_denied_by_default
    }

    /// Whether any rule wants a signature.
    pub fn needs_evidence(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.action, Action::Verify { .. }))
    }

    /// What decides on an image of this name. One without a name, or with one that leads to no registry, is met only by a
    /// pattern that is about everything.
    pub fn decide(&self, name: Option<&Reference>) -> Decision<'_> {
        // A name that has no canonical spelling cannot be pulled either.
        let repository = name.and_then(|name| name.canonical().ok()).map(|name| name.repository());
        let is_meant = |rule: &&Rule| match &repository {
            Some(repository) => rule.pattern.matches(repository),
            None => rule.pattern.is_about_all(),
        };
        match self.rules.iter().find(is_meant) {
            Some(rule) => Decision::Rule(rule),
            None if self.is_denied_by_default => Decision::DeniedByDefault,
            None => Decision::NoRule,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.pattern)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requirement, platforms) = match self {
            Self::Skip => return f.write_str("let in without verification"),
            Self::Deny => return f.write_str("deny"),
            Self::Verify { requirement, platforms } => (requirement, platforms),
        };
        let what = match platforms {
            Platforms::Index => "the image",
            Platforms::Each => "each platform's manifest",
        };
        let signers: Vec<String> = requirement.identities.as_slice().iter().map(ToString::to_string).collect();
        let signers = match (&requirement.identities, signers.as_slice()) {
            (_, [one]) => one.clone(),
            (Identities::Any(_), many) => format!("any of: {}", many.join(", ")),
            (Identities::All(_), many) => format!("each of: {}", many.join(", ")),
        };
        let attestations: Vec<String> = requirement.attestations.iter().map(ToString::to_string).collect();
        let wanted = match attestations.is_empty() {
            true => "is signed".to_owned(),
            false => format!("has, signed, {}", attestations.join(" and ")),
        };
        let log = match requirement.tlog {
            Tlog::Required => ", with proof of a transparency log",
            Tlog::Optional => "",
        };
        write!(f, "let in if {what} {wanted} by {signers}{log}")
    }
}
