//! YAML, and JSON as a part of it, as a tree that knows its lines.
//!
//! Only what a configuration needs is read: texts, lists and mappings. Size, depth and number of nodes are bounded, and an
//! alias counts for all that it stands for, so that a small text cannot become a large tree.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span};

use crate::domain::{Error, Result};

/// The longest text, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// The most texts, lists and mappings in all documents.
const MAX_NODES: usize = 200_000;

/// How deep lists and mappings may be nested.
const MAX_DEPTH: usize = 32;

/// A text, a list or a mapping, and the line that it begins in, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// `is_plain`: it stands there without quotes, and so may be a number, a truth value or null.
    Text {
        text: String,
        is_plain: bool,
    },
    List(Vec<Node>),
    /// In order; no key is there twice.
    Mapping(Vec<(Key, Node)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) line: usize,
    pub(super) text: String,
}

impl Node {
    /// Whether nothing is said.
    pub(super) fn is_null(&self) -> bool {
        match &self.content {
            Content::Text { text, is_plain: true } => matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match &self.content {
            _ if self.is_null() => "nothing",
            Content::Text { .. } => "a text",
            Content::List(_) => "a list",
            Content::Mapping(_) => "a mapping",
        }
    }

    fn count(&self) -> usize {
        1 + match &self.content {
            Content::Text { .. } => 0,
            Content::List(items) => items.iter().map(Self::count).sum(),
            Content::Mapping(entries) => entries.iter().map(|(_, value)| 1 + value.count()).sum::<usize>(),
        }
    }
}

/// A failure at a line.
pub(super) fn at(line: usize, what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("line {line}: {what}"))
}

/// The documents of a text.
///
/// # Errors
/// `InvalidArgument` with the line, for what is no YAML, has a key twice, uses tags, or is larger than allowed.
pub(super) fn read(text: &str) -> Result<Vec<Node>> {
    if text.len() > MAX_TEXT {
        return Err(Error::invalid(format!("larger than {MAX_TEXT} bytes")));
    }
    let mut options = Options::default();
    (options.flow_nesting_limit, options.block_nesting_limit) = (MAX_DEPTH, MAX_DEPTH);
    let mut reading = Reading::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| at(error.marker().line(), error.info()))?;
        reading.take(event, span)?;
    }
    Ok(reading.documents)
}

/// A list or a mapping that is not at its end yet.
struct Open {
    line: usize,
    anchor: usize,
    parts: Parts,
}

enum Parts {
    List(Vec<Node>),
    /// The entries, and the key whose value comes next.
    Mapping(Vec<(Key, Node)>, HashMap<String, usize>, Option<Key>),
}

#[derive(Default)]
struct Reading {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl Reading {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                untagged(line, tag.is_some())?;
                let is_plain = style == ScalarStyle::Plain;
                let node = Node { line, content: Content::Text { text: text.into_owned(), is_plain } };
                self.add(node, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                untagged(line, tag.is_some())?;
                self.enter(Open { line, anchor, parts: Parts::List(Vec::new()) })
            }
            Event::MappingStart(_, anchor, tag) => {
                untagged(line, tag.is_some())?;
                self.enter(Open { line, anchor, parts: Parts::Mapping(Vec::new(), HashMap::new(), None) })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { line, anchor, parts }) => {
                    let content = match parts {
                        Parts::List(items) => Content::List(items),
                        Parts::Mapping(entries, ..) => Content::Mapping(entries),
                    };
                    self.add(Node { line, content }, anchor)
                }
                None => Err(at(line, "an end without a beginning")),
            },
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else { return Err(at(line, "an alias of nothing")) };
                // Counted before it is copied.
                self.nodes += node.count();
                self.check_size(line)?;
                let node = Node { line, ..self.anchors[&anchor].clone() };
                self.add(node, 0)
            }
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, open: Open) -> Result<()> {
        if self.open.len() >= MAX_DEPTH {
            return Err(at(open.line, format!("nested more than {MAX_DEPTH} deep")));
        }
        self.open.push(open);
        Ok(())
    }

    /// Puts a node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<()> {
        self.nodes += 1;
        self.check_size(node.line)?;
        if anchor != 0 {
            self.nodes += node.count();
            self.check_size(node.line)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut open.parts {
            Parts::List(items) => items.push(node),
            Parts::Mapping(entries, known, next) => match next.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let line = node.line;
                    let Content::Text { text, .. } = node.content else {
                        return Err(at(line, "a key must be a text"));
                    };
                    if let Some(first) = known.insert(text.clone(), line) {
                        return Err(at(line, format!("the key {text:?} is there twice, first in line {first}")));
                    }
                    *next = Some(Key { line, text });
                }
            },
        }
        Ok(())
    }

    fn check_size(&self, line: usize) -> Result<()> {
        match self.nodes > MAX_NODES {
            true => Err(at(line, format!("more than {MAX_NODES} values"))),
            false => Ok(()),
        }
    }
}

