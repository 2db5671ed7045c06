//! JSON that knows where it stands: serde_json reads it, level by level, and every node keeps the slice of the
//! source that it came from, so that an error can name line and column.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A value, as the slice of the document that holds it.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    raw: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl Kind {
    /// The kind with its article, for messages.
    pub fn described(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "true or false",
            Kind::Number => "a number",
            Kind::Text => "a text",
            Kind::List => "a list",
            Kind::Object => "an object",
        }
    }
}

/// What is wrong, and at which byte of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub offset: usize,
    pub message: String,
}

impl<'a> Node<'a> {
    /// Reads a whole document.
    pub fn document(text: &'a str) -> Result<Self, Problem> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
            let start = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
            let offset = (start + error.column()).saturating_sub(1).min(text.len());
            let message = error.to_string();
            let message = message.split_once(" at line ").map_or(message.as_str(), |(cause, _)| cause);
            Problem { offset, message: format!("this is not JSON: {message}") }
        })?;
        Ok(Self { raw: raw.get() })
    }

    /// Where the node begins in the document that it was read from.
    pub fn offset_in(self, document: &str) -> usize {
        self.raw.as_ptr() as usize - document.as_ptr() as usize
    }

    pub fn kind(self) -> Kind {
        match self.raw.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The text of a text; the error says which escape cannot be decoded.
    pub fn text(self) -> Result<Cow<'a, str>, String> {
        match self.raw.contains('\\') {
            false => Ok(Cow::Borrowed(self.raw.trim_matches('"'))),
            true => serde_json::from_str(self.raw).map(Cow::Owned).map_err(|error| {
                let message = error.to_string();
                message.split_once(" at line ").map_or(message.clone(), |(cause, _)| cause.to_owned())
            }),
        }
    }

    /// A number, `true`, `false` or `null`, as it was written.
    pub fn written(self) -> &'a str {
        self.raw
    }

    /// The values of a list; none when it is none.
    pub fn items(self) -> Vec<Node<'a>> {
        let items: Vec<&'a RawValue> = serde_json::from_str(self.raw).unwrap_or_default();
        items.into_iter().map(|raw| Node { raw: raw.get() }).collect()
    }

    /// The keys and values of an object in the order written, duplicates included; none when it is none.
    pub fn members(self) -> Vec<(Node<'a>, Node<'a>)> {
        serde_json::from_str::<Members<'a>>(self.raw).map(|members| members.0).unwrap_or_default()
    }
}

struct Members<'a>(Vec<(Node<'a>, Node<'a>)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.push((Node { raw: key.get() }, Node { raw: value.get() }));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_duplicates_places_and_numbers_as_written() {
        let text = "{\"a\": 1.50, \"b\\u0041\":\n [true, null], \"a\": \"x\"}";
        let members = Node::document(text).expect("JSON").members();
        let seen: Vec<_> = members
            .iter()
            .map(|(key, value)| (key.text().expect("a key"), key.offset_in(text), value.kind(), value.offset_in(text)))
            .collect();
        assert_eq!(
            seen,
            [("a".into(), 1, Kind::Number, 6), ("bA".into(), 12, Kind::List, 24), ("a".into(), 38, Kind::Text, 43),]
        );
        assert_eq!(members[0].1.written(), "1.50");
        assert_eq!(members[1].1.items().len(), 2);
    }

    #[test]
    fn says_where_a_document_ends_being_json() {
        let problem = |text| Node::document(text).err().expect("a problem");
        assert_eq!(problem("{\n  \"a\": tru\n}").offset, 12);
        assert_eq!(problem("").offset, 0);
        assert!(problem("{} x").message.contains("trailing characters"));
    }
}
