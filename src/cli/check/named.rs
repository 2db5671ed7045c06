//! Everything that a configuration has executed: the programs of hooks, of prefixes, the program, wrappers, and the
//! scripts that are given to an interpreter. Says where each is written and what it is under; looks at no file.

use super::files::TASK_ROOT;
use super::rules::Reached;
use super::shell;
use crate::command_line::Interpreter;
use crate::condition::When;
use crate::config::inspect::Step;
use crate::config::{Command, Document, EnvEdit, Hook, Place, Wrapper};
use crate::text::Text;
use std::ffi::OsStr;

/// What Lambda sets for every function, so that its value is known.
const TASK_ROOT_REFERENCE: &str = "${LAMBDA_TASK_ROOT}/";

/// How a file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The kernel executes it.
    Executed,
    /// A shell is told to read it.
    ReadByShell,
    /// Another interpreter is told to read it.
    Read,
}

/// A program or a script that a configuration names.
pub struct Named<'r> {
    pub document: &'r Document<'r>,
    pub place: Place<'r>,
    pub conditions: Vec<&'r When<'r>>,
    /// As it is written.
    pub word: &'r str,
    pub kind: Use,
    /// Whether an array of words names it, which no shell reads.
    pub is_word_of_array: bool,
    /// Where it is looked up when it is relative; none where that is not known.
    base: Option<String>,
    /// Whether its absence is provided for.
    pub is_guarded: bool,
    /// Whether `PATH` is Lambda's own.
    pub has_lambdas_path: bool,
}

impl Named<'_> {
    /// The absolute path that it has in the function; none for a bare name, and where it cannot be known.
    pub fn path(&self) -> Option<String> {
        match self.word.strip_prefix(TASK_ROOT_REFERENCE) {
            Some(inside) => Some(format!("{TASK_ROOT}/{inside}")),
            None if self.word.starts_with('/') => Some(self.word.to_owned()),
            None if self.is_bare() => None,
            None => Some(format!("{}/{}", self.base.as_ref()?, self.word)),
        }
    }

    /// Whether what is written `./x` lies beside the code.
    pub fn is_in_code(&self) -> bool {
        self.base.as_deref() == Some(TASK_ROOT)
    }

    /// Whether it is looked up in `PATH`.
    pub fn is_bare(&self) -> bool {
        self.kind == Use::Executed && !self.word.contains('/')
    }
}

/// The files that a configuration has executed.
pub fn all<'r>(rules: &[Reached<'r>]) -> Vec<Named<'r>> {
    let edits_path = |edits: &[EnvEdit]| edits.iter().any(|edit| edit.name == "PATH");
    let has_lambdas_path = !rules.iter().any(|reached| edits_path(&reached.rule.env));
    let mut all: Vec<_> = wrappers(rules).collect();
    for reached in rules {
        let document = reached.document;
        for (hook, conditions) in reached.hooks() {
            let here = Here {
                document,
                base: directory(hook),
                is_guarded: conditions.iter().any(|when| asks_for_file(when)),
                conditions,
                has_lambdas_path: has_lambdas_path && !edits_path(&hook.env),
            };
            match &hook.command {
                Command::Words(words) => {
                    let texts: Vec<_> = words.iter().map(literal).collect();
                    let place = |at| document.inside(hook.place, &[Step::Member("command"), Step::Item(at)]);
                    here.add_array(&texts, place, &mut all);
                }
                Command::Shell(text) => {
                    let place = document.inside(hook.place, &[Step::Member("command")]);
                    here.add_shell(text, place, &mut all);
                }
                Command::Http(_) | Command::Nothing => {}
            }
        }
        let here = || Here {
            document,
            base: Some(TASK_ROOT.into()),
            is_guarded: reached.conditions.iter().any(|when| asks_for_file(when)),
            conditions: reached.conditions.clone(),
            has_lambdas_path,
        };
        if let Some(program) = &reached.rule.program {
            here().add_array(&[literal(program)], |_| reached.place("program"), &mut all);
        }
        let prefix: Vec<_> = reached.rule.prefix.iter().map(literal).collect();
        let place = |at| document.inside(reached.rule.place, &[Step::Member("prefix"), Step::Item(at)]);
        here().add_array(&prefix, place, &mut all);
    }
    all
}

/// The other exec wrappers.
pub fn wrappers<'r>(rules: &[Reached<'r>]) -> impl Iterator<Item = Named<'r>> {
    rules.iter().flat_map(|reached| {
        let named = |wrapper: &'r Wrapper<'r>| {
            let conditions: Vec<_> = reached.conditions.iter().copied().chain([&wrapper.when]).collect();
            Some(Named {
                document: reached.document,
                place: reached.document.inside(wrapper.place, &[Step::Member("path")]),
                is_guarded: conditions.iter().any(|when| asks_for_file(when)),
                conditions,
                word: literal(&wrapper.path)?,
                kind: Use::Executed,
                is_word_of_array: true,
                base: Some(TASK_ROOT.into()),
                has_lambdas_path: true,
            })
        };
        reached.rule.wrappers.iter().filter_map(named).collect::<Vec<_>>()
    })
}

/// What the programs of one command have in common.
struct Here<'r> {
    document: &'r Document<'r>,
    conditions: Vec<&'r When<'r>>,
    base: Option<String>,
    is_guarded: bool,
    has_lambdas_path: bool,
}

