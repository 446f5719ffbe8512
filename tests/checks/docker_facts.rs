//! Holds the generated OpenAPI documents to the facts of Docker's own ones.
//!
//! `docker_facts.txt` says which properties and query parameters Docker documents, their types, and in which versions
//! they exist and are required (`scripts/docker_facts.py` makes it). A document of ours must have the same, but may
//! promise more: a property that Docker may leave out can be required here. Docker's documents are not at hand for every
//! version; what two neighbours say alike holds between them as well. Where we differ on purpose, [`EXCEPTIONS`] says why.

#[path = "docker_facts/document.rs"]
mod document;
#[path = "docker_facts/exceptions.rs"]
mod exceptions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use document::Property;
use exceptions::EXCEPTIONS;

/// How a property of ours differs from Docker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Docker has it, we do not.
    Missing,
    /// We have it, Docker does not.
    Extra,
    /// The types differ.
    Type,
    /// Docker requires it, we do not.
    Optional,
    /// It may be `null` here, not in Docker's document.
    Null,
}

/// What Docker's documents say of one property in one version.
#[derive(Default)]
struct Expected {
    /// One in documents at hand; between documents that differ, several.
    kinds: BTreeSet<String>,
    /// Whether it must be there; otherwise it may.
    sure: bool,
    required: bool,
}

struct Fact {
    operation: String,
    path: String,
    kind: String,
    present: BTreeSet<u8>,
    required: BTreeSet<u8>,
}

struct Table {
    /// The minor versions whose documents are at hand, in order.
    documents: Vec<u8>,
    facts: Vec<Fact>,
}

impl Table {
    fn read() -> Self {
        let text = include_str!("docker_facts.txt");
        let lines: Vec<Vec<&str>> =
            text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect()).collect();
        let (documents, facts) = lines.split_first().expect("a line of documents");
        let documents: Vec<u8> = documents[1..].iter().map(|minor| minor.parse().expect("a version")).collect();
        let facts = facts.iter().map(|line| {
            let [operation, path, kind, present, required] = line[..] else { panic!("not a fact: {line:?}") };
            let [present, required] = [present, required].map(|ranges| versions(ranges, &documents));
            Fact { operation: operation.into(), path: path.into(), kind: kind.into(), present, required }
        });
        Self { facts: facts.collect(), documents: documents.clone() }
    }

    /// What is expected of an operation in a version, by property.
    fn expected(&self, operation: &str, minor: u8) -> BTreeMap<&str, Expected> {
        let before = self.documents.iter().rfind(|document| **document <= minor);
        let after = self.documents.iter().find(|document| **document >= minor);
        let mut all = BTreeMap::<&str, Expected>::new();
        for path in self.facts.iter().filter(|fact| fact.operation == operation).map(|fact| fact.path.as_str()) {
            let same: Vec<&Fact> =
                self.facts.iter().filter(|fact| fact.operation == operation && fact.path == path).collect();
            let has = |at: Option<&u8>| at.is_some_and(|at| same.iter().any(|fact| fact.present.contains(at)));
            let requires = |at: Option<&u8>| at.is_some_and(|at| same.iter().any(|fact| fact.required.contains(at)));
            let near = |fact: &&&Fact| before.into_iter().chain(after).any(|at| fact.present.contains(at));
            let expected = Expected {
                kinds: same.iter().filter(near).map(|fact| fact.kind.clone()).collect(),
                sure: has(before) && has(after),
                required: requires(before) && requires(after),
            };
            if !expected.kinds.is_empty() {
                all.insert(path, expected);
            }
        }
        all
    }

    fn operations(&self) -> BTreeSet<&str> {
        self.facts.iter().map(|fact| fact.operation.as_str()).collect()
    }
}

/// The versions of `25-41,44`, of those that documents are at hand for.
fn versions(ranges: &str, documents: &[u8]) -> BTreeSet<u8> {
    let ends = ranges.split(',').filter(|range| *range != "-").map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse::<u8>().expect("a version")..=last.parse().expect("a version")
    });
    ends.flat_map(|range| documents.iter().copied().filter(move |minor| range.contains(minor))).collect()
}

