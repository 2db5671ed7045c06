//! JSON that knows where it stands. serde_json reads a document in one pass; every key and value
//! gets a number, in the order of the document. Only when something has to be said about one of
//! them is its place looked for, in a second pass.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// A key or a value of a document.
pub struct Node<'a> {
    /// How many stand before it in the document.
    pub number: u32,
    pub value: Value<'a>,
}

pub enum Value<'a> {
    Null,
    Boolean(bool),
    /// What it is when it is whole, not negative and small enough; `written` has its digits.
    Number(Option<u64>),
    String(Cow<'a, str>),
    Array(Box<[Node<'a>]>),
    /// Keys and values in the order written, duplicates included; every key is a text.
    Object(Box<[(Node<'a>, Node<'a>)]>),
}

impl Value<'_> {
    /// The kind of value with its article, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Boolean(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

impl Node<'_> {
    /// The text of a key.
    pub fn as_key(&self) -> &str {
        match &self.value {
            Value::String(name) => name,
            _ => unreachable!("every key of JSON is a text"),
        }
    }
}

/// What is wrong, and at which byte of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub offset: usize,
    pub message: String,
}

/// What a problem with JSON itself begins with.
pub const NO_JSON: &str = "this is not JSON: ";

/// Reads a whole document.
pub fn parse(text: &str) -> Result<Node<'_>, Problem> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Numbered(&Cell::new(0)).deserialize(&mut deserializer);
    read.and_then(|node| deserializer.end().map(|()| node)).map_err(|error| {
        let start = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum::<usize>();
        let offset = (start + error.column()).saturating_sub(1).min(text.len());
        let message = error.to_string();
        let cause = message.split_once(" at line ").map_or(message.as_str(), |(cause, _)| cause);
        Problem { offset, message: [NO_JSON, cause].concat() }
    })
}

/// A key or a value as it is written in its document.
pub fn written(document: &str, number: u32) -> &str {
    let whole = serde_json::from_str(document).expect("the document was read before");
    find(whole, &mut { number }).expect("the node was numbered in this document")
}

/// The values of an object in the order written, as they are written.
pub fn written_values(object: &str) -> impl Iterator<Item = &str> {
    let members: RawMembers = serde_json::from_str(object).expect("the object was read before");
    members.0.into_iter().skip(1).step_by(2).map(RawValue::get)
}

/// The byte of a document at which a key or a value begins.
pub fn offset(document: &str, number: u32) -> usize {
    written(document, number).as_ptr() as usize - document.as_ptr() as usize
}

/// The node that is `left` further on in the order of the document.
fn find<'a>(raw: &'a RawValue, left: &mut u32) -> Option<&'a str> {
    if *left == 0 {
        return Some(raw.get());
    }
    *left -= 1;
    let members = match raw.get().as_bytes()[0] {
        b'{' => {
            serde_json::from_str::<RawMembers>(raw.get()).expect("an object that was read before").0
        }
        b'[' => serde_json::from_str(raw.get()).expect("a list that was read before"),
        _ => return None,
    };
    members.into_iter().find_map(|member| find(member, left))
}

/// Gives every node that it reads the next number.
#[derive(Clone, Copy)]
struct Numbered<'n>(&'n Cell<u32>);

impl<'de> DeserializeSeed<'de> for Numbered<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        let number = self.0.replace(self.0.get() + 1);
        Ok(Node { number, value: deserializer.deserialize_any(self)? })
    }
}

impl<'de> Visitor<'de> for Numbered<'_> {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Some(number)))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(None))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(None))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry_seed(self, self)? {
            members.push(member);
        }
        Ok(Value::Object(members.into()))
    }
}

/// Keys and values of an object in turn, as they are written.
struct RawMembers<'a>(Vec<&'a RawValue>);

impl<'de> serde::Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InTurn;
        impl<'de> Visitor<'de> for InTurn {
            type Value = RawMembers<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.extend([key, value]);
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(InTurn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_duplicates_places_and_numbers_as_written() {
        let text = "{\"a\": 1.50, \"b\\u0041\":\n [true, null], \"a\": \"x\"}";
        let Ok(Node { value: Value::Object(members), .. }) = parse(text) else {
            panic!("an object")
        };
        let seen: Vec<_> = members
            .iter()
            .map(|(key, value)| {
                let Value::String(name) = &key.value else { panic!("a key") };
                (&**name, offset(text, key.number), value.value.kind(), offset(text, value.number))
            })
            .collect();
        assert_eq!(
            seen,
            [("a", 1, "a number", 6), ("bA", 12, "an array", 24), ("a", 38, "a string", 43)]
        );
        assert_eq!(written(text, members[0].1.number), "1.50");
        let Value::Array(items) = &members[1].1.value else { panic!("a list") };
        assert_eq!(
            items.iter().map(|item| written(text, item.number)).collect::<Vec<_>>(),
            ["true", "null"]
        );
    }

    #[test]
    fn says_where_a_document_ends_being_json() {
        let problem = |text| parse(text).err().expect("a problem");
        assert_eq!(problem("{\n  \"a\": tru\n}").offset, 12);
        assert_eq!(problem("").offset, 0);
        assert!(problem("{} x").message.contains("trailing characters"));
        assert!(problem(&"[".repeat(100_000)).message.contains("recursion limit exceeded"));
    }
}