impl<'r> Here<'r> {
    fn named(&self, word: &'r str, kind: Use, place: Place<'r>) -> Named<'r> {
        Named {
            document: self.document,
            place,
            conditions: self.conditions.clone(),
            word,
            kind,
            is_word_of_array: true,
            base: self.base.clone(),
            is_guarded: self.is_guarded || word.starts_with(TASK_ROOT_REFERENCE),
            has_lambdas_path: self.has_lambdas_path,
        }
    }

    /// Adds what an array names; a word that only the function knows is none.
    fn add_array(&self, words: &[Option<&'r str>], place: impl Fn(usize) -> Place<'r>, all: &mut Vec<Named<'r>>) {
        all.extend(uses(words).into_iter().map(|(at, word, kind)| self.named(word, kind, place(at))));
    }

    fn add_shell(&self, text: &'r str, place: Place<'r>, all: &mut Vec<Named<'r>>) {
        for simple in shell::commands(text) {
            let words: Vec<_> = simple.words.iter().copied().map(Some).collect();
            for (_, word, kind) in uses(&words) {
                let named = self.named(word, kind, place);
                all.push(Named {
                    is_word_of_array: false,
                    is_guarded: named.is_guarded || simple.is_guarded,
                    base: named.base.filter(|_| simple.is_at_start),
                    has_lambdas_path: named.has_lambdas_path && !text.contains("PATH="),
                    ..named
                });
            }
        }
    }
}

/// A word of a command line that names what is executed, behind its place in it.
type Word<'r> = (usize, &'r str, Use);

/// The words of a command line that name what is executed, each with its place in it.
fn uses<'r>(words: &[Option<&'r str>]) -> Vec<Word<'r>> {
    let Some(Some(first)) = words.first() else { return Vec::new() };
    let mut uses = vec![(0, *first, Use::Executed)];
    let second = words.get(1).copied().flatten().filter(|word| !word.starts_with('-') && !word.is_empty());
    let base = first.rsplit('/').next().unwrap_or_default();
    match base {
        "env" => {
            let operand = |word: &Option<&str>| word.is_none_or(|word| !word.contains('='));
            if second.is_some()
                && let Some(at) = words.iter().skip(1).position(operand)
            {
                let nested = uses_of_rest(&words[at + 1..], at + 1);
                uses.extend(nested);
            }
        }
        "sh" | "bash" => uses.extend(second.map(|word| (1, word, Use::ReadByShell))),
        // The others' operand may be a command of theirs: `dotnet exec`, a main class.
        _ => {
            let language = Interpreter::of_program(OsStr::new(base));
            let reads = matches!(language, Some(Interpreter::Python | Interpreter::Node | Interpreter::Ruby));
            uses.extend(second.filter(|_| reads).map(|word| (1, word, Use::Read)));
        }
    }
    uses
}

fn uses_of_rest<'r>(words: &[Option<&'r str>], before: usize) -> Vec<Word<'r>> {
    uses(words).into_iter().map(|(at, word, kind)| (at + before, word, kind)).collect()
}

/// Where a hook runs; none where only the function knows.
fn directory(hook: &Hook) -> Option<String> {
    let Some(cwd) = &hook.cwd else { return Some(TASK_ROOT.into()) };
    let cwd = literal(cwd)?;
    Some(match cwd.strip_prefix("${LAMBDA_TASK_ROOT}") {
        Some(inside) => format!("{TASK_ROOT}{inside}"),
        None if cwd.starts_with('/') => cwd.to_owned(),
        None => format!("{TASK_ROOT}/{cwd}"),
    })
}

/// A text that is the same in every function, but for the folder of the code at its start.
fn literal<'r>(text: &Text<'r>) -> Option<&'r str> {
    let written = text.written();
    let rest = written.strip_prefix("${LAMBDA_TASK_ROOT}").unwrap_or(written);
    (text.is_plain() || !rest.contains('$')).then_some(written)
}

/// Whether a condition asks for a file, so that what it guards may be missing.
fn asks_for_file(when: &When) -> bool {
    !when.file.is_empty()
        || when.not.iter().any(|when| asks_for_file(when))
        || when.any.iter().flatten().any(asks_for_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_are_executed_are_found_behind_env_and_interpreters() {
        let rows: [(&str, &[Word]); 9] = [
            ("/opt/x a", &[(0, "/opt/x", Use::Executed)]),
            ("sh ./x", &[(0, "sh", Use::Executed), (1, "./x", Use::ReadByShell)]),
            ("/bin/sh -c x", &[(0, "/bin/sh", Use::Executed)]),
            ("python3 x.py y", &[(0, "python3", Use::Executed), (1, "x.py", Use::Read)]),
            ("python3 -m x", &[(0, "python3", Use::Executed)]),
            ("java Main", &[(0, "java", Use::Executed)]),
            ("env A=1 node x", &[(0, "env", Use::Executed), (2, "node", Use::Executed), (3, "x", Use::Read)]),
            ("env -i node", &[(0, "env", Use::Executed)]),
            ("env", &[(0, "env", Use::Executed)]),
        ];
        for (line, expected) in rows {
            let words: Vec<_> = line.split(' ').map(Some).collect();
            assert_eq!(uses(&words), expected, "{line}");
        }
        assert_eq!(uses(&[None, Some("x")]), []);
        assert_eq!(uses(&[Some("sh"), None]), [(0, "sh", Use::Executed)]);
    }
}
