//! What the tool asks of a configuration, and the wrapper never does: everything that is wrong with it, and where the
//! parts of a rule stand.

use super::{Document, Place, Rule, Source, decode};
use crate::json::{self, Node, Problem, Value};

/// A step from a value into what it holds.
#[derive(Clone, Copy)]
pub enum Step<'k> {
    /// To the value of a key.
    Member(&'k str),
    /// To the first of a list; a value that is no list is its own first.
    First,
}

impl<'a> Document<'a> {
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// The rule, and everything that is wrong with it in the order of the document.
    pub fn decode(&'a self) -> (Rule<'a>, Vec<Problem>) {
        decode::rule(self)
    }

    /// The place that the steps lead to, or as far towards it as there is something.
    pub fn inside(&self, place: Place<'a>, steps: &[Step]) -> Place<'a> {
        let start = self.root.as_ref().ok().and_then(|root| find(root, place.node));
        let Some(mut node) = start else { return place };
        for step in steps {
            let next = match (step, &node.value) {
                (Step::Member(name), Value::Object(members)) => {
                    members.iter().find(|(key, _)| key.as_key() == *name).map(|(_, value)| value)
                }
                (Step::First, Value::List(items)) => items.first(),
                _ => None,
            };
            node = next.unwrap_or(node);
        }
        Place { source: self.source, node: node.number }
    }
}

impl<'a> Place<'a> {
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// The byte of the source at which it begins.
    pub fn offset(&self) -> usize {
        json::offset(&self.source.text, self.node)
    }
}

fn find<'n, 'a>(node: &'n Node<'a>, number: u32) -> Option<&'n Node<'a>> {
    match &node.value {
        _ if node.number == number => Some(node),
        Value::List(items) => items.iter().find_map(|item| find(item, number)),
        Value::Object(members) => members.iter().find_map(|(_, value)| find(value, number)),
        _ => None,
    }
}
