//! Decodes JSON into rules. Knows every key; decides nothing about which rules apply. Continues
//! after a mistake, so that all are reported; a rule with problems is incomplete and must not be
//! used. `Decoder` has a method for each kind of value, which reports what is wrong with that
//! value.

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

/// The deepest nesting of rules and conditions, which are decoded by recursion.
const MOST_NESTED: usize = 32;

/// The keys that every object may have whose keys foreword defines.
const ANNOTATIONS: [&str; 2] = ["$schema", "description"];

/// Decodes the rule in a document and adds it to `rules`. Returns all problems, in the order of the
/// document. A rule with problems is incomplete.
pub fn decode_rule<'a>(document: &'a Document<'a>, rules: &mut Vec<Rule<'a>>) -> Vec<Problem> {
    let mut decoder = Decoder { source: document.source, problems: Vec::new(), depth: 0 };
    match &document.root {
        Ok(root) => decoder.rule(root, rules),
        Err(problem) => {
            let message =
                [&problem.message, json_hints::hint(&document.source.text, problem)].concat();
            decoder.problems.push(Problem { message, ..*problem });
            rules.push(Rule::empty(Place::Read { source: document.source, node: 0 }));
        }
    }
    decoder.problems.sort_unstable_by_key(|problem| problem.offset);
    decoder.problems
}

/// The decoder of one document.
struct Decoder<'a> {
    source: &'a Source,
    problems: Vec<Problem>,
    /// The number of rules and conditions around the current value.
    depth: usize,
}

type Node<'a> = &'a json::Node<'a>;

/// The keys and values of an object.
type Members<'a> = &'a [(json::Node<'a>, json::Node<'a>)];

impl<'a> Decoder<'a> {
    /// Decodes one value, or an array of one or more of them.
    fn one_or_more<T>(
        &mut self,
        node: Node<'a>,
        decode: impl Fn(&mut Self, Node<'a>) -> Option<T>,
    ) -> Vec<T> {
        match node.value {
            Value::Array(_) => {
                let array = self.non_empty_array(node);
                self.decode_each(array, decode)
            }
            _ => decode(self, node).into_iter().collect(),
        }
    }

    /// Decodes a value that may contain more of its own kind, up to [`MOST_NESTED`].
    fn decode_nested(&mut self, node: Node<'a>, decode: impl FnOnce(&mut Self, Node<'a>)) {
        if self.depth == MOST_NESTED {
            return self.report(node, format!("this is nested more than {MOST_NESTED} deep"));
        }
        self.depth += 1;
        decode(self, node);
        self.depth -= 1;
    }

