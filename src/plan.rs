//! Decides everything and does nothing: from the received command line, the environment and the rules to what
//! will happen. The command line itself is worked out last, because its texts see what hooks exported.

use crate::command_line::CommandLine;
use crate::condition::Facts;
use crate::config::{EnvEdit, Hook, Phase, Place, Rule, WordEdits};
use crate::environ::{Change, Environ, Outcome};
use crate::glob::{Case, Glob};
use crate::text::Text;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// Reads a file that a command line refers to: java's `@argfiles`.
pub type ReadFile<'r> = &'r dyn Fn(&OsStr) -> io::Result<Vec<u8>>;

pub struct Plan<'p> {
    /// The environment after all edits, before any hook exports something.
    pub environ: Environ<'p>,
    /// The edits that changed something, in order.
    pub changes: Vec<EnvChange<'p>>,
    /// The rules that apply, in order.
    rules: Vec<&'p Rule<'p>>,
    /// The hooks that apply, of all phases, as registered.
    hooks: Vec<&'p Hook<'p>>,
    /// Program and arguments as they were received.
    received: &'p [OsString],
}

/// An edit of the environment, and what it came to.
pub struct EnvChange<'p> {
    pub name: &'p str,
    pub place: Place,
    pub change: Change,
}

/// The words to execute, the program first.
pub struct Execution {
    pub words: Vec<OsString>,
    /// What was asked for and cannot be had; harmless.
    pub warnings: Vec<String>,
}

impl<'p> Plan<'p> {
    /// `received` is the program and what follows it; it is never empty.
    pub fn new(received: &'p [OsString], environ: Environ<'p>, rules: &'p [Rule<'p>], facts: &Facts) -> Self {
        let mut plan = Self { environ, changes: Vec::new(), rules: Vec::new(), hooks: Vec::new(), received };
        for rule in rules {
            plan.register(rule, facts);
        }
        for rule in &plan.rules {
            plan.changes.extend(edit(&mut plan.environ, &rule.env));
        }
        plan
    }

    /// A rule's own edits and hooks come first, then those of the rules in it.
    fn register(&mut self, rule: &'p Rule<'p>, facts: &Facts) {
        if !rule.when.holds(facts) {
            return;
        }
        self.rules.push(rule);
        self.hooks.extend(rule.hooks.iter().filter(|hook| hook.when.holds(facts)));
        for nested in &rule.rules {
            self.register(nested, facts);
        }
    }

    /// The hooks of a phase, as registered.
    pub fn hooks(&self, phase: Phase) -> impl Iterator<Item = &'p Hook<'p>> {
        self.hooks.iter().copied().filter(move |hook| hook.phase == phase)
    }

    /// What to execute, given the final environment.
    pub fn execution(&self, environ: &Environ, read: ReadFile) -> Execution {
        let expanded = |texts: &[Text]| -> Vec<OsString> { texts.iter().map(|text| text.expand(environ)).collect() };
        let mut warnings = Vec::new();
        let mut words = self.received.to_vec();
        if self.rules.iter().any(|rule| rule.edits_words()) {
            let arguments = words.split_off(1);
            let mut line = CommandLine::parse(words.remove(0), arguments, read);
            for rule in &self.rules {
                edit_options(&mut line, &rule.options, environ);
                edit_arguments(&mut line, &rule.arguments, environ);
                match (&rule.entry, line.entry()) {
                    (None, _) => {}
                    (Some(entry), Some(_)) => line.set_entry(entry.expand(environ)),
                    (Some(entry), None) => warnings.push(format!(
                        "there is no entry to replace with {:?}: {:?} was started without one",
                        entry.written(),
                        line.program
                    )),
                }
            }
            words.push(line.program.clone());
            words.extend(line.into_arguments());
        }
        if let Some(program) = self.rules.iter().rev().find_map(|rule| rule.program.as_ref()) {
            words[0] = program.expand(environ);
        }
        for rule in &self.rules {
            words.splice(0..0, expanded(&rule.prefix));
        }
        Execution { words, warnings }
    }
}

/// Performs edits of an environment, top to bottom, each seeing the ones above it.
pub fn edit<'p>(environ: &mut Environ, edits: &'p [EnvEdit<'p>]) -> Vec<EnvChange<'p>> {
    let perform = |edit: &'p EnvEdit<'p>| {
        let change = environ.apply(&edit.name, &edit.edit)?;
        Some(EnvChange { name: &edit.name, place: edit.place, change })
    };
    edits.iter().filter_map(perform).collect()
}

impl Rule<'_> {
    fn edits_words(&self) -> bool {
        !self.options.is_empty() || !self.arguments.is_empty() || self.entry.is_some()
    }
}

fn edit_options(line: &mut CommandLine, edits: &WordEdits, environ: &Environ) {
    let globs = globs(&edits.remove, environ);
    line.remove_options(|option| matches_one(&globs, option));
    let replacements = replacements(edits, environ);
    line.replace_options(|word| replacement(&replacements, word));
    for (name, edit) in &edits.values {
        line.edit_option_values(OsStr::new(&**name), |value| match edit.outcome(Some(value), environ) {
            Outcome::Keep => Some(value.to_owned()),
            Outcome::Set(value) => Some(value),
            Outcome::Unset => None,
        });
    }
    line.prepend_options(edits.prepend.iter().map(|text| text.expand(environ)).collect());
    line.append_options(edits.append.iter().map(|text| text.expand(environ)).collect());
}

fn edit_arguments(line: &mut CommandLine, edits: &WordEdits, environ: &Environ) {
    let globs = globs(&edits.remove, environ);
    line.remove_arguments(|argument| matches_one(&globs, argument));
    let replacements = replacements(edits, environ);
    line.replace_arguments(|word| replacement(&replacements, word));
    line.prepend_arguments(edits.prepend.iter().map(|text| text.expand(environ)).collect());
    line.append_arguments(edits.append.iter().map(|text| text.expand(environ)).collect());
}

fn globs(texts: &[Text], environ: &Environ) -> Vec<Glob> {
    texts.iter().map(|text| Glob::new(text, environ)).collect()
}

fn matches_one(globs: &[Glob], word: &OsStr) -> bool {
    globs.iter().any(|glob| glob.matches(word.as_bytes(), Case::Respected))
}

/// What is replaced by what; a key that works out as empty matches nothing.
fn replacements(edits: &WordEdits, environ: &Environ) -> Vec<(OsString, OsString)> {
    let expanded = edits.replace.iter().map(|(from, to)| (from.expand(environ), to.expand(environ)));
    expanded.filter(|(from, _)| !from.is_empty()).collect()
}

fn replacement(replacements: &[(OsString, OsString)], word: &OsStr) -> Option<OsString> {
    replacements.iter().find(|(from, _)| from == word).map(|(_, to)| to.clone())
}
