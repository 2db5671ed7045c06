//! What the tool asks of a configuration, and the wrapper never does: everything that is wrong with
//! it, and where the parts of a rule stand.

use super::{Document, Place, Rule, Source, decode};
use crate::json::{self, Node, Problem, Value};

/// A step from a value into what it holds.
#[derive(Clone, Copy)]
pub enum Step<'k> {
    /// To the value of a key.
    Member(&'k str),
    /// To the first of a list; a value that is no list is its own first.
    First,
    /// To one of a list, which may be the first of what is no list.
    Item(usize),
}

impl<'a> Document<'a> {
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// The rule, and everything that is wrong with it in the order of the document.
    pub fn decode(&'a self) -> (Rule<'a>, Vec<Problem>) {
        let mut rules = Vec::with_capacity(1);
        let problems = decode::rule(self, &mut rules);
        (rules.remove(0), problems)
    }

    /// The text that a key of the object at a place has.
    pub fn text(&'a self, place: Place<'a>, name: &str) -> Option<&'a str> {
        let Place::Read { node, .. } = self.inside(place, &[Step::Member(name)]) else {
            return None;
        };
        match &find(self.root.as_ref().ok()?, node)?.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The place that the steps lead to, or as far towards it as there is something.
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
    /// The byte at which it begins, if it is in this source.
    pub fn offset_in(&self, source: &Source) -> Option<usize> {
        match self {
            Place::Read { source: own, node } if std::ptr::eq(*own, source) => {
                Some(json::offset(&own.text, *node))
            }
            _ => None,
        }
    }
}

fn find<'n, 'a>(node: &'n Node<'a>, number: u32) -> Option<&'n Node<'a>> {
    match &node.value {
        _ if node.number == number => Some(node),
        Value::Array(items) => items.iter().find_map(|item| find(item, number)),
        Value::Object(members) => members.iter().find_map(|(_, value)| find(value, number)),
        _ => None,
    }
}