    /// Decodes one of several words into its value.
    fn one_of<T: Copy>(&mut self, node: Node<'a>, choices: &[(&str, T)]) -> Option<T> {
        let word = self.string(node)?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.report(node, format!("\"{word}\" is not one of {}", names.join(", ")));
        }
        found
    }

    /// Decodes an array of templates.
    fn templates(&mut self, node: Node<'a>) -> Vec<Template<'a>> {
        let array = self.array(node);
        self.decode_each(array, Self::template)
    }

    /// Decodes all elements of an array, or all members of an object.
    fn decode_each<I, T>(
        &mut self,
        items: &'a [I],
        decode: impl Fn(&mut Self, &'a I) -> Option<T>,
    ) -> Vec<T> {
        let mut decoded = Vec::with_capacity(items.len());
        decoded.extend(items.iter().filter_map(|item| decode(self, item)));
        decoded
    }

    fn template(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let string = self.string(node)?;
        self.check_template(node, string)
    }

    fn non_empty_template(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let string = self.non_empty_string(node)?;
        self.check_template(node, string)
    }

    /// Checks the references in a string.
    fn check_template(&mut self, node: Node<'a>, string: &'a str) -> Option<Template<'a>> {
        Template::new(string).map_err(|message| self.report(node, message)).ok()
    }

    fn glob(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let glob = self.template(node)?;
        Glob::validate(glob.written()).map_err(|message| self.report(node, message)).ok()?;
        Some(glob)
    }

    fn non_empty_glob(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        self.non_empty_string(node)?;
        self.glob(node)
    }

    fn non_empty_string(&mut self, node: Node<'a>) -> Option<&'a str> {
        match self.string(node)? {
            "" => self.refuse(node, "this string must not be empty"),
            string => Some(string),
        }
    }

    fn string(&mut self, node: Node<'a>) -> Option<&'a str> {
        match &node.value {
            // JSON can write NUL only as an escape, and a string with escapes is not borrowed from
            // the source.
            Value::String(Cow::Owned(string)) if string.contains('\0') => self.refuse(
                node,
                "this string holds a NUL character, which no argument or variable can",
            ),
            Value::String(string) => Some(string),
            _ => self.wrong_type(node, "a string"),
        }
    }

    /// Decodes true or false; anything else is reported, and false in its place.
    fn boolean(&mut self, node: Node<'a>) -> bool {
        match node.value {
            Value::Boolean(value) => value,
            _ => self.wrong_type(node, "true or false").unwrap_or_default(),
        }
    }

    fn non_empty_array(&mut self, node: Node<'a>) -> &'a [json::Node<'a>] {
        if matches!(&node.value, Value::Array(items) if items.is_empty()) {
            self.report(
                node,
                "an empty array matches nothing; remove the key or name something".into(),
            );
        }
        self.array(node)
    }

    fn array(&mut self, node: Node<'a>) -> &'a [json::Node<'a>] {
        self.array_of(node, "an array")
    }

    fn array_of(&mut self, node: Node<'a>, expected: &str) -> &'a [json::Node<'a>] {
        match &node.value {
            Value::Array(items) => items,
            _ => self.wrong_type(node, expected).unwrap_or_default(),
        }
    }

    /// Returns the members of an object whose keys are the user's data, such as names of variables.
    fn data_members(&mut self, node: Node<'a>) -> Members<'a> {
        let members = self.members(node);
        for (key, _) in members {
            self.string(key);
        }
        let mut names: Vec<&str> = members.iter().map(|(key, _)| key.as_key()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            self.report_duplicates(members);
        }
        members
    }

    fn members(&mut self, node: Node<'a>) -> Members<'a> {
        match &node.value {
            Value::Object(members) => members,
            _ => self.wrong_type(node, "an object").unwrap_or_default(),
        }
    }

    /// Reports each key that stands in the object before.
    fn report_duplicates(&mut self, members: Members<'a>) {
        for (index, (key, _)) in members.iter().enumerate() {
            if members[..index].iter().any(|(other, _)| other.as_key() == key.as_key()) {
                self.report(key, format!("the key \"{}\" is given twice", key.as_key()));
            }
        }
    }

    /// Returns the members of an object whose keys foreword defines: `keys` and [`ANNOTATIONS`].
    /// Reports other keys, but returns them, too.
    fn known_members(&mut self, node: Node<'a>, keys: &[&str]) -> Members<'a> {
        let members = self.members(node);
        // One bit for each key. Only an object with an unknown or a second key is searched for
        // duplicates.
        let (mut seen, mut is_unambiguous) = (0_u32, true);
        for (key, value) in members {
            let word = key.as_key();
            let known = keys.iter().chain(&ANNOTATIONS).position(|known| *known == word);
            let bit = known.map_or(0, |known| 1 << known);
            is_unambiguous &= bit & !seen != 0;
            seen |= bit;
            match known {
                None => {
                    let hint = match find_nearest(word, keys) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!("here go {}", keys.join(", ")),
                    };
                    self.report(key, format!("unknown key \"{word}\"; {hint}"));
                }
                Some(known) if known >= keys.len() => drop(self.string(value)),
                Some(_) => {}
            }
        }
        if !is_unambiguous {
            self.report_duplicates(members);
        }
        members
    }

    /// Reports a value of the wrong type.
    fn wrong_type<T>(&mut self, node: Node<'a>, expected: &str) -> Option<T> {
        let way_out = way_out(expected, &node.value);
        self.report(node, format!("expected {expected}, found {}{way_out}", node.value.kind()));
        None
    }

    /// Reports a problem of a value, and returns nothing in its place.
    fn refuse<T>(&mut self, node: Node<'a>, message: &str) -> Option<T> {
        self.report(node, message.into());
        None
    }

    /// Reports a problem, at the place of a key or value.
    fn report(&mut self, node: Node<'a>, message: String) {
        self.problems
            .push(Problem { offset: json::offset(&self.source.text, node.number), message });
    }

    /// Returns the place of a key or value.
    fn place(&self, node: Node<'a>) -> Place<'a> {
        Place::Read { source: self.source, node: node.number }
    }
}

/// Returns what to write in the place of a value of the wrong type.
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

/// The types that hooks are expected in.
const PHASES: &str = "an object with a phase for each key";
const HOOKS: &str = "an array of hooks";
const A_HOOK: &str = "a hook";

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(source: &Source) -> Vec<Problem> {
        decode_rule(&Document { source, root: json::parse(&source.text) }, &mut Vec::new())
    }

    /// Checks the problems of a configuration in which `»` marks the place of each.
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
    fn every_documented_key_is_accepted() {
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
    fn every_mistake_is_reported_at_its_place() {
        for (marked, expected) in [
            ("»[]", &["expected an object, found an array; write {\"NAME\": …}"] as &[_]),
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
    fn nesting_deeper_than_the_limit_is_reported_once() {
        let deep = format!("{}{}", r#"{"rules": ["#.repeat(40), "]}".repeat(40));
        let problems = problems(&Source { name: "test".into(), text: deep });
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "this is nested more than 32 deep");
    }
}
