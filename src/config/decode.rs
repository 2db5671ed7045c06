//! From JSON to rules. Goes on after a mistake, so that all of them are found; a rule that came
//! with problems is not to be used. Knows every key; decides nothing about what applies.

mod hooks;
mod rule;
mod when;

use super::json_hints;
use super::suggest::find_nearest;
use super::{Document, Place, Rule, Source};
use crate::glob::Glob;
use crate::json::{self, Problem, Value};
use crate::template::Template;
use std::borrow::Cow;

/// How deep rules and conditions may nest.
const MOST_NESTED: usize = 32;

/// Allowed in every object whose keys are ours.
const ANNOTATIONS: [&str; 2] = ["$schema", "description"];

/// Adds the rule in a document to those before it; gives everything that is wrong with it, in the
/// order of the document. A rule with problems is incomplete.
pub fn rule<'a>(document: &'a Document<'a>, rules: &mut Vec<Rule<'a>>) -> Vec<Problem> {
    let mut decoder = Decoder { source: document.source, problems: Vec::new(), depth: 0 };
    match &document.root {
        Ok(root) => decoder.rule(root, rules),
        Err(problem) => {
            let message =
                [&problem.message, json_hints::way_out(&document.source.text, problem)].concat();
            decoder.problems.push(Problem { message, ..*problem });
            rules.push(Rule::empty(Place::Read { source: document.source, node: 0 }));
        }
    }
    decoder.problems.sort_by_key(|problem| problem.offset);
    decoder.problems
}

struct Decoder<'a> {
    source: &'a Source,
    problems: Vec<Problem>,
    depth: usize,
}

type Node<'a> = &'a json::Node<'a>;

/// Keys and values.
type Members<'a> = &'a [(json::Node<'a>, json::Node<'a>)];

