//! The last part of a plan: the command line to execute, and its edits.

use crate::command_line::CommandLine;
use crate::config::{Effect, Rule, WordEdits};
use crate::environ::Environ;
use crate::glob::{Case, Glob};
use crate::template::Template;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// A function that reads a file to which a command line refers, one of java's `@argfiles`.
pub type ReadFile<'r> = &'r dyn Fn(&OsStr) -> io::Result<Vec<u8>>;

/// The command line to execute, and its prefix.
#[derive(Clone)]
pub struct Execution {
    pub prefix: Vec<OsString>,
    pub line: CommandLine,
    /// Edits that could not be performed, which is harmless.
    pub warnings: Vec<String>,
}

impl Execution {
    /// Parses the received command line, which has at least the program.
    pub fn new(words: &[OsString], read: ReadFile) -> Self {
        let (program, arguments) = words.split_first().expect("a command line has a program");
        let line = CommandLine::parse(program.clone(), arguments.to_vec(), read);
        Self { prefix: Vec::new(), line, warnings: Vec::new() }
    }

    /// Performs the edits of a rule. Their templates see `environ`.
    pub fn edit(&mut self, rule: &Rule, environ: &Environ) {
        edit_options(&mut self.line, &rule.options, environ);
        edit_arguments(&mut self.line, &rule.arguments, environ);
        match (&rule.entry, self.line.entry()) {
            (None, _) => {}
            (Some(entry), Some(_)) => self.line.set_entry(&entry.expand(environ)),
            (Some(entry), None) => self.warnings.push(format!(
                "the command line has no entry that {:?} could replace (\"entry\" of a rule)",
                entry.written()
            )),
        }
        if let Some(program) = &rule.program {
            self.line.program = program.expand(environ);
        }
        self.prefix.splice(0..0, expand(&rule.prefix, environ));
    }

    /// Returns the command line as words; the first is the program to execute.
    pub fn into_words(mut self) -> Vec<OsString> {
        let mut words = self.prefix;
        words.push(std::mem::take(&mut self.line.program));
        words.extend(self.line.into_arguments());
        words
    }
}

impl Rule<'_> {
    /// Returns the keys by which the rule edits the command line.
    pub fn command_line_keys(&self) -> impl Iterator<Item = &'static str> + use<> {
        // Without `..`, so that a new key that is forgotten here does not compile.
        let Self {
            options,
            arguments,
            entry,
            program,
            prefix,
            place: _,
            when: _,
            secrets: _,
            secrets_timeout: _,
            resolves_references: _,
            env: _,
            wrappers: _,
            hooks: _,
            rules: _,
        } = self;
        let keys = [
            ("options", !options.is_empty()),
            ("arguments", !arguments.is_empty()),
            ("entry", entry.is_some()),
            ("program", program.is_some()),
            ("prefix", !prefix.is_empty()),
        ];
        keys.into_iter().filter_map(|(key, is_given)| is_given.then_some(key))
    }

    /// Tells whether the rule edits the command line.
    pub fn edits_command_line(&self) -> bool {
        self.command_line_keys().next().is_some()
    }
}

fn edit_options(line: &mut CommandLine, edits: &WordEdits, environ: &Environ) {
    if edits.is_empty() {
        return;
    }
    let globs = globs(&edits.remove, environ);
    line.remove_options(|option| matches_any(&globs, option));
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
    line.prepend_options(expand(&edits.prepend, environ));
    line.append_options(expand(&edits.append, environ));
}

fn edit_arguments(line: &mut CommandLine, edits: &WordEdits, environ: &Environ) {
    if edits.is_empty() {
        return;
    }
    let globs = globs(&edits.remove, environ);
    line.remove_arguments(|argument| matches_any(&globs, argument));
    let replacements = replacements(edits, environ);
    line.replace_arguments(|word| replacement(&replacements, word));
    line.prepend_arguments(expand(&edits.prepend, environ));
    line.append_arguments(expand(&edits.append, environ));
}

fn expand(texts: &[Template], environ: &Environ) -> Vec<OsString> {
    texts.iter().map(|text| text.expand(environ)).collect()
}

fn globs(texts: &[Template], environ: &Environ) -> Vec<Glob> {
    texts.iter().map(|text| Glob::new(text, environ)).collect()
}

fn matches_any(globs: &[Glob], word: &OsStr) -> bool {
    globs.iter().any(|glob| glob.matches(word.as_bytes(), Case::Sensitive))
}

/// Expands the words to replace, each with its replacement. One that expands to nothing replaces
/// nothing.
fn replacements(edits: &WordEdits, environ: &Environ) -> Vec<(OsString, OsString)> {
    let expanded =
        edits.replace.iter().map(|(from, to)| (from.expand(environ), to.expand(environ)));
    expanded.filter(|(from, _)| !from.is_empty()).collect()
}

fn replacement(replacements: &[(OsString, OsString)], word: &OsStr) -> Option<OsString> {
    replacements.iter().find(|(from, _)| from == word).map(|(_, to)| to.clone())
}
