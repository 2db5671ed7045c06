//! Inspection of a configuration by the tool: all of its problems, and the places of its parts. The
//! wrapper needs neither.

use super::{Document, Place, Rule, Source, decode};
use crate::json::{self, Node, Problem, Value};

/// A step from a value to a value in it.
#[derive(Clone, Copy)]
pub enum Step<'k> {
    /// The value of a key.
    Member(&'k str),
    /// The first element of an array. Another value counts as its own first element.
    First,
    /// An element of an array. Another value counts as its own first element.
    Item(usize),
}

impl<'a> Document<'a> {
    /// Returns the source of the document.
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// Decodes the document. Returns its rule and all problems, in the order of the document.
    pub fn decode(&'a self) -> (Rule<'a>, Vec<Problem>) {
        let mut rules = Vec::with_capacity(1);
        let problems = decode::decode_rule(self, &mut rules);
        (rules.remove(0), problems)
    }

    /// Returns the string that a key of the object at a place has.
    pub fn string(&'a self, place: Place<'a>, name: &str) -> Option<&'a str> {
        let Place::Read { node, .. } = self.inside(place, &[Step::Member(name)]) else {
            return None;
        };
        match &find(self.root.as_ref().ok()?, node)?.value {
            Value::String(string) => Some(string),
            _ => None,
        }
    }

    /// Follows steps from a place. Returns the last place that exists on the way.
    pub fn inside(&self, place: Place<'a>, steps: &[Step]) -> Place<'a> {
        let (Ok(root), Place::Read { node, .. }) = (&self.root, place) else { return place };
        let Some(mut node) = find(root, node) else { return place };
        for step in steps {
            let next = match (step, &node.value) {
                (Step::Member(name), Value::Object(members)) => {
                    members.iter().find(|(key, _)| key.as_key() == *name).map(|(_, value)| value)
                }
                (Step::First, Value::Array(items)) => items.first(),
                (Step::Item(at), Value::Array(items)) => items.get(*at),
                _ => None,
            };
            node = next.unwrap_or(node);
        }
        Place::Read { source: self.source, node: node.number }
    }
}

impl Place<'_> {
    /// Returns the byte at which the place begins, if it is in this source.
    pub fn offset_in(&self, source: &Source) -> Option<usize> {
        match self {
            Place::Read { source: own, node } if std::ptr::eq(*own, source) => {
                Some(json::offset(&own.text, *node))
            }
            _ => None,
        }
    }
}

/// Finds the node of a number.
fn find<'n, 'a>(node: &'n Node<'a>, number: u32) -> Option<&'n Node<'a>> {
    match &node.value {
        _ if node.number == number => Some(node),
        Value::Array(items) => items.iter().find_map(|item| find(item, number)),
        Value::Object(members) => members.iter().find_map(|(_, value)| find(value, number)),
        _ => None,
    }
}
