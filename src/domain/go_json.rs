//! JSON as Go programs read it, which is how most of what arrives here was tried out by who wrote it.
//!
//! Names of fields match in any case, the last of several counts, and `null` is as good as nothing. Names in maps are data
//! and stay as they are.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Error, Number};

/// Reads one JSON text.
///
/// # Errors
/// Where it is not JSON, or not of the type.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    T::deserialize(Go(serde_json::from_slice(bytes)?))
}

/// Reads the first JSON text of several, or in front of anything else, as Go's `Decoder` does.
///
/// # Errors
/// As [`from_slice`].
pub fn first<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut texts = serde_json::Deserializer::from_slice(bytes).into_iter::<Tree>();
    T::deserialize(Go(texts.next().unwrap_or_else(|| Err(de::Error::custom("no JSON")))?))
}

/// A JSON value with the members of objects in the order in which they stand there.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Takes a field out of an object: the last of that name in any case. What is no object, or lacks it, gives `Null`.
    pub fn take(&mut self, field: &str) -> Tree {
        let Self::Object(members) = self else { return Self::Null };
        let found = members.iter_mut().rev().find(|(name, value)| is_named(name, field) && *value != Self::Null);
        found.map_or(Self::Null, |(_, value)| std::mem::replace(value, Self::Null))
    }

    /// Reads it as a type.
    ///
    /// # Errors
    /// Where it is not of the type.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Error> {
        T::deserialize(Go(self))
    }
}

/// Whether Go takes the name of a member for that of a field.
pub fn is_named(name: &str, field: &str) -> bool {
    // Beyond ASCII, two letters fold to one of it: the long s and the sign of Kelvin.
    let folded = |text: &str| -> Vec<char> {
        let fold = |c: char| match c {
            'ſ' => 's',
            '\u{212a}' => 'k',
            c => c.to_ascii_lowercase(),
        };
        text.chars().map(fold).collect()
    };
    name == field || name.eq_ignore_ascii_case(field) || (!name.is_ascii() && folded(name) == folded(field))
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Number(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Number(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
            }
            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Tree, E> {
                Ok(Tree::Text(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Tree::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
                let mut object = Vec::new();
                while let Some(member) = members.next_entry()? {
                    object.push(member);
                }
                Ok(Tree::Object(object))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A tree that is read into a type as Go does.
struct Go(Tree);

impl<'de> IntoDeserializer<'de, Error> for Go {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Go {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(value),
            Tree::Number(value) => value.deserialize_any(visitor),
            Tree::Text(value) => visitor.visit_string(value),
            Tree::List(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Go))),
            Tree::Object(members) => {
                visitor.visit_map(MapDeserializer::new(members.into_iter().map(|(name, value)| (name, Go(value)))))
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let members = match self.0 {
            Tree::Object(members) => members,
            Tree::Null => Vec::new(),
            _ => return Err(de::Error::custom("not a JSON object")),
        };
        let mut found: Vec<(&'static str, Go)> = Vec::new();
        for (name, value) in members {
            let exact = fields.iter().find(|field| **field == name);
            let field = exact.or_else(|| fields.iter().find(|field| is_named(&name, field)));
            let Some(field) = field.filter(|_| value != Tree::Null) else { continue };
            match found.iter_mut().find(|(known, _)| known == field) {
                Some((_, known)) => *known = Go(value),
                None => found.push((field, Go(value))),
            }
        }
        visitor.visit_map(MapDeserializer::new(found.into_iter()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Tree::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Image {
        config: String,
        repo_tags: Option<Vec<String>>,
        labels: BTreeMap<String, String>,
        inner: Option<Box<Image>>,
    }

    fn read(text: &str) -> Image {
        from_slice(text.as_bytes()).unwrap()
    }

    #[test]
    fn fields_match_in_any_case_and_the_last_counts() {
        let text = r#"{"config":"a","CONFIG":"b","repotags":["x"],"labels":{"A":"1","a":"2"},"inner":{"config":"in"}}"#;
        let labels = [("A", "1"), ("a", "2")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let inner = Some(Box::new(Image { config: "in".to_owned(), ..Image::default() }));
        assert_eq!(read(text), Image { config: "b".into(), repo_tags: Some(vec!["x".into()]), labels, inner });
        assert_eq!(read(r#"{"Config":"a","config":"b","Config":"c"}"#).config, "c");
        assert_eq!(read(r#"{"labelſ":{"a":"1"}}"#).labels["a"], "1");
    }

    #[test]
    fn null_is_nothing() {
        for text in ["null", "{}", r#"{"Config":null,"RepoTags":null,"Labels":null,"Other":[null]}"#] {
            assert_eq!(read(text), Image::default(), "{text}");
        }
        assert_eq!(read(r#"{"Config":"a","config":null}"#).config, "a");
        let lists: Vec<Image> = from_slice(b"[null]").unwrap();
        assert_eq!(lists, [Image::default()]);
    }

    #[test]
    fn what_is_of_another_type_is_refused() {
        for text in ["[]", "1", "", r#"{"Config":1}"#, r#"{"RepoTags":"a"}"#, r#"{"Labels":{"a":1}}"#, "{} x"] {
            assert!(from_slice::<Image>(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(from_slice::<Tree>(deep.as_bytes()).is_err());
    }

    #[test]
    fn only_the_first_text_is_read() {
        for after in ["", "\0\0", " {}", "x"] {
            assert_eq!(first::<Image>(format!(r#"{{"config":"a"}}{after}"#).as_bytes()).unwrap().config, "a");
        }
        assert!(first::<Image>(b"").is_err());
    }
}
