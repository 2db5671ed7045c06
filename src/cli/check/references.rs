//! Everything that a configuration has executed: the programs of hooks, of prefixes, the program,
//! wrappers, and the scripts that are given to an interpreter. Says where each is written and what
//! it is under; looks at no file.

pub use super::command_words::FileUse;
use super::command_words::files_in_command;
use super::rules::ReachableRule;
use super::shell_command::{self, WorkingDirectory};
use crate::condition::When;
use crate::config::inspect::Step;
use crate::config::{Command, Document, EnvEdit, Hook, Place, Wrapper};
use crate::lambda::TASK_ROOT;
use crate::template::Template;

/// Most shells that are told to run a shell.
const MOST_NESTED: usize = 4;

/// A program or a script that a configuration names.
pub struct ProgramReference<'r> {
    pub document: &'r Document<'r>,
    pub place: Place<'r>,
    pub conditions: Vec<&'r When<'r>>,
    /// As it is written.
    pub word: String,
    pub kind: FileUse,
    /// Whether an array of words names it, which no shell reads.
    pub is_word_of_array: bool,
    /// Where it is looked up when it is relative; none where that is not known.
    base: Option<String>,
    /// Whether its absence is provided for.
    pub is_guarded: bool,
    /// Whether `PATH` is Lambda's own.
    pub has_lambdas_path: bool,
}

impl ProgramReference<'_> {
    /// The absolute path that it has in the function; none for a bare name, and where it cannot be
    /// known.
    pub fn path(&self) -> Option<String> {
        match self.is_bare() {
            true => None,
            false => absolute(&self.word, self.base.as_deref()),
        }
    }

    /// Whether what is written `./x` lies beside the code.
    pub fn is_in_code(&self) -> bool {
        self.base.as_deref() == Some(TASK_ROOT)
    }

    /// Whether it is looked up in `PATH`.
    pub fn is_bare(&self) -> bool {
        self.kind == FileUse::Executed && !self.word.contains('/')
    }
}

/// The files that a configuration has executed.
pub fn all<'r>(rules: &[ReachableRule<'r>]) -> Vec<ProgramReference<'r>> {
    let edits_path = |edits: &[EnvEdit]| edits.iter().any(|edit| edit.name == "PATH");
    let has_lambdas_path =
        !rules.iter().any(|rule_in_context| edits_path(&rule_in_context.rule.env));
    let mut all: Vec<_> = wrappers(rules).collect();
    for rule_in_context in rules {
        let document = rule_in_context.document;
        for (hook, conditions) in rule_in_context.hooks() {
            let here = ReferenceContext {
                document,
                base: directory(hook),
                is_guarded: conditions.iter().any(|when| asks_for_file(when)),
                conditions,
                has_lambdas_path: has_lambdas_path && !edits_path(&hook.env),
            };
            match &hook.command {
                Command::Words(words) => {
                    let place = |at| {
                        document.inside(hook.place, &[Step::Member("command"), Step::Item(at)])
                    };
                    here.add_array(words, place, &mut all);
                }
                Command::Shell(text) => {
                    let place = document.inside(hook.place, &[Step::Member("command")]);
                    here.add_shell(text, place, 0, &mut all);
                }
                Command::Http(_) | Command::Nothing => {}
            }
        }
        let here = || ReferenceContext {
            document,
            base: Some(TASK_ROOT.into()),
            is_guarded: rule_in_context.conditions.iter().any(|when| asks_for_file(when)),
            conditions: rule_in_context.conditions.clone(),
            has_lambdas_path,
        };
        if let Some(program) = &rule_in_context.rule.program {
            here().add_array(&[*program], |_| rule_in_context.place("program"), &mut all);
        }
        let place = |at| {
            document.inside(rule_in_context.rule.place, &[Step::Member("prefix"), Step::Item(at)])
        };
        here().add_array(&rule_in_context.rule.prefix, place, &mut all);
    }
    all
}

/// The other exec wrappers.
pub fn wrappers<'r>(rules: &[ReachableRule<'r>]) -> impl Iterator<Item = ProgramReference<'r>> {
    rules.iter().flat_map(|rule_in_context| {
        let named = |wrapper: &'r Wrapper<'r>| {
            let conditions: Vec<_> =
                rule_in_context.conditions.iter().copied().chain([&wrapper.when]).collect();
            Some(ProgramReference {
                document: rule_in_context.document,
                place: rule_in_context.document.inside(wrapper.place, &[Step::Member("path")]),
                is_guarded: conditions.iter().any(|when| asks_for_file(when)),
                conditions,
                word: literal(&wrapper.path)?.to_owned(),
                kind: FileUse::Executed,
                is_word_of_array: true,
                base: Some(TASK_ROOT.into()),
                has_lambdas_path: true,
            })
        };
        rule_in_context.rule.wrappers.iter().filter_map(named).collect::<Vec<_>>()
    })
}

