//! From JSON to rules. Goes on after a mistake, so that all of them are found; a rule that came with problems
//! is not to be used. Knows every key; decides nothing about what applies.

mod hooks;
mod when;

use super::near::near;
use super::{EnvEdit, Place, Rule, Source, WordEdits};
use crate::environ::Edit;
use crate::glob::Glob;
use crate::json::{Kind, Node, Problem};
use crate::text::Text;
use std::borrow::Cow;

/// How deep rules and conditions may nest.
const MOST_NESTED: usize = 32;

/// Allowed in every object whose keys are ours.
const ANNOTATIONS: [&str; 2] = ["$schema", "description"];

pub fn rule(index: usize, source: &Source) -> (Rule<'_>, Vec<Problem>) {
    let mut decoder = Decoder { index, text: &source.text, problems: Vec::new(), depth: 0 };
    let rule = match Node::document(&source.text) {
        Ok(node) => decoder.rule(node),
        Err(problem) => {
            decoder.problems.push(problem);
            Rule::empty(Place { source: index, offset: 0 })
        }
    };
    decoder.problems.sort_by_key(|problem| problem.offset);
    (rule, decoder.problems)
}

struct Decoder<'a> {
    index: usize,
    text: &'a str,
    problems: Vec<Problem>,
    depth: usize,
}

/// An object with keys of ours: what was decoded from, and the values by key.
type Members<'a> = Vec<(Cow<'a, str>, Node<'a>, Node<'a>)>;

