//! Decodes rules, their edits and their wrappers.

use super::{Decoder, Node};
use crate::condition::When;
use crate::config::{Edit, EnvEdit, Rule, Secret, SecretSource, WordEdits, Wrapper};
use crate::json::Value;
use crate::lambda::LAYERS;
use crate::template::Template;
use foreword_secrets::reference::{Path, Reference};

impl<'a> Decoder<'a> {
    /// Decodes a rule in its place in `rules`. Returned by value, it would take pages of the stack,
    /// which cost a start more than the decoding.
    pub(super) fn rule(&mut self, node: Node<'a>, rules: &mut Vec<Rule<'a>>) {
        const KEYS: [&str; 13] = [
            "when",
            "secrets",
            "secrets_timeout_ms",
            "references",
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
        for (key, value) in self.known_members(node, &KEYS) {
            match key.as_key() {
                "when" => self.when(value, &mut rule.when),
                "secrets" => rule.secrets = self.secrets(value),
                "secrets_timeout_ms" => {
                    rule.secrets_timeout = self.milliseconds("secrets_timeout_ms", value);
                }
                "references" => rule.resolves_references = self.boolean(value),
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
                "program" => rule.program = self.non_empty_template(value),
                "prefix" => rule.prefix = self.templates(value),
                "entry" => rule.entry = self.non_empty_template(value),
                "wrappers" => {
                    let array = self.array(value);
                    rule.wrappers = self.decode_each(array, Self::wrapper);
                }
                "hooks" => rule.hooks = self.hooks(value),
                "rules" => {
                    let array = self.array(value);
                    rule.rules.reserve_exact(array.len());
                    for node in array {
                        self.decode_nested(node, |decoder, node| {
                            decoder.rule(node, &mut rule.rules);
                        });
                    }
                }
                _ => {}
            }
        }
    }

    /// Decodes the references to secrets.
    fn secrets(&mut self, node: Node<'a>) -> Vec<Secret<'a>> {
        let members = self.data_members(node);
        self.decode_each(members, |decoder, (key, value)| {
            let name = key.as_key();
            let is_path = matches!(value.value, Value::Object(_));
            // The prefix of a path may be empty.
            if (name.is_empty() && !is_path) || name.contains('=') {
                decoder.report_name(key);
            }
            let source = match value.value {
                Value::String(_) => decoder
                    .secret_reference(value, |text| Reference::parse(text).map(drop))
                    .map(SecretSource::Reference),
                Value::Object(_) => decoder.secret_path(value),
                _ => decoder.wrong_type(value, "a string, or an object with \"path\""),
            };
            Some(Secret { place: decoder.place(key), name, source: source? })
        })
    }

    fn secret_path(&mut self, node: Node<'a>) -> Option<SecretSource<'a>> {
        let before = self.problems.len();
        let mut path = None;
        for (key, value) in self.known_members(node, &["path"]) {
            if key.as_key() == "path" {
                path = self.secret_reference(value, |text| Path::parse(text).map(drop));
            }
        }
        if path.is_none() && self.problems.len() == before {
            return self.refuse(node, "the secret has no \"path\"; write {\"path\": \"ssm:/…/\"}");
        }
        path.map(SecretSource::Path)
    }

    /// Decodes a reference; one without variables is checked already here, where it has a place.
    fn secret_reference(
        &mut self,
        node: Node<'a>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<Template<'a>> {
        let template = self.non_empty_template(node)?;
        if template.is_plain()
            && let Err(cause) = check(template.written())
        {
            self.report(node, cause);
            return None;
        }
        Some(template)
    }

    fn report_name(&mut self, key: Node<'a>) {
        let name = key.as_key();
        let why = if name.is_empty() { "is empty" } else { "holds \"=\"" };
        self.report(key, format!("\"{name}\" cannot be the name of a variable: it {why}"));
    }

    /// Decodes the edits of environment variables.
    pub(super) fn env(&mut self, node: Node<'a>) -> Vec<EnvEdit<'a>> {
        let members = self.data_members(node);
        self.decode_each(members, |decoder, (key, value)| {
            let name = key.as_key();
            if name.is_empty() || name.contains('=') {
                decoder.report_name(key);
            }
            Some(EnvEdit { name, edit: decoder.edit(value)?, place: decoder.place(key) })
        })
    }

    /// Decodes an edit of a value.
    fn edit(&mut self, node: Node<'a>) -> Option<Edit<'a>> {
        match node.value {
            Value::String(_) => self.template(node).map(Edit::Set),
            Value::Null => Some(Edit::Unset),
            Value::Object(_) => self.edit_object(node),
            _ => self.wrong_type(
                node,
                "a string, null, or an object with \"default\", \"prepend\" or \"append\"",
            ),
        }
    }

    /// Decodes an edit that is an object, which has exactly one of three keys.
    fn edit_object(&mut self, node: Node<'a>) -> Option<Edit<'a>> {
        let (mut separator, mut edits) = (None, Vec::new());
        let before = self.problems.len();
        for (at, value) in self.known_members(node, &["default", "prepend", "append", "separator"])
        {
            match at.as_key() {
                "separator" => separator = Some((at, self.template(value))),
                key @ ("default" | "prepend" | "append") => {
                    edits.push((key, at, self.template(value)));
                }
                _ => {}
            }
        }
        // The missing key may be there under the name that was just reported.
        if self.problems.len() > before {
            return None;
        }
        if let Some(&(_, at, _)) = edits.get(1) {
            self.report(
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

    /// Decodes edits of options or arguments.
    fn word_edits(&mut self, node: Node<'a>, keys: &[&str], edits: &mut WordEdits<'a>) {
        for (key, value) in self.known_members(node, keys) {
            match key.as_key() {
                "remove" => {
                    let array = self.array(value);
                    edits.remove = self.decode_each(array, Self::glob);
                }
                "replace" => {
                    let pairs = self.data_members(value);
                    edits.replace = self.decode_each(pairs, |decoder, (from, to)| {
                        Some((decoder.template(from)?, decoder.template(to)?))
                    });
                }
                "values" => {
                    let pairs = self.data_members(value);
                    edits.values = self.decode_each(pairs, |decoder, (name, edit)| {
                        Some((name.as_key(), decoder.edit(edit)?))
                    });
                }
                "prepend" => edits.prepend = self.templates(value),
                "append" => edits.append = self.templates(value),
                _ => {}
            }
        }
    }

    /// Decodes another exec wrapper.
    // Inlined, it would add a page to the stack frame of a rule.
    #[inline(never)]
    fn wrapper(&mut self, node: Node<'a>) -> Option<Wrapper<'a>> {
        let (mut path, mut name, mut when) = (None, None, When::default());
        let (mut env, mut env_key, mut is_last) = (Vec::new(), None, false);
        match node.value {
            Value::String(_) => path = self.path(node),
            Value::Object(_) => {
                let before = self.problems.len();
                for (key, value) in
                    self.known_members(node, &["path", "name", "when", "env", "last"])
                {
                    match key.as_key() {
                        "path" => path = self.path(value),
                        "name" => name = self.non_empty_string(value),
                        "when" => self.when(value, &mut when),
                        "env" => {
                            env_key = Some(key);
                            env = self.env(value);
                        }
                        "last" => is_last = self.boolean(value),
                        _ => {}
                    }
                }
                if path.is_none() && self.problems.len() == before {
                    self.report(node, "the wrapper has no \"path\"".into());
                }
            }
            _ => return self.wrong_type(node, "the path of a wrapper, or an object with \"path\""),
        }
        let wrapper = Wrapper { place: self.place(node), path: path?, name, when, env, is_last };
        if let Some(key) = env_key.filter(|_| is_last) {
            self.report(key, wrapper.refuse("edit \"env\"", "remove one of the two"));
        }
        Some(wrapper)
    }

    /// Decodes the path of a wrapper. A name without `/` is refused, as a wrapper that is looked up
    /// in `PATH` would not know its own path.
    fn path(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let path = self.non_empty_template(node)?;
        if path.written().contains(['/', '$']) {
            return Some(path);
        }
        let written = path.written();
        self.refuse(
            node,
            &format!(
                "\"{written}\" is no path; name the wrapper's file, such as \"{LAYERS}/{written}\""
            ),
        )
    }
}
