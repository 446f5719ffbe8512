//! Mappings whose keys are known.

use std::fmt::Display;

use super::yaml::{Content, Key, Node, at};
use crate::domain::{Error, Result};

/// A mapping with no keys but those that it may have.
pub(super) struct Fields<'a> {
    line: usize,
    what: &'a str,
    entries: &'a [(Key, Node)],
}

impl<'a> Fields<'a> {
    /// Takes a node for a mapping. `what` is what it is, for messages.
    pub(super) fn of(node: &'a Node, what: &'a str, keys: &[&str]) -> Result<Self> {
        let Content::Mapping(entries) = &node.content else {
            return Err(at(node.line, format!("{what} is a mapping with keys, and here is {}", node.kind())));
        };
        if let Some((key, _)) = entries.iter().find(|(key, _)| !keys.contains(&key.text.as_str())) {
            let (text, keys) = (&key.text, keys.join(", "));
            return Err(at(key.line, format!("unknown key {text:?} of {what}: the keys are {keys}")));
        }
        Ok(Self { line: node.line, what, entries })
    }

    /// The value of a key; `None` where it is absent or null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(known, _)| known.text == key).map(|(_, value)| value).filter(|node| !node.is_null())
    }

    /// The text of a key; `None` where it is absent or empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        let Some(node) = self.get(key) else { return Ok(None) };
        match &node.content {
            Content::Text { text, .. } => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            _ => Err(self.wrong(key, node, "a text")),
        }
    }

    /// The text of a key that has to be there.
    pub(super) fn needed_text(&self, key: &str) -> Result<&'a str> {
        self.text(key)?.ok_or_else(|| self.error(format!("{} needs {key}", self.what)))
    }

    /// The truth value of a key; false where it is absent.
    pub(super) fn flag(&self, key: &str) -> Result<bool> {
        let Some(node) = self.get(key) else { return Ok(false) };
        let Content::Text { text, is_plain: true } = &node.content else {
            return Err(self.wrong(key, node, "true or false"));
        };
        // The words of YAML 1.1 are there because Talos reads them where a truth value is wanted.
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Ok(true),
            "false" | "no" | "off" | "n" => Ok(false),
            _ => Err(self.wrong(key, node, "true or false")),
        }
    }

    /// The list of a key; `None` where it is absent.
    pub(super) fn list(&self, key: &str) -> Result<Option<&'a [Node]>> {
        let Some(node) = self.get(key) else { return Ok(None) };
        match &node.content {
            Content::List(items) => Ok(Some(items)),
            _ => Err(self.wrong(key, node, "a list")),
        }
    }

    /// One of a few words, by its position; `None` where the key is absent.
    pub(super) fn word(&self, key: &str, words: &[&str]) -> Result<Option<usize>> {
        let (Some(text), Some(node)) = (self.text(key)?, self.get(key)) else { return Ok(None) };
        match words.iter().position(|word| *word == text) {
            Some(at) => Ok(Some(at)),
            None => Err(self.wrong(key, node, &words.join(" or "))),
        }
    }

    /// A failure of the whole mapping.
    pub(super) fn error(&self, what: impl Display) -> Error {
        at(self.line, what)
    }

    fn wrong(&self, key: &str, node: &Node, expected: &str) -> Error {
        let found = match &node.content {
            Content::Text { text, .. } if !node.is_null() => format!("{:?}", text.chars().take(80).collect::<String>()),
            _ => node.kind().to_owned(),
        };
        at(node.line, format!("{key} of {} is {expected}, and here is {found}", self.what))
    }
}