/// What the programs of one command have in common.
struct ReferenceContext<'r> {
    document: &'r Document<'r>,
    conditions: Vec<&'r When<'r>>,
    base: Option<String>,
    is_guarded: bool,
    has_lambdas_path: bool,
}

impl<'r> ReferenceContext<'r> {
    fn named(&self, word: &str, kind: FileUse, place: Place<'r>) -> ProgramReference<'r> {
        ProgramReference {
            document: self.document,
            place,
            conditions: self.conditions.clone(),
            word: word.to_owned(),
            kind,
            is_word_of_array: true,
            base: self.base.clone(),
            is_guarded: self.is_guarded,
            has_lambdas_path: self.has_lambdas_path,
        }
    }

    /// Adds what an array names; a word that only the function knows is none.
    fn add_array(
        &self,
        texts: &[Template<'r>],
        place: impl Fn(usize) -> Place<'r>,
        all: &mut Vec<ProgramReference<'r>>,
    ) {
        let words: Vec<_> = texts.iter().map(literal).collect();
        let uses = files_in_command(&words);
        for (at, kind) in uses.files {
            let word = words[at].unwrap_or_default();
            let is_guarded =
                self.is_guarded || word.starts_with(shell_command::TASK_ROOT_REFERENCE);
            all.push(ProgramReference { is_guarded, ..self.named(word, kind, place(at)) });
        }
        if let Some(at) = uses.shell {
            // What only the function knows is for the shell a word that it would change.
            self.add_shell(texts[at].written(), place(at), 0, all);
        }
    }

    /// Adds what a shell string names, `depth` shells deep.
    fn add_shell(
        &self,
        text: &str,
        place: Place<'r>,
        depth: usize,
        all: &mut Vec<ProgramReference<'r>>,
    ) {
        let has_lambdas_path = self.has_lambdas_path && !text.contains("PATH=");
        for simple in shell_command::commands(text) {
            let here = ReferenceContext {
                document: self.document,
                conditions: self.conditions.clone(),
                base: match &simple.directory {
                    WorkingDirectory::Start => self.base.clone(),
                    WorkingDirectory::At(directory) => absolute(directory, None),
                    WorkingDirectory::Unknown => None,
                },
                is_guarded: self.is_guarded || simple.is_guarded,
                has_lambdas_path,
            };
            let words: Vec<_> = simple.words.iter().map(|word| Some(word.as_str())).collect();
            let uses = files_in_command(&words);
            for (at, kind) in uses.files {
                all.push(ProgramReference {
                    is_word_of_array: false,
                    ..here.named(&simple.words[at], kind, place)
                });
            }
            if let Some(at) = uses.shell.filter(|_| depth < MOST_NESTED) {
                here.add_shell(&simple.words[at], place, depth + 1, all);
            }
        }
    }
}

/// An absolute path, as the function has it.
fn absolute(path: &str, base: Option<&str>) -> Option<String> {
    match path.strip_prefix(shell_command::TASK_ROOT_REFERENCE) {
        Some(inside) => Some(format!("{TASK_ROOT}{inside}")),
        None if path.starts_with('/') => Some(path.to_owned()),
        None => Some(format!("{}/{path}", base?)),
    }
}

/// Where a hook runs; none where only the function knows.
pub fn directory(hook: &Hook) -> Option<String> {
    let Some(cwd) = &hook.cwd else { return Some(TASK_ROOT.into()) };
    let cwd = literal(cwd)?;
    absolute(cwd, Some(TASK_ROOT))
}

/// A text that is the same in every function, but for the folder of the code at its start.
fn literal<'r>(text: &Template<'r>) -> Option<&'r str> {
    let written = text.written();
    let rest = written.strip_prefix(shell_command::TASK_ROOT_REFERENCE).unwrap_or(written);
    (text.is_plain() || !rest.contains('$')).then_some(written)
}

/// Whether a condition asks for a file, so that what it guards may be missing.
pub fn asks_for_file(when: &When) -> bool {
    let When { runtime: _, initialization: _, architecture: _, file, env: _, not, any } = when;
    !file.is_empty()
        || not.iter().any(|when| asks_for_file(when))
        || any.iter().flatten().any(asks_for_file)
}
