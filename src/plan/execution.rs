//! The last part of a plan: the command line to execute, and how rules edit it.

use crate::command_line::CommandLine;
use crate::config::Effect;
use crate::config::{Rule, WordEdits};
use crate::environ::Environ;
use crate::glob::{Case, Glob};
use crate::template::Template;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// Reads a file that a command line refers to: java's `@argfiles`.
pub type ReadFile<'r> = &'r dyn Fn(&OsStr) -> io::Result<Vec<u8>>;

/// The command line to execute, and what stands in front of it.
#[derive(Clone)]
pub struct Execution {
    pub prefix: Vec<OsString>,
    pub line: CommandLine,
    /// What was asked for and cannot be had; harmless.
    pub warnings: Vec<String>,
}

impl Execution {
    /// What was received, as it is.
    pub fn new(words: &[OsString], read: ReadFile) -> Self {
        let (program, arguments) = words.split_first().expect("a command line has a program");
        let line = CommandLine::parse(program.clone(), arguments.to_vec(), read);
        Self { prefix: Vec::new(), line, warnings: Vec::new() }
    }

    /// Performs the edits of a rule; their texts see the environment.
    pub fn edit(&mut self, rule: &Rule, environ: &Environ) {
        edit_options(&mut self.line, &rule.options, environ);
        edit_arguments(&mut self.line, &rule.arguments, environ);
        match (&rule.entry, self.line.entry()) {
            (None, _) => {}
            (Some(entry), Some(_)) => self.line.set_entry(entry.expand(environ)),
            (Some(entry), None) => self.warnings.push(format!(
                "the command line has no entry that {:?} could replace (\"entry\" of a rule)",
                entry.written()
            )),
        }
        if let Some(program) = &rule.program {
            self.line.program = program.expand(environ);
        }
        self.prefix.splice(0..0, expanded(&rule.prefix, environ));
    }

    /// All words, the one to execute first.
    pub fn into_words(mut self) -> Vec<OsString> {
        let mut words = self.prefix;
        words.push(std::mem::take(&mut self.line.program));
        words.extend(self.line.into_arguments());
        words
    }
}

impl Rule<'_> {
    /// Whether it says anything about the command line.
    pub fn edits_command_line(&self) -> bool {
        let words =
            !self.options.is_empty() || !self.arguments.is_empty() || !self.prefix.is_empty();
        words || self.entry.is_some() || self.program.is_some()
    }
}

fn edit_options(line: &mut CommandLine, edits: &WordEdits, environ: &Environ) {
    if edits.is_empty() {
        return;
    }
    let globs = globs(&edits.remove, environ);
    line.remove_options(|option| matches_one(&globs, option));
    let replacements = replacements(edits, environ);
    line.replace_options(|word| replacement(&replacements, word));
    for (name, edit) in &edits.values {
        line.edit_option_values(OsStr::new(name), |value| {
            match edit.effect(Some(value), environ) {
                Effect::Keep => Some(value.to_owned()),
                Effect::Set(value) => Some(value),
                Effect::Unset => None,
            }
        });
    }
    line.prepend_options(expanded(&edits.prepend, environ));
    line.append_options(expanded(&edits.append, environ));
}

fn edit_arguments(line: &mut CommandLine, edits: &WordEdits, environ: &Environ) {
    if edits.is_empty() {
        return;
    }
    let globs = globs(&edits.remove, environ);
    line.remove_arguments(|argument| matches_one(&globs, argument));
    let replacements = replacements(edits, environ);
    line.replace_arguments(|word| replacement(&replacements, word));
    line.prepend_arguments(expanded(&edits.prepend, environ));
    line.append_arguments(expanded(&edits.append, environ));
}

fn expanded(texts: &[Template], environ: &Environ) -> Vec<OsString> {
    texts.iter().map(|text| text.expand(environ)).collect()
}

fn globs(texts: &[Template], environ: &Environ) -> Vec<Glob> {
    texts.iter().map(|text| Glob::new(text, environ)).collect()
}

fn matches_one(globs: &[Glob], word: &OsStr) -> bool {
    globs.iter().any(|glob| glob.matches(word.as_bytes(), Case::Sensitive))
}

/// What is replaced by what; a key that works out as empty matches nothing.
fn replacements(edits: &WordEdits, environ: &Environ) -> Vec<(OsString, OsString)> {
    let expanded =
        edits.replace.iter().map(|(from, to)| (from.expand(environ), to.expand(environ)));
    expanded.filter(|(from, _)| !from.is_empty()).collect()
}

fn replacement(replacements: &[(OsString, OsString)], word: &OsStr) -> Option<OsString> {
    replacements.iter().find(|(from, _)| from == word).map(|(_, to)| to.clone())
}