impl<'a> Decoder<'a> {
    fn rule(&mut self, node: Node<'a>) -> Rule<'a> {
        const KEYS: [&str; 10] =
            ["when", "env", "options", "arguments", "program", "prefix", "entry", "wrappers", "hooks", "rules"];
        let mut rule = Rule::empty(self.place(node));
        for (key, _, value) in self.object(node, &KEYS) {
            match &*key {
                "when" => rule.when = self.nested(value, Self::when).unwrap_or_default(),
                "env" => rule.env = self.env(value),
                "options" => {
                    rule.options = self.word_edits(value, &["remove", "replace", "values", "prepend", "append"])
                }
                "arguments" => rule.arguments = self.word_edits(value, &["remove", "replace", "prepend", "append"]),
                "program" => rule.program = self.filled_text(value),
                "prefix" => rule.prefix = self.texts(value),
                "entry" => rule.entry = self.filled_text(value),
                "wrappers" => self.wrappers(value),
                "hooks" => rule.hooks = self.hooks(value),
                "rules" => {
                    rule.rules = self.list(value).into_iter().filter_map(|node| self.nested(node, Self::rule)).collect()
                }
                _ => unreachable!("object() passes the keys that it was given"),
            }
        }
        rule
    }

    fn env(&mut self, node: Node<'a>) -> Vec<EnvEdit<'a>> {
        let members = self.map(node);
        members
            .into_iter()
            .filter_map(|(name, key, value)| {
                if name.is_empty() || name.contains('=') {
                    self.problem(
                        key,
                        format!(
                            "\"{name}\" cannot be the name of a variable: it {}",
                            if name.is_empty() { "is empty" } else { "holds \"=\"" }
                        ),
                    );
                }
                Some(EnvEdit { name, edit: self.edit(value)?, place: self.place(key) })
            })
            .collect()
    }

    fn edit(&mut self, node: Node<'a>) -> Option<Edit<'a>> {
        match node.kind() {
            Kind::Text => self.text(node).map(Edit::Set),
            Kind::Null => Some(Edit::Unset),
            Kind::Object => self.edit_object(node),
            other => {
                self.problem(
                    node,
                    format!(
                        "expected a text, null, or an object with \"default\", \"prepend\" or \"append\", found {}",
                        other.described()
                    ),
                );
                None
            }
        }
    }

    fn edit_object(&mut self, node: Node<'a>) -> Option<Edit<'a>> {
        let mut separator = None;
        let mut edits = Vec::new();
        for (key, at, value) in self.object(node, &["default", "prepend", "append", "separator"]) {
            let text = self.text(value);
            match &*key {
                "separator" => separator = Some((at, text)),
                _ => edits.push((key, at, text)),
            }
        }
        if let Some((_, at, _)) = edits.get(1) {
            self.problem(
                *at,
                format!("\"{}\" and \"{}\" cannot stand in one edit; write one of them", edits[0].0, edits[1].0),
            );
        }
        let Some((key, at, text)) = edits.into_iter().next() else {
            self.problem(node, "the edit says nothing; it takes one of \"default\", \"prepend\" and \"append\"".into());
            return None;
        };
        match (&*key, separator) {
            ("default", None) => text.map(Edit::Default),
            ("default", Some((at, _))) => {
                self.problem(at, "\"separator\" goes with \"prepend\" or \"append\" only".into());
                None
            }
            (_, None) => {
                self.problem(at, format!("\"{key}\" needs a \"separator\" beside it, which may be \"\""));
                None
            }
            ("prepend", Some((_, separator))) => Some(Edit::Prepend { text: text?, separator: separator? }),
            (_, Some((_, separator))) => Some(Edit::Append { text: text?, separator: separator? }),
        }
    }

    fn word_edits(&mut self, node: Node<'a>, keys: &[&str]) -> WordEdits<'a> {
        let mut edits = WordEdits::default();
        for (key, _, value) in self.object(node, keys) {
            match &*key {
                "remove" => edits.remove = self.list(value).into_iter().filter_map(|node| self.glob(node)).collect(),
                "replace" => {
                    edits.replace = self
                        .map(value)
                        .into_iter()
                        .filter_map(|(from, at, to)| Some((self.checked(at, from)?, self.text(to)?)))
                        .collect();
                }
                "values" => {
                    edits.values = self
                        .map(value)
                        .into_iter()
                        .filter_map(|(name, _, edit)| Some((name, self.edit(edit)?)))
                        .collect();
                }
                "prepend" => edits.prepend = self.texts(value),
                _ => edits.append = self.texts(value),
            }
        }
        edits
    }

    fn wrappers(&mut self, node: Node<'a>) {
        if !self.list(node).is_empty() {
            self.problem(node, "this version of foreword runs no other wrappers yet; remove \"wrappers\"".into());
        }
    }

    /// A value, or a list of one or more of them.
    fn one_or_more<T>(&mut self, node: Node<'a>, decode: impl Fn(&mut Self, Node<'a>) -> Option<T>) -> Vec<T> {
        match node.kind() {
            Kind::List => self.filled_list(node).into_iter().filter_map(|node| decode(self, node)).collect(),
            _ => decode(self, node).into_iter().collect(),
        }
    }

    /// Decodes what may hold more of its own kind, up to a depth.
    fn nested<T>(&mut self, node: Node<'a>, decode: impl Fn(&mut Self, Node<'a>) -> T) -> Option<T> {
        if self.depth == MOST_NESTED {
            self.problem(node, format!("this is nested more than {MOST_NESTED} deep"));
            return None;
        }
        self.depth += 1;
        let value = decode(self, node);
        self.depth -= 1;
        Some(value)
    }

    fn one_of<T: Copy>(&mut self, node: Node<'a>, choices: &[(&str, T)]) -> Option<T> {
        let word = self.string(node)?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.problem(node, format!("\"{word}\" is not one of {}", names.join(", ")));
        }
        found
    }

    fn texts(&mut self, node: Node<'a>) -> Vec<Text<'a>> {
        self.list(node).into_iter().filter_map(|node| self.text(node)).collect()
    }

    fn text(&mut self, node: Node<'a>) -> Option<Text<'a>> {
        let text = self.string(node)?;
        self.checked(node, text)
    }

    fn filled_text(&mut self, node: Node<'a>) -> Option<Text<'a>> {
        let text = self.filled(node)?;
        self.checked(node, text)
    }

    fn checked(&mut self, node: Node<'a>, text: Cow<'a, str>) -> Option<Text<'a>> {
        Text::new(text).map_err(|message| self.problem(node, message)).ok()
    }

    fn glob(&mut self, node: Node<'a>) -> Option<Text<'a>> {
        let text = self.text(node)?;
        Glob::check(text.written()).map_err(|message| self.problem(node, message)).ok()?;
        Some(text)
    }

    fn filled_glob(&mut self, node: Node<'a>) -> Option<Text<'a>> {
        self.filled(node)?;
        self.glob(node)
    }

    fn filled(&mut self, node: Node<'a>) -> Option<Cow<'a, str>> {
        let text = self.string(node)?;
        if text.is_empty() {
            self.problem(node, "this text must not be empty".into());
            return None;
        }
        Some(text)
    }

    fn string(&mut self, node: Node<'a>) -> Option<Cow<'a, str>> {
        if node.kind() != Kind::Text {
            return self.wrong(node, "a text");
        }
        match node.text() {
            Ok(text) if !text.contains('\0') => return Some(text),
            Ok(_) => self.problem(node, "this text holds a NUL character, which no argument or variable can".into()),
            Err(message) => self.problem(node, message),
        }
        None
    }

    fn filled_list(&mut self, node: Node<'a>) -> Vec<Node<'a>> {
        let items = self.list(node);
        if node.kind() == Kind::List && items.is_empty() {
            self.problem(node, "an empty list matches nothing; remove the key or name something".into());
        }
        items
    }

    fn list(&mut self, node: Node<'a>) -> Vec<Node<'a>> {
        match node.kind() {
            Kind::List => node.items(),
            _ => self.wrong(node, "a list").unwrap_or_default(),
        }
    }

    /// An object whose keys are data: key, where it stands, value.
    fn map(&mut self, node: Node<'a>) -> Members<'a> {
        if node.kind() != Kind::Object {
            return self.wrong(node, "an object").unwrap_or_default();
        }
        let mut members: Members<'a> = Vec::new();
        for (at, value) in node.members() {
            let Some(key) = self.string(at) else { continue };
            if members.iter().any(|(other, ..)| *other == key) {
                self.problem(at, format!("the key \"{key}\" is given twice"));
            }
            members.push((key, at, value));
        }
        members
    }

    /// An object whose keys are ours.
    fn object(&mut self, node: Node<'a>, keys: &[&str]) -> Members<'a> {
        let mut members = self.map(node);
        members.retain(|(key, at, value)| {
            let known = keys.contains(&&**key);
            if ANNOTATIONS.contains(&&**key) {
                self.string(*value);
            } else if !known {
                let hint = match near(key, keys) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("here go {}", keys.join(", ")),
                };
                self.problem(*at, format!("unknown key \"{key}\"; {hint}"));
            }
            known
        });
        members
    }

    fn wrong<T>(&mut self, node: Node<'a>, expected: &str) -> Option<T> {
        self.problem(node, format!("expected {expected}, found {}", node.kind().described()));
        None
    }

    fn problem(&mut self, node: Node<'a>, message: String) {
        self.problems.push(Problem { offset: node.offset_in(self.text), message });
    }

    fn place(&self, node: Node<'a>) -> Place {
        Place { source: self.index, offset: node.offset_in(self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems of a text in which `»` stands in front of each place that one is expected at.
    fn check(marked: &str, expected: &[&str]) {
        let text = marked.replace('»', "");
        let source = Source { name: "test".into(), text };
        let places: Vec<usize> =
            marked.match_indices('»').enumerate().map(|(index, (offset, mark))| offset - index * mark.len()).collect();
        let problems = rule(0, &source).1;
        let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, expected, "{marked}");
        assert_eq!(problems.iter().map(|problem| problem.offset).collect::<Vec<_>>(), places, "{marked}");
    }

    #[test]
    fn accepts_all_that_is_documented() {
        check(
            r#"{
                "$schema": "x", "description": "x",
                "when": {"runtime": ["python", "nodejs2[24].x"], "initialization": "snap-start", "architecture": "arm64",
                         "file": ["/opt/*.jar"], "env": {"A": true, "B": false, "C": "x*", "D": ["x"], "description": "x",
                         "E": {"matches": ["x"], "ignore_case": true}}, "not": {}, "any": [{}]},
                "env": {"A": "1", "B": null, "C": {"default": ""}, "D": {"prepend": "x", "separator": ""},
                        "E": {"append": "${A:-x}", "separator": ":", "description": "x"}, "$schema": "data"},
                "options": {"append": ["-X"], "prepend": [], "remove": ["a*"], "replace": {"a": "b"}, "values": {"-cp": null}},
                "arguments": {"append": ["-X"], "prepend": [], "remove": ["a*"], "replace": {"a": "b"}},
                "program": "p", "prefix": ["q"], "entry": "e", "wrappers": [],
                "hooks": {
                    "initialize": [{"name": "n", "command": ["x", ""], "env": {"A": "1"}, "cwd": "/", "timeout_ms": 1,
                                    "on_failure": "continue", "when": {}, "export": "dotenv", "description": "x"}],
                    "before_snapshot": [{"name": "n", "command": "x ${ y"}], "after_restore": [], "pre_stop": []
                },
                "rules": [{"rules": [{}]}]
            }"#,
            &[],
        );
    }

    #[test]
    fn finds_every_mistake_where_it_is() {
        for (marked, expected) in [
            (r#"»[]"#, &["expected an object, found a list"] as &[_]),
            (r#"{»"optons": {}}"#, &["unknown key \"optons\"; did you mean \"options\"?"]),
            (r#"{»"environment": {}}"#, &["unknown key \"environment\"; did you mean \"env\"?"]),
            (r#"{"env": {"A": "1", »"A": "2"}}"#, &["the key \"A\" is given twice"]),
            (r#"{"env": {}, »"env": {}}"#, &["the key \"env\" is given twice"]),
            (
                r#"{"env": {»"": "1", »"A=B": "2"}}"#,
                &[
                    "\"\" cannot be the name of a variable: it is empty",
                    "\"A=B\" cannot be the name of a variable: it holds \"=\"",
                ],
            ),
            (
                r#"{"env": {"A": »1}}"#,
                &["expected a text, null, or an object with \"default\", \"prepend\" or \"append\", found a number"],
            ),
            (
                r#"{"env": {"A": {»"prepend": "x"}}}"#,
                &["\"prepend\" needs a \"separator\" beside it, which may be \"\""],
            ),
            (
                r#"{"env": {"A": {"default": "x", »"separator": ""}}}"#,
                &["\"separator\" goes with \"prepend\" or \"append\" only"],
            ),
            (
                r#"{"env": {"A": {"default": "x", »"append": "y"}}}"#,
                &["\"default\" and \"append\" cannot stand in one edit; write one of them"],
            ),
            (
                r#"{"env": {"A": »{}}}"#,
                &["the edit says nothing; it takes one of \"default\", \"prepend\" and \"append\""],
            ),
            (r#"{"env": {"A": »"${"}}"#, &["a \"${\" is not closed (a literal \"${\" is written \"$${\")"]),
            (r#"{"options": {"remove": [»"[z-a]"]}}"#, &["the range z-a in \"[z-a]\" runs backwards"]),
            (r#"{"options": {"append": »"-X"}}"#, &["expected a list, found a text"]),
            (
                r#"{"arguments": {»"values": {}}}"#,
                &["unknown key \"values\"; here go remove, replace, prepend, append"],
            ),
            (r#"{"hooks": {»"initialise": []}}"#, &["unknown key \"initialise\"; did you mean \"initialize\"?"]),
            (
                r#"{"hooks": {"initialize": [»{"name": "n"}, »{"command": "x"}]}}"#,
                &["the hook has no \"command\"", "the hook has no \"name\""],
            ),
            (
                r#"{"hooks": {"initialize": [{"name": "n", "command": »[]}]}}"#,
                &["the command is empty; its first text is the program"],
            ),
            (
                r#"{"hooks": {"initialize": [{"name": »"", "command": »""}]}}"#,
                &["this text must not be empty", "this text must not be empty"],
            ),
            (
                r#"{"hooks": {"initialize": [{"name": "n", "command": "x", »"timeout": 1}]}}"#,
                &["unknown key \"timeout\"; did you mean \"timeout_ms\"?"],
            ),
            (
                r#"{"hooks": {"initialize": [{"name": "n", "command": "x", "timeout_ms": »0}]}}"#,
                &["\"timeout_ms\" is 0; it takes whole milliseconds from 1 to 4294967295"],
            ),
            (
                r#"{"hooks": {"initialize": [{"name": "n", "command": "x", "on_failure": »"ignore"}]}}"#,
                &["\"ignore\" is not one of \"fail\", \"continue\""],
            ),
            (
                r#"{"hooks": {"pre_stop": [{"name": "n", "command": "x", »"export": "json"}]}}"#,
                &["a hook in pre_stop cannot export: the runtime runs already; \"export\" goes with \"initialize\""],
            ),
            (
                r#"{"when": {"runtime": »"pyhton"}}"#,
                &[
                    "\"pyhton\" is no runtime; did you mean \"python\"? (one of python, node, java, ruby, dotnet, provided, or a glob such as \"python3.*\")",
                ],
            ),
            (r#"{"when": {"file": »[]}}"#, &["an empty list matches nothing; remove the key or name something"]),
            (
                r#"{"when": {"env": {"A": »null}}}"#,
                &["expected true, false, a glob, a list of globs or an object with \"matches\", found null"],
            ),
            (r#"{"program": »"a\u0000b"}"#, &["this text holds a NUL character, which no argument or variable can"]),
            (r#"{"program": »"\ud800"}"#, &["unexpected end of hex escape"]),
        ] {
            check(marked, expected);
        }
    }

    #[test]
    fn stops_at_nesting_that_nobody_means() {
        let deep = format!("{}{}", r#"{"rules": ["#.repeat(2_000), "]}".repeat(2_000));
        let problems = rule(0, &Source { name: "test".into(), text: deep }).1;
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "this is nested more than 32 deep");
    }
}
