//! The programs and scripts of a configuration, compared with the function: files beside the code
//! and in layers have to exist and be executable, other programs have to be in the runtime's image.

use super::Diagnostic;
use super::files::{CodeDirectory, FunctionFiles, Lookup, SearchedLocation};
use super::missing_program::missing_program_message;
use super::program_file::{self, Executor, ExpectedArchitecture, ProgramCheck, lambda_machine};
use super::references::{FileUse, ProgramReference};
use super::runtimes::{self, CandidateRuntimes};
use crate::cli::finding::{Finding, Severity};
use crate::cli::layer::MergedLayers;
use crate::condition::When;
use crate::lambda::{self, ARCHITECTURE, FOREWORD, LAYERS, TASK_ROOT};
use std::collections::{BTreeMap, BTreeSet};

/// The files that were checked, and those that could not be.
#[derive(Default)]
pub struct CheckedPrograms {
    /// By their names on this machine.
    pub at: BTreeSet<String>,
    /// Paths below /opt, if no layer was given.
    pub in_no_layer: BTreeSet<String>,
}

/// Checks all references; `codes` returns the code that belongs to each.
pub fn check<'r>(
    named: &[ProgramReference<'r>],
    codes: &dyn Fn(&ProgramReference) -> CodeDirectory,
    opt: Option<&MergedLayers>,
    diagnostics: &mut Vec<Diagnostic<'r>>,
) -> (Vec<Finding>, CheckedPrograms) {
    let mut checked = CheckedPrograms::default();
    // By file, so that each fault is found once, and everything about one file stands together.
    let mut findings: BTreeMap<String, (BTreeSet<String>, Vec<Finding>)> = BTreeMap::new();
    for named in named {
        let code = codes(named);
        let files = FunctionFiles { code: &code, opt };
        let runtimes = CandidateRuntimes::left(&named.conditions);
        let place = match place(named, &runtimes, &files) {
            Ok(place) => place,
            Err(message) => {
                diagnostics
                    .extend(message.map(|message| Diagnostic::warning(named.place, message)));
                continue;
            }
        };
        match place {
            Lookup::File(file) => {
                checked.at.insert(file.name.clone());
                let user = Executor::Configuration(named.place.to_string(), named.kind);
                let expected = expected(opt, &code, &named.conditions);
                let subject = ProgramCheck {
                    file: &file,
                    files,
                    user: &user,
                    expected: &expected,
                    runtimes: &runtimes,
                };
                let (known, found) = findings.entry(file.name.clone()).or_default();
                for fault in program_file::faults(&subject) {
                    if known.insert(fault.message().to_owned()) {
                        found.push(fault.finding(&subject));
                    }
                }
            }
            // Python and Node can run a directory.
            Lookup::Directory if named.kind == FileUse::Read => {}
            Lookup::Directory => {
                let message = format!("{:?} is a directory; name a file in it", named.word);
                diagnostics.push(Diagnostic::warning(named.place, message));
            }
            Lookup::Nothing(searched)
                if !named.is_guarded && !is_there_with_its_end(named, &files) =>
            {
                diagnostics.push(Diagnostic::warning(named.place, nothing(named, &searched, opt)));
            }
            Lookup::NoLayers => {
                checked.in_no_layer.extend(named.path());
            }
            Lookup::Astray(message) if !named.is_guarded => {
                diagnostics.push(Diagnostic::warning(named.place, message));
            }
            Lookup::Nothing(_) | Lookup::Astray(_) | Lookup::Unknown => {}
        }
    }
    (findings.into_values().flat_map(|(_, findings)| findings).collect(), checked)
}