impl<'a> Decoder<'a> {
    /// A value, or a list of one or more of them.
    fn one_or_more<T>(
        &mut self,
        node: Node<'a>,
        decode: impl Fn(&mut Self, Node<'a>) -> Option<T>,
    ) -> Vec<T> {
        match node.value {
            Value::Array(_) => {
                let list = self.filled_list(node);
                self.each(list, decode)
            }
            _ => decode(self, node).into_iter().collect(),
        }
    }

    /// Decodes what may hold more of its own kind, up to a depth.
    fn nested(&mut self, node: Node<'a>, decode: impl FnOnce(&mut Self, Node<'a>)) {
        if self.depth == MOST_NESTED {
            return self.problem(node, format!("this is nested more than {MOST_NESTED} deep"));
        }
        self.depth += 1;
        decode(self, node);
        self.depth -= 1;
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

    fn texts(&mut self, node: Node<'a>) -> Vec<Template<'a>> {
        let list = self.list(node);
        self.each(list, Self::text)
    }

    /// Decodes all values of a list, or all members of an object.
    fn each<I, T>(
        &mut self,
        items: &'a [I],
        decode: impl Fn(&mut Self, &'a I) -> Option<T>,
    ) -> Vec<T> {
        let mut decoded = Vec::with_capacity(items.len());
        decoded.extend(items.iter().filter_map(|item| decode(self, item)));
        decoded
    }

    fn text(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let text = self.string(node)?;
        self.checked(node, text)
    }

    fn filled_text(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let text = self.filled(node)?;
        self.checked(node, text)
    }

    fn checked(&mut self, node: Node<'a>, text: &'a str) -> Option<Template<'a>> {
        Template::new(text).map_err(|message| self.problem(node, message)).ok()
    }

    fn glob(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let text = self.text(node)?;
        Glob::validate(text.written()).map_err(|message| self.problem(node, message)).ok()?;
        Some(text)
    }

    fn filled_glob(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        self.filled(node)?;
        self.glob(node)
    }

    fn filled(&mut self, node: Node<'a>) -> Option<&'a str> {
        let text = self.string(node)?;
        match text {
            "" => self.refuse(node, "this string must not be empty"),
            text => Some(text),
        }
    }

    fn string(&mut self, node: Node<'a>) -> Option<&'a str> {
        match &node.value {
            // JSON has a NUL only behind an escape, and a text with escapes is not borrowed from
            // the source.
            Value::String(Cow::Owned(text)) if text.contains('\0') => self.refuse(
                node,
                "this string holds a NUL character, which no argument or variable can",
            ),
            Value::String(text) => Some(text),
            _ => self.wrong(node, "a string"),
        }
    }

    fn filled_list(&mut self, node: Node<'a>) -> &'a [json::Node<'a>] {
        if matches!(&node.value, Value::Array(items) if items.is_empty()) {
            self.problem(
                node,
                "an empty array matches nothing; remove the key or name something".into(),
            );
        }
        self.list(node)
    }

    fn list(&mut self, node: Node<'a>) -> &'a [json::Node<'a>] {
        self.list_of(node, "an array")
    }

    fn list_of(&mut self, node: Node<'a>, expected: &str) -> &'a [json::Node<'a>] {
        match &node.value {
            Value::Array(items) => items,
            _ => self.wrong(node, expected).unwrap_or_default(),
        }
    }

    /// The members of an object whose keys are data.
    fn map(&mut self, node: Node<'a>) -> Members<'a> {
        let members = self.members(node);
        for (key, _) in members {
            self.string(key);
        }
        let mut names: Vec<&str> = members.iter().map(|(key, _)| key.as_key()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            self.report_twins(members);
        }
        members
    }

    fn members(&mut self, node: Node<'a>) -> Members<'a> {
        match &node.value {
            Value::Object(members) => members,
            _ => self.wrong(node, "an object").unwrap_or_default(),
        }
    }

    fn report_twins(&mut self, members: Members<'a>) {
        for (index, (key, _)) in members.iter().enumerate() {
            if members[..index].iter().any(|(other, _)| other.as_key() == key.as_key()) {
                self.problem(key, format!("the key \"{}\" is given twice", key.as_key()));
            }
        }
    }

    /// The members of an object whose keys are ours; those that are not are reported, and are
    /// passed all the same.
    fn object(&mut self, node: Node<'a>, keys: &[&str]) -> Members<'a> {
        let members = self.members(node);
        let (mut seen, mut is_well) = (0_u32, true);
        for (key, value) in members {
            let word = key.as_key();
            let known = keys.iter().chain(&ANNOTATIONS).position(|known| *known == word);
            let bit = known.map_or(0, |known| 1 << known);
            is_well &= bit & !seen != 0;
            seen |= bit;
            match known {
                None => {
                    let hint = match find_nearest(word, keys) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!("here go {}", keys.join(", ")),
                    };
                    self.problem(key, format!("unknown key \"{word}\"; {hint}"));
                }
                Some(known) if known >= keys.len() => drop(self.string(value)),
                Some(_) => {}
            }
        }
        if !is_well {
            self.report_twins(members);
        }
        members
    }

    fn wrong<T>(&mut self, node: Node<'a>, expected: &str) -> Option<T> {
        let way_out = way_out(expected, &node.value);
        self.problem(node, format!("expected {expected}, found {}{way_out}", node.value.kind()));
        None
    }

    fn refuse<T>(&mut self, node: Node<'a>, message: &str) -> Option<T> {
        self.problem(node, message.into());
        None
    }

    fn problem(&mut self, node: Node<'a>, message: String) {
        self.problems
            .push(Problem { offset: json::offset(&self.source.text, node.number), message });
    }

    fn place(&self, node: Node<'a>) -> Place<'a> {
        Place::Read { source: self.source, node: node.number }
    }
}

/// The right form of a value that is of the wrong type.
fn way_out(expected: &str, found: &Value) -> &'static str {
    let wants = |what| expected.starts_with(what);
    match found {
        _ if expected == A_HOOK => "; write {\"name\": …, \"command\": …}",
        _ if expected == HOOKS => "; write [{\"name\": …, \"command\": …}]",
        Value::Array(_) if expected == PHASES => "; write {\"initialize\": […]}",
        Value::Null if !expected.contains("null") => "; remove the key",
        Value::Number(_) | Value::Boolean(_) if wants("a string") => "; put it in quotes",
        Value::String(_) if wants("a number") || wants("true or false") => {
            "; write it without quotes"
        }
        Value::String(_) if wants("an array") => "; write [\"…\", \"…\"], one string for each word",
        Value::Object(_) if expected == "an array" => "; put it in brackets, [{…}]",
        Value::Array(_) if wants("an object") => "; write {\"NAME\": …}",
        Value::Array(_) if wants("a string") => "; write one string",
        _ => "",
    }
}

/// What is expected where hooks are.
const PHASES: &str = "an object with a phase for each key";
const HOOKS: &str = "an array of hooks";
const A_HOOK: &str = "a hook";

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(source: &Source) -> Vec<Problem> {
        rule(&Document { source, root: json::parse(&source.text) }, &mut Vec::new())
    }

    /// The problems of a text in which `»` stands in front of each place that one is expected at.
    fn check(marked: &str, expected: &[&str]) {
        let text = marked.replace('»', "");
        let source = Source { name: "test".into(), text };
        let places: Vec<usize> = marked
            .match_indices('»')
            .enumerate()
            .map(|(index, (offset, mark))| offset - index * mark.len())
            .collect();
        let problems = problems(&source);
        let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, expected, "{marked}");
        assert_eq!(
            problems.iter().map(|problem| problem.offset).collect::<Vec<_>>(),
            places,
            "{marked}"
        );
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
                "program": "p", "prefix": ["q"], "entry": "e", "wrappers": ["/w", "${W}", {"path": "./w", "name": "n", "when": {}, "env": {"A": null},
                                         "last": false, "description": "x"}, {"path": "/l", "last": true}],
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
            (r#"»[]"#, &["expected an object, found an array; write {\"NAME\": …}"] as &[_]),
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
                &["expected a string, null, or an object with \"default\", \"prepend\" or \
                   \"append\", found a number; put it in quotes"],
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
            (
                r#"{"env": {"A": »"${"}}"#,
                &["a \"${\" is not closed (a literal \"${\" is written \"$${\")"],
            ),
            (
                r#"{"options": {"remove": [»"[z-a]"]}}"#,
                &["the range z-a in \"[z-a]\" runs backwards"],
            ),
            (
                r#"{"options": {"append": »"-X"}}"#,
                &["expected an array, found a string; write [\"…\", \"…\"], one string for each \
                   word"],
            ),
            (
                r#"{"arguments": {»"values": {}}}"#,
                &["unknown key \"values\"; here go remove, replace, prepend, append"],
            ),
            (
                r#"{"hooks": {»"initialise": []}}"#,
                &["unknown key \"initialise\"; did you mean \"initialize\"?"],
            ),
            (
                r#"{"hooks": {"initialize": [»{"name": "n"}, »{"command": "x"}]}}"#,
                &["the hook has no \"command\"", "the hook has no \"name\""],
            ),
            (
                r#"{"hooks": {"initialize": [{"name": "n", "command": »[]}]}}"#,
                &["the command is empty; its first string is the program"],
            ),
            (
                r#"{"hooks": {"initialize": [{"name": »"", "command": »""}]}}"#,
                &["this string must not be empty", "this string must not be empty"],
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
                &["a hook in pre_stop cannot export: the runtime runs already; let it write a \
                   file for the handler to read, or move it to \"initialize\""],
            ),
            (
                r#"{"when": {"runtime": »"pyhton"}}"#,
                &["\"pyhton\" is no runtime; did you mean \"python\"? (one of python, node, \
                   java, ruby, dotnet, provided, or a glob such as \"python3.*\")"],
            ),
            (
                r#"{"when": {"file": »[]}}"#,
                &["an empty array matches nothing; remove the key or name something"],
            ),
            (
                r#"{"when": {"env": {"A": »null}}}"#,
                &["expected true, false, a glob, an array of globs or an object with \
                   \"matches\", found null; remove the key"],
            ),
            (
                r#"{"program": »"a\u0000b"}"#,
                &["this string holds a NUL character, which no argument or variable can"],
            ),
        ] {
            check(marked, expected);
        }
    }

    #[test]
    fn stops_at_nesting_that_nobody_means() {
        let deep = format!("{}{}", r#"{"rules": ["#.repeat(40), "]}".repeat(40));
        let problems = problems(&Source { name: "test".into(), text: deep });
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "this is nested more than 32 deep");
    }
}
