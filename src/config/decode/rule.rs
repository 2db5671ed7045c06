//! The part of decoding that reads rules and their edits.

use super::{Decoder, Node};
use crate::condition::When;
use crate::config::Edit;
use crate::config::{EnvEdit, Rule, WordEdits, Wrapper};
use crate::json::Value;
use crate::template::Template;

impl<'a> Decoder<'a> {
    /// Adds the rule to those before it: to hand such a large value on would take pages of the
    /// stack, which cost a start more than all the rest here.
    pub(super) fn rule(&mut self, node: Node<'a>, rules: &mut Vec<Rule<'a>>) {
        const KEYS: [&str; 10] = [
            "when",
            "env",
            "options",
            "arguments",
            "program",
            "prefix",
            "entry",
            "wrappers",
            "hooks",
            "rules",
        ];
        rules.push(Rule::empty(self.place(node)));
        let Some(rule) = rules.last_mut() else { return };
        for (key, value) in self.object(node, &KEYS) {
            match key.as_key() {
                "when" => self.when(value, &mut rule.when),
                "env" => rule.env = self.env(value),
                "options" => self.word_edits(
                    value,
                    &["remove", "replace", "values", "prepend", "append"],
                    &mut rule.options,
                ),
                "arguments" => self.word_edits(
                    value,
                    &["remove", "replace", "prepend", "append"],
                    &mut rule.arguments,
                ),
                "program" => rule.program = self.filled_text(value),
                "prefix" => rule.prefix = self.texts(value),
                "entry" => rule.entry = self.filled_text(value),
                "wrappers" => {
                    let list = self.list(value);
                    rule.wrappers = self.each(list, Self::wrapper);
                }
                "hooks" => rule.hooks = self.hooks(value),
                "rules" => {
                    let list = self.list(value);
                    rule.rules.reserve_exact(list.len());
                    for node in list {
                        self.nested(node, |decoder, node| decoder.rule(node, &mut rule.rules));
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn env(&mut self, node: Node<'a>) -> Vec<EnvEdit<'a>> {
        let members = self.map(node);
        self.each(members, |decoder, (key, value)| {
            let name = key.as_key();
            if name.is_empty() || name.contains('=') {
                let why = if name.is_empty() { "is empty" } else { "holds \"=\"" };
                decoder
                    .problem(key, format!("\"{name}\" cannot be the name of a variable: it {why}"));
            }
            Some(EnvEdit { name, edit: decoder.edit(value)?, place: decoder.place(key) })
        })
    }

    fn edit(&mut self, node: Node<'a>) -> Option<Edit<'a>> {
        match node.value {
            Value::String(_) => self.text(node).map(Edit::Set),
            Value::Null => Some(Edit::Unset),
            Value::Object(_) => self.edit_object(node),
            _ => self.wrong(
                node,
                "a string, null, or an object with \"default\", \"prepend\" or \"append\"",
            ),
        }
    }

    fn edit_object(&mut self, node: Node<'a>) -> Option<Edit<'a>> {
        let (mut separator, mut edits) = (None, Vec::new());
        let before = self.problems.len();
        for (at, value) in self.object(node, &["default", "prepend", "append", "separator"]) {
            match at.as_key() {
                "separator" => separator = Some((at, self.text(value))),
                key @ ("default" | "prepend" | "append") => edits.push((key, at, self.text(value))),
                _ => {}
            }
        }
        // What is missing may be there under the name that was not understood.
        if self.problems.len() > before {
            return None;
        }
        if let Some(&(_, at, _)) = edits.get(1) {
            self.problem(
                at,
                format!(
                    "\"{}\" and \"{}\" cannot stand in one edit; write one of them",
                    edits[0].0, edits[1].0
                ),
            );
        }
        let Some((key, at, text)) = edits.into_iter().next() else {
            return self.refuse(
                node,
                "the edit says nothing; it takes one of \"default\", \"prepend\" and \"append\"",
            );
        };
        match (key, separator) {
            ("default", None) => text.map(Edit::Default),
            ("default", Some((at, _))) => {
                self.refuse(at, "\"separator\" goes with \"prepend\" or \"append\" only")
            }
            (_, None) => self.refuse(
                at,
                &format!("\"{key}\" needs a \"separator\" beside it, which may be \"\""),
            ),
            ("prepend", Some((_, separator))) => {
                Some(Edit::Prepend { text: text?, separator: separator? })
            }
            (_, Some((_, separator))) => Some(Edit::Append { text: text?, separator: separator? }),
        }
    }

    fn word_edits(&mut self, node: Node<'a>, keys: &[&str], edits: &mut WordEdits<'a>) {
        for (key, value) in self.object(node, keys) {
            match key.as_key() {
                "remove" => {
                    let list = self.list(value);
                    edits.remove = self.each(list, Self::glob);
                }
                "replace" => {
                    let pairs = self.map(value);
                    edits.replace = self.each(pairs, |decoder, (from, to)| {
                        Some((decoder.text(from)?, decoder.text(to)?))
                    });
                }
                "values" => {
                    let pairs = self.map(value);
                    edits.values = self.each(pairs, |decoder, (name, edit)| {
                        Some((name.as_key(), decoder.edit(edit)?))
                    });
                }
                "prepend" => edits.prepend = self.texts(value),
                "append" => edits.append = self.texts(value),
                _ => {}
            }
        }
    }

    // With this in its frame a rule would take a page of the stack more.
    #[inline(never)]
    fn wrapper(&mut self, node: Node<'a>) -> Option<Wrapper<'a>> {
        let (mut path, mut name, mut when) = (None, None, When::default());
        let (mut env, mut env_key, mut is_last) = (Vec::new(), None, false);
        match node.value {
            Value::String(_) => path = self.path(node),
            Value::Object(_) => {
                let before = self.problems.len();
                for (key, value) in self.object(node, &["path", "name", "when", "env", "last"]) {
                    match key.as_key() {
                        "path" => path = self.path(value),
                        "name" => name = self.filled(value),
                        "when" => self.when(value, &mut when),
                        "env" => {
                            env_key = Some(key);
                            env = self.env(value);
                        }
                        "last" => match value.value {
                            Value::Boolean(value) => is_last = value,
                            _ => self.wrong(value, "true or false").unwrap_or_default(),
                        },
                        _ => {}
                    }
                }
                if path.is_none() && self.problems.len() == before {
                    self.problem(node, "the wrapper has no \"path\"".into());
                }
            }
            _ => return self.wrong(node, "the path of a wrapper, or an object with \"path\""),
        }
        let wrapper = Wrapper { place: self.place(node), path: path?, name, when, env, is_last };
        if let Some(key) = env_key.filter(|_| is_last) {
            self.problem(key, wrapper.refuse("edit \"env\"", "remove one of the two"));
        }
        Some(wrapper)
    }

    /// A path, as Lambda's variable for wrappers takes it: looked up in PATH, a wrapper would not
    /// know its own.
    fn path(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let path = self.filled_text(node)?;
        if path.written().contains(['/', '$']) {
            return Some(path);
        }
        let written = path.written();
        self.refuse(
            node,
            &format!(
                "\"{written}\" is no path; name the wrapper's file, such as \"/opt/{written}\""
            ),
        )
    }
}
