//! The `filters` query parameter: its two JSON forms, and what its values mean.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::time::parse_timestamp;
use crate::domain::filter::{LabelTest, ReferencePattern};
use crate::domain::{Error, Result};

/// More keys than any operation knows; a client that sends more is not filtering.
const MAX_KEYS: usize = 64;

/// The keys that a client filters by and the values of each, in the client's order, without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    keys: Vec<(String, Values)>,
}

/// Values, and whether the client says true of each (the old form can say false; then it is there and means nothing).
type Values = Vec<(String, bool)>;

impl Filters {
    /// Reads the parameter: `{"label":["a=b"]}` or the older `{"label":{"a=b":true}}`. An empty text is no filter.
    ///
    /// # Errors
    /// `InvalidArgument`, `invalid filter`, for everything else, a mixture of the forms included, and for
    /// more than 64 keys.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let invalid = || Error::invalid("invalid filter");
        let Document(members) = serde_json::from_str(text).map_err(|cause| invalid().with_cause(cause))?;
        let lists = members.iter().any(|(_, values)| matches!(values, Form::List(_)));
        let maps = members.iter().any(|(_, values)| matches!(values, Form::Map(_)));
        if members.len() > MAX_KEYS || (lists && maps) {
            return Err(invalid());
        }
        let mut filters = Self::default();
        for (key, form) in members {
            let values = match form {
                Form::Nothing => Vec::new(),
                Form::List(values) => values.into_iter().map(|value| (value, true)).collect(),
                Form::Map(values) => values,
            };
            // Of a key that is given twice, the later counts, as in every Go program.
            filters.keys.retain(|(known, _)| *known != key);
            filters.keys.push((key, unique(values)));
        }
        Ok(filters)
    }

    /// Adds a key with one value.
    pub fn add(&mut self, key: &str, value: &str) {
        self.keys.push((key.to_owned(), vec![(value.to_owned(), true)]));
    }

    /// Makes sure that only known keys are used.
    ///
    /// # Errors
    /// `InvalidArgument`, `invalid filter 'colour'`, for the first that is not known.
    pub fn only(&self, allowed: &[&str]) -> Result<()> {
        match self.keys.iter().find(|(key, _)| !allowed.contains(&key.as_str())) {
            None => Ok(()),
            Some((key, _)) => Err(Error::invalid(format!("invalid filter '{key}'"))),
        }
    }

    /// Whether a key is given, with or without values.
    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The values of a key; none where it is not given.
    pub fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.get(key).into_iter().flatten().map(|(value, _)| value.as_str())
    }

    /// A key that is true or false; `None` where it is not given.
    ///
    /// # Errors
    /// `InvalidArgument` for a key without values (`invalid filter 'dangling'`), for values that are neither and for
    /// values that contradict each other (`invalid filter 'dangling=[true false]'`).
    pub fn boolean(&self, key: &str) -> Result<Option<bool>> {
        let Some(values) = self.get(key) else { return Ok(None) };
        if values.is_empty() {
            return Err(Error::invalid(format!("invalid filter '{key}'")));
        }
        let says = |texts: [&str; 2]| values.iter().any(|(value, is_set)| *is_set && texts.contains(&value.as_str()));
        match (says(["1", "true"]), says(["0", "false"])) {
            (true, false) => Ok(Some(true)),
            (false, true) => Ok(Some(false)),
            _ => {
                let shown: Vec<&str> = self.values(key).collect();
                Err(Error::invalid(format!("invalid filter '{key}=[{}]'", shown.join(" "))))
            }
        }
    }

    /// The conditions on labels that the values of a key are.
    ///
    /// A value is `name` (there is such a label) or `name=value`. For a key that ends in `!`, and likewise for a name
    /// that does, it must not be so: `label!=a=b` is satisfied by labels without `a`.
    pub fn labels(&self, key: &str) -> impl Iterator<Item = LabelTest> {
        let expected = !key.ends_with('!');
        self.values(key).map(move |value| {
            let (name, value) = match value.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (value, None),
            };
            match name.strip_suffix('!') {
                Some(name) => LabelTest { name: name.to_owned(), value, expected: !expected },
                None => LabelTest { name: name.to_owned(), value, expected },
            }
        })
    }

    /// The patterns of a key, ready to match references.
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed pattern.
    pub fn patterns(&self, key: &str) -> Result<Vec<ReferencePattern>> {
        self.values(key).map(ReferencePattern::parse).collect()
    }

    /// The moment before which a thing must be made to satisfy `until`: of several values, the earliest. `None` where
    /// it is not given.
    ///
    /// # Errors
    /// `InvalidArgument` for a value that is no time.
    pub fn until(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        self.values("until").try_fold(None, |earliest: Option<Timestamp>, value| {
            let until =
                parse_timestamp(value, now).map_err(|error| error.context("invalid value for 'until' filter"))?;
            Ok(Some(earliest.map_or(until, |earliest| earliest.min(until))))
        })
    }

    fn get(&self, key: &str) -> Option<&Values> {
        self.keys.iter().find(|(known, _)| known == key).map(|(_, values)| values)
    }
}

fn unique(mut values: Values) -> Values {
    let mut seen = BTreeMap::new();
    for (value, is_set) in &values {
        seen.insert(value.clone(), *is_set);
    }
    // The place of a value is where it came first, its meaning what was said of it last.
    values.retain_mut(|(value, is_set)| match seen.remove(value) {
        Some(last) => {
            *is_set = last;
            true
        }
        None => false,
    });
    values
}

/// The JSON text, in its own order.
struct Document(Vec<(String, Form)>);

/// What stands for one key.
enum Form {
    Nothing,
    List(Vec<String>),
    Map(Values),
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of filters")
            }

            fn visit_unit<E>(self) -> Result<Document, E> {
                Ok(Document(Vec::new()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Document, A::Error> {
                entries(map).map(Document)
            }
        }
        deserializer.deserialize_any(Members)
    }
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneForm;
        impl<'de> Visitor<'de> for OneForm {
            type Value = Form;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values or an object of them")
            }

            fn visit_unit<E>(self) -> Result<Form, E> {
                Ok(Form::Nothing)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Form, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element::<Option<String>>()? {
                    values.push(value.unwrap_or_default());
                }
                Ok(Form::List(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Form, A::Error> {
                let values = entries::<Option<bool>, A>(map)?;
                Ok(Form::Map(values.into_iter().map(|(value, is_set)| (value, is_set.unwrap_or_default())).collect()))
            }
        }
        deserializer.deserialize_any(OneForm)
    }
}

fn entries<'de, T: Deserialize<'de>, A: MapAccess<'de>>(mut map: A) -> Result<Vec<(String, T)>, A::Error> {
    let mut entries = Vec::new();
    while let Some(entry) = map.next_entry()? {
        entries.push(entry);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