/// Looks up the file of a reference; the error is the message about the name, if that is known to
/// be wrong.
fn place<'f>(
    named: &ProgramReference,
    runtimes: &CandidateRuntimes,
    files: &FunctionFiles<'f>,
) -> Result<Lookup<'f>, Option<String>> {
    if !named.is_bare() {
        let Some(path) = named.path() else { return Err(None) };
        let is_functions = lambda::strip_layers(&path).or(lambda::strip_task_root(&path)).is_some();
        return match is_functions {
            true => Ok(files.look_up(&path)),
            false if named.is_guarded => Err(None),
            false => Err(missing_program_message(&path, runtimes, files)),
        };
    }
    let word = named.word.as_str();
    if word.is_empty() || runtimes::is_everywhere(word) {
        return Err(None);
    }
    if named.is_word_of_array && runtimes::is_builtin_alone(word) {
        // `hints` warns that there is no shell.
        return Err(None);
    }
    if named.is_guarded || !named.has_lambdas_path {
        return Err(None);
    }
    if let found @ Lookup::File(_) = files.look_up(&format!("{LAYERS}/bin/{word}")) {
        return Ok(found);
    }
    if let Lookup::File(_) = files.look_up(&format!("{TASK_ROOT}/{word}")) {
        let directory = if named.is_in_code() { "." } else { TASK_ROOT };
        return Err(Some(format!(
            "{word:?} lies beside the code, where PATH does not lead; write \"{directory}/{word}\""
        )));
    }
    let is_elsewhere = |file: &crate::cli::layer::LayerFile| {
        !file.is_link() && file.has_run_bit() && file.path.rsplit('/').next() == Some(word)
    };
    if let Some(opt) = files.opt
        && let Some(file) = opt.files().into_iter().find(is_elsewhere)
    {
        return Err(Some(format!(
            "{word:?} lies in {}, where PATH does not lead; write \"{LAYERS}/{}\", or put it \
             into bin",
            file.name(),
            file.path
        )));
    }
    Err(missing_program_message(word, runtimes, files))
}

/// Returns whether it exists with the extension that Node adds.
fn is_there_with_its_end(named: &ProgramReference, files: &FunctionFiles) -> bool {
    let is_there = |path: &str| matches!(files.look_up(&format!("{path}.js")), Lookup::File(_));
    named.kind == FileUse::Read && named.path().is_some_and(|path| is_there(&path))
}

fn nothing(
    named: &ProgramReference,
    searched: &SearchedLocation,
    opt: Option<&MergedLayers>,
) -> String {
    let word = named.word.as_str();
    match searched {
        SearchedLocation::Layers => match named
            .path()
            .and_then(|path| opt?.nested_one_deeper(&path))
        {
            Some(other) => format!(
                "{word:?} is in none of the layers, but {} is; a layer's own root comes to lie at \
                 {LAYERS}",
                other.name()
            ),
            None => format!("{word:?} is in none of the layers; add it, or the layer that has it"),
        },
        SearchedLocation::Code(here) => {
            let what = if named.kind == FileUse::Executed { "program" } else { "script" };
            format!(
                "the {what} {word:?} is not beside the code: there is no {here}; add it, or \
                 correct the path"
            )
        }
    }
}

/// Returns the architecture that a program has to be for: that of its conditions, or else of the
/// layers' foreword, or of this machine.
pub fn expected(
    opt: Option<&MergedLayers>,
    code: &CodeDirectory,
    conditions: &[&When],
) -> ExpectedArchitecture {
    let only = |when: &&When| match when.architecture.as_deref() {
        Some([name]) => Some(*name),
        _ => None,
    };
    if let Some(name) = conditions.iter().find_map(only) {
        return ExpectedArchitecture {
            name,
            because: because(name, Basis::Condition),
            severity: Severity::Error,
        };
    }
    let foreword = match (FunctionFiles { code, opt }).look_up(FOREWORD) {
        Lookup::File(file) => file.content.ok().and_then(|content| lambda_machine(&content)),
        _ => None,
    };
    match foreword {
        Some(name) => ExpectedArchitecture {
            name,
            because: because(name, Basis::Foreword),
            severity: Severity::Error,
        },
        None => ExpectedArchitecture {
            name: ARCHITECTURE,
            because: because(ARCHITECTURE, Basis::Here),
            severity: Severity::Warning,
        },
    }
}

enum Basis {
    Condition,
    Foreword,
    Here,
}

fn because(name: &str, basis: Basis) -> &'static str {
    match (name == "arm64", basis) {
        (false, Basis::Condition) => "its condition asks for x86_64",
        (true, Basis::Condition) => "its condition asks for arm64",
        (false, Basis::Foreword) => "the layers' foreword is for x86_64",
        (true, Basis::Foreword) => "the layers' foreword is for arm64",
        (false, Basis::Here) => "this machine is x86_64",
        (true, Basis::Here) => "this machine is arm64",
    }
}
