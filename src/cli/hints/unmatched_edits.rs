//! Edits of words that find nothing to edit: the wrapper leaves such a command line as it is, and
//! says nothing.

use crate::command_line::CommandLine;
use crate::config::inspect::Step;
use crate::config::{Document, Place, Rule, WordEdits};
use crate::environ::Environ;
use crate::glob::{Case, Glob};
use crate::template::Template;
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// An edit that found nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmatchedEdit<'r> {
    /// `options` or `arguments`, and the key in it.
    pub keys: [&'static str; 2],
    /// Its place in the array, or its own key.
    pub index: usize,
    pub name: &'r str,
    /// What it may have been meant for.
    way_out: String,
}

impl<'r> UnmatchedEdit<'r> {
    pub fn place(&self, document: &'r Document<'r>, rule: &'r Rule<'r>) -> Place<'r> {
        let [kind, key] = self.keys;
        let step = match key {
            "remove" => Step::Item(self.index),
            _ => Step::Member(self.name),
        };
        document.inside(rule.place, &[Step::Member(kind), Step::Member(key), step])
    }

    pub fn message(&self, line: &str) -> String {
        let [_, key] = self.keys;
        format!("{:?} in {key:?} matches nothing on {line}{}", self.name, self.way_out)
    }
}

/// Those of a rule, given the command line that it meets.
pub fn unmatched_edits<'r>(
    rule: &'r Rule<'r>,
    line: &CommandLine,
    environ: &Environ,
) -> Vec<UnmatchedEdit<'r>> {
    let mut found = Vec::new();
    let mut line = line.clone();
    find_in_options(&rule.options, &mut line, environ, &mut found);
    find_in_arguments(&rule.arguments, &mut line, environ, &mut found);
    found
}

fn find_in_options<'r>(
    edits: &'r WordEdits<'r>,
    line: &mut CommandLine,
    environ: &Environ,
    found: &mut Vec<UnmatchedEdit<'r>>,
) {
    let mut add = |key, index, name, way_out| {
        found.push(UnmatchedEdit { keys: ["options", key], index, name, way_out })
    };
    for (index, text) in edits.remove.iter().enumerate() {
        let glob = Glob::new(text, environ);
        let is_met = Cell::new(false);
        line.clone().remove_options(|option| {
            met(&is_met, glob.matches(option.as_bytes(), Case::Sensitive));
            false
        });
        if !is_met.get() {
            add("remove", index, text.written(), joined(line, text));
        }
    }
    for text in &edits.remove {
        let glob = Glob::new(text, environ);
        line.remove_options(|option| glob.matches(option.as_bytes(), Case::Sensitive));
    }
    for (index, (from, _)) in edits.replace.iter().enumerate() {
        let (is_met, wanted) = (Cell::new(false), from.expand(environ));
        line.clone().replace_options(|word| {
            met(&is_met, word == wanted);
            None
        });
        if !is_met.get() {
            add("replace", index, from.written(), joined(line, from));
        }
    }
    line.replace_options(|word| replacement(edits, word, environ));
    for (index, (name, _)) in edits.values.iter().enumerate() {
        let is_met = Cell::new(false);
        line.clone().edit_option_values(OsStr::new(name), |value| {
            met(&is_met, true);
            Some(value.to_owned())
        });
        if !is_met.get() {
            add("values", index, name, String::new());
        }
    }
}

fn find_in_arguments<'r>(
    edits: &'r WordEdits<'r>,
    line: &mut CommandLine,
    environ: &Environ,
    found: &mut Vec<UnmatchedEdit<'r>>,
) {
    let mut add = |key, index, name| {
        found.push(UnmatchedEdit { keys: ["arguments", key], index, name, way_out: String::new() })
    };
    for (index, text) in edits.remove.iter().enumerate() {
        let glob = Glob::new(text, environ);
        let is_met = Cell::new(false);
        line.clone().remove_arguments(|word| {
            met(&is_met, glob.matches(word.as_bytes(), Case::Sensitive));
            false
        });
        if !is_met.get() {
            add("remove", index, text.written());
        }
    }
    for text in &edits.remove {
        let glob = Glob::new(text, environ);
        line.remove_arguments(|word| glob.matches(word.as_bytes(), Case::Sensitive));
    }
    for (index, (from, _)) in edits.replace.iter().enumerate() {
        let (is_met, wanted) = (Cell::new(false), from.expand(environ));
        line.clone().replace_arguments(|word| {
            met(&is_met, word == wanted);
            None
        });
        if !is_met.get() {
            add("replace", index, from.written());
        }
    }
}

/// Keeps in mind that something was met.
fn met(is_met: &Cell<bool>, here: bool) {
    is_met.set(is_met.get() || here);
}

fn replacement(edits: &WordEdits, word: &OsStr, environ: &Environ) -> Option<OsString> {
    let is_it = |from: &Template| !word.is_empty() && from.expand(environ) == word;
    edits.replace.iter().find(|(from, _)| is_it(from)).map(|(_, to)| to.expand(environ))
}

/// The way out where the name alone stands for an option whose value is joined.
fn joined(line: &CommandLine, text: &Template) -> String {
    let name = text.written();
    let mut wanted = name.as_bytes().to_vec();
    wanted.push(b'=');
    match line.parts().options.iter().any(|option| option.as_bytes().starts_with(&wanted)) {
        true => format!("; \"{name}=*\" would"),
        false => String::new(),
    }
}