/// Whether a type of ours is what Docker's document says. `null` is judged apart.
fn fits(ours: &str, theirs: &str) -> bool {
    let (ours, theirs) = (ours.trim_end_matches('?'), theirs.trim_end_matches('?'));
    let inner = |name: &str, of: &str| {
        of.strip_prefix(name).and_then(|of| of.strip_prefix('<')?.strip_suffix('>')).map(str::to_owned)
    };
    for name in ["array", "map"] {
        if let (Some(ours), Some(theirs)) = (inner(name, ours), inner(name, theirs)) {
            return fits(&ours, &theirs);
        }
    }
    match theirs {
        "any" => true,
        "array" => ours.starts_with("array<"),
        // Docker writes an object without properties where anything may stand.
        "object" => ours == "object" || ours.starts_with("map<"),
        _ => ours == theirs || theirs.split('|').any(|one| one != theirs && fits(ours, one)),
    }
}

/// How one operation of our document differs in one version.
fn differences(ours: &BTreeMap<String, Property>, expected: &BTreeMap<&str, Expected>) -> Vec<(String, Difference)> {
    let mut found = Vec::new();
    for (path, theirs) in expected {
        let Some(property) = ours.get(*path) else {
            // What is below a missing property is missing with it.
            let above = expected.keys().find(|above| is_below(path, above) && !ours.contains_key(**above));
            if theirs.sure && above.is_none() {
                found.push(((*path).to_owned(), Difference::Missing));
            }
            continue;
        };
        if !theirs.kinds.iter().any(|kind| fits(&property.kind, kind)) {
            found.push(((*path).to_owned(), Difference::Type));
        } else if property.kind.ends_with('?')
            && !path.starts_with('?')
            && !theirs.kinds.iter().any(|kind| kind.ends_with('?'))
        {
            found.push(((*path).to_owned(), Difference::Null));
        }
        if theirs.required && !property.required {
            found.push(((*path).to_owned(), Difference::Optional));
        }
    }
    for path in ours.keys().filter(|path| !expected.contains_key(path.as_str())) {
        let above = ours.keys().any(|above| is_below(path, above) && !expected.contains_key(above.as_str()));
        if !above {
            found.push((path.clone(), Difference::Extra));
        }
    }
    found
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with(['.', '[', '{']))
}

#[test]
fn documents_agree_with_dockers() {
    let table = Table::read();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("api-versions");
    let mut used = BTreeSet::new();
    let mut found = BTreeMap::<(&str, String, Difference), Vec<u8>>::new();
    let oldest = table.documents[0];
    for minor in oldest..=*table.documents.last().expect("documents") {
        let file = folder.join(format!("engine-1.{minor}.json"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let document = document::Document::read(&text);
        for operation in table.operations() {
            let expected = table.expected(operation, minor);
            let ours = match operation {
                "ErrorResponse" => document.errors(),
                _ => document.operation(operation),
            };
            let ours = match ours {
                Some(ours) => ours,
                None if expected.values().any(|expected| expected.sure) => BTreeMap::new(),
                None => continue,
            };
            for (path, difference) in differences(&ours, &expected) {
                match EXCEPTIONS.iter().position(|exception| exception.covers(operation, &path, difference, minor)) {
                    Some(at) => drop(used.insert(at)),
                    None => found.entry((operation, path, difference)).or_default().push(minor),
                }
            }
        }
    }
    let report: Vec<String> = found
        .iter()
        .map(|((operation, path, difference), minors)| format!("{operation} {path}: {difference:?} in 1.{minors:?}"))
        .collect();
    assert!(report.is_empty(), "{} differences:\n{}", report.len(), report.join("\n"));
    let idle: Vec<_> = EXCEPTIONS.iter().enumerate().filter(|(at, _)| !used.contains(at)).map(|(_, e)| e).collect();
    assert!(idle.is_empty(), "exceptions that nothing needs: {idle:#?}");
}

#[test]
fn facts_hold_between_documents_that_agree() {
    let table = Table::read();
    // Docker's documents of 1.30 and 1.35 both have what 1.32 is asked for; only the later one has components.
    let version = table.expected("SystemVersion", 32);
    assert!(version["Version"].sure);
    assert!(!version["Components"].sure);
    assert!(!table.expected("SystemVersion", 30).contains_key("Components"));
    assert!(table.expected("SystemVersion", 35)["Components[].Name"].required);
    assert!(table.expected("ImageAttestations", 54).is_empty());
}

#[test]
fn types_fit_what_is_said_less_precisely() {
    for (ours, theirs, expected) in [
        ("string", "string", true),
        ("string?", "string", true),
        ("integer", "string", false),
        ("map<string>", "object", true),
        ("array<string>", "array|string", true),
        ("array<object>", "array<string>", false),
        ("map<array<string>?>", "map<array<string>>", true),
    ] {
        assert_eq!(fits(ours, theirs), expected, "{ours} for {theirs}");
    }
}