fn untagged(line: usize, is_tagged: bool) -> Result<()> {
    match is_tagged {
        true => Err(at(line, "tags such as !!str are not read here")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        read(text).expect_err(text).public().to_owned()
    }

    fn text(node: &Node) -> &str {
        match &node.content {
            Content::Text { text, .. } => text,
            _ => panic!("{node:?}"),
        }
    }

    fn entries(node: &Node) -> &[(Key, Node)] {
        match &node.content {
            Content::Mapping(entries) => entries,
            _ => panic!("{node:?}"),
        }
    }

    #[test]
    fn yaml_and_json_are_read_with_their_lines() {
        let documents =
            read("a: 1\nb:\n  - x\n  - \"y\"\n---\n{\n\t\"c\": {\"d\": true,\n\t\"e\": \"1\\u00e4\\/2\"}}\n").unwrap();
        let [first, second] = documents.as_slice() else { panic!("{documents:?}") };
        assert_eq!(entries(first)[1].0, Key { line: 2, text: "b".to_owned() });
        let Content::List(items) = &entries(first)[1].1.content else { panic!("{first:?}") };
        assert_eq!(items.iter().map(|item| (item.line, text(item))).collect::<Vec<_>>(), [(3, "x"), (4, "y")]);
        let inner = &entries(second)[0].1;
        assert_eq!((inner.line, entries(inner)[1].0.line, text(&entries(inner)[1].1)), (7, 8, "1ä/2"));
    }

    #[test]
    fn an_alias_stands_for_what_its_anchor_names() {
        let documents = read("a: &x {b: 1}\nc: *x\n").unwrap();
        assert_eq!(text(&entries(&entries(&documents[0])[1].1)[0].1), "1");
    }

    #[test]
    fn nothing_is_told_from_the_text_null() {
        let documents = read("[~, null, '', 'null', ]").unwrap();
        let Content::List(items) = &documents[0].content else { panic!("{documents:?}") };
        assert_eq!(items.iter().map(Node::is_null).collect::<Vec<_>>(), [true, true, false, false]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (yaml, expected) in [
            ("a: 1\na: 2\n", "line 2: the key \"a\" is there twice, first in line 1"),
            ("a: !!str 1\n", "line 1: tags"),
            ("x: 1\n? [a]\n: 1\n", "line 2: a key must be a text"),
            ("a: *b\n", "line 1:"),
            ("a: [1\n", "line "),
            ("a: 'b\n", "line "),
            ("a: 1\n b: 2\n", "line 2:"),
        ] {
            let refusal = refusal(yaml);
            assert!(refusal.starts_with(expected), "{yaml:?}: {refusal}");
        }
    }

    #[test]
    fn a_small_text_does_not_become_a_large_tree() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(refusal(&bomb).contains("more than 200000 values"), "{}", refusal(&bomb));
        for deep in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "? ".repeat(100_000)] {
            read(&deep).unwrap_err();
        }
        assert!(refusal(&" ".repeat(MAX_TEXT + 1)).contains("larger than"));
        assert!(refusal(&"- a\n".repeat(MAX_NODES + 1)).contains("values"));
    }

    #[test]
    fn garbage_is_refused_or_read_but_never_fatal() {
        for text in [
            "\0",
            "\u{feff}a: 1",
            "%YAML 1.3\n---\na",
            "&a &b c",
            "- - -\n-",
            "a: |\n x\n\ty",
            "\u{85}",
            "---\n---\n...\n",
        ] {
            let _ = read(text);
        }
    }
}
