//! JSON values with their positions. One pass of `serde_json` numbers every key and value in the
//! order of the document; a second pass finds the position of one by its number, only when a
//! message needs it. No library keeps positions, duplicate keys and the digits of numbers alike.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// A key or a value of a document.
pub struct Node<'a> {
    /// The number of keys and values before it in the document.
    pub number: u32,
    pub value: Value<'a>,
}

/// A JSON value.
pub enum Value<'a> {
    Null,
    Boolean(bool),
    /// [`written`] returns its digits.
    Number(Number),
    String(Cow<'a, str>),
    Array(Box<[Node<'a>]>),
    /// Keys and values in their order, with duplicates; every key is a [`Value::String`].
    Object(Box<[(Node<'a>, Node<'a>)]>),
}

/// A JSON number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An unsigned integer of 64 bits.
    Whole(u64),
    /// Any other number, rounded.
    Other(f64),
}

impl Value<'_> {
    /// Returns the kind of value with its article, for messages.
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
    /// Returns the string of a key.
    ///
    /// # Panics
    /// For a value that is not a string; no key is.
    pub fn as_key(&self) -> &str {
        match &self.value {
            Value::String(name) => name,
            _ => unreachable!("every key of an object is a string"),
        }
    }
}

/// A mistake in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The byte of the document at which it is.
    pub offset: usize,
    pub message: String,
}

/// The beginning of the message about a document that is not JSON.
pub const NO_JSON: &str = "this is not JSON: ";

/// Parses a whole document.
///
/// # Errors
/// With the first syntax error.
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

/// Encodes a string as JSON. `serde_json::Value` would add its tree and the formatting of
/// floating-point numbers to the layer's binary, 25 KB (`scripts/build-layer.sh` prints its size).
pub fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("every string can be encoded")
}

/// Returns a key or a value as the document writes it.
///
/// # Panics
/// When [`parse`] has not given this number to a node of this document.
pub fn written(document: &str, number: u32) -> &str {
    let whole = serde_json::from_str(document).expect("the document was parsed before");
    find(whole, &mut { number }).expect("the node was numbered in this document")
}

/// Returns the values of an object, in their order, as the document writes them.
///
/// # Panics
/// When the string is not an object that [`parse`] accepts.
pub fn written_values(object: &str) -> impl Iterator<Item = &str> {
    let members: RawMembers = serde_json::from_str(object).expect("the object was parsed before");
    members.0.into_iter().skip(1).step_by(2).map(RawValue::get)
}

/// Returns the byte of a document at which a key or a value begins.
///
/// # Panics
/// When [`parse`] has not given this number to a node of this document.
pub fn offset(document: &str, number: u32) -> usize {
    written(document, number).as_ptr() as usize - document.as_ptr() as usize
}

/// Returns the key or value `steps` nodes after the first in the order of the document. Lowers
/// `steps` by the nodes that it passes.
fn find<'a>(raw: &'a RawValue, steps: &mut u32) -> Option<&'a str> {
    if *steps == 0 {
        return Some(raw.get());
    }
    *steps -= 1;
    let members = match raw.get().as_bytes()[0] {
        b'{' => {
            serde_json::from_str::<RawMembers>(raw.get())
                .expect("an object that was parsed before")
                .0
        }
        b'[' => serde_json::from_str(raw.get()).expect("an array that was parsed before"),
        _ => return None,
    };
    members.into_iter().find_map(|member| find(member, steps))
}

/// Deserializes nodes and numbers them.
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
        Ok(Value::Number(Number::Whole(number)))
    }

    #[allow(clippy::cast_precision_loss, reason = "negative numbers are only ever refused")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'de>, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Other(number)))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Value<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = array.next_element_seed(self)? {
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

/// The keys and values of an object in turn, as the document writes them.
struct RawMembers<'a>(Vec<&'a RawValue>);

impl<'de> serde::Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
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
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_keeps_order_duplicates_positions_and_digits() {
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
        let Value::Array(items) = &members[1].1.value else { panic!("an array") };
        assert_eq!(
            items.iter().map(|item| written(text, item.number)).collect::<Vec<_>>(),
            ["true", "null"]
        );
    }

    #[test]
    fn syntax_error_has_its_position() {
        let problem = |text| parse(text).err().expect("a problem");
        assert_eq!(problem("{\n  \"a\": tru\n}").offset, 12);
        assert_eq!(problem("").offset, 0);
        assert!(problem("{} x").message.contains("trailing characters"));
        assert!(problem(&"[".repeat(100_000)).message.contains("recursion limit exceeded"));
    }
}
