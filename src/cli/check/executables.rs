//! What a configuration has executed, against what the function has: files beside the code and in
//! layers that are there and can be executed, and programs that the image of a runtime is known to
//! have.

use super::Advice;
use super::files::{Code, Files, Place, Searched};
use super::missing::missing;
use super::named::{Named, Use};
use super::program::{self, Expected, Subject, User};
use super::runtimes::{self, Runtimes};
use crate::cli::finding::{Finding, Severity};
use crate::cli::layer::Opt;
use crate::condition::When;
use crate::lambda::ARCHITECTURE;
use std::collections::{BTreeMap, BTreeSet};

/// The files that were looked at, and how many could not be.
#[derive(Default)]
pub struct Looked {
    /// By their names here.
    pub at: BTreeSet<String>,
    /// Paths in layers, of which none was named.
    pub in_no_layer: BTreeSet<String>,
}

/// Looks at everything that a configuration names; `codes` has the code that goes with each of
/// them.
pub fn advise<'r>(
    named: &[Named<'r>],
    codes: &dyn Fn(&Named) -> Code,
    opt: Option<&Opt>,
    advice: &mut Vec<Advice<'r>>,
) -> (Vec<Finding>, Looked) {
    let mut looked = Looked::default();
    // By the files' names, so that each is found once, and everything about one file stands
    // together.
    let mut findings: BTreeMap<String, (BTreeSet<String>, Vec<Finding>)> = BTreeMap::new();
    for named in named {
        let code = codes(named);
        let files = Files { code: &code, opt };
        let runtimes = Runtimes::left(&named.conditions);
        let place = match place(named, &runtimes, &files) {
            Ok(place) => place,
            Err(message) => {
                advice.extend(message.map(|message| Advice::warning(named.place, message)));
                continue;
            }
        };
        match place {
            Place::File(file) => {
                looked.at.insert(file.name.clone());
                let user = User::Configuration(named.place.to_string(), named.kind);
                let expected = expected(opt, &code, &named.conditions);
                let subject = Subject {
                    file: &file,
                    files,
                    user: &user,
                    expected: &expected,
                    runtimes: &runtimes,
                };
                let (known, found) = findings.entry(file.name.clone()).or_default();
                for fault in program::faults(&subject) {
                    if known.insert(fault.message().to_owned()) {
                        found.push(fault.finding(&subject));
                    }
                }
            }
            // Python and Node run what a directory has for that.
            Place::Directory if named.kind == Use::Read => {}
            Place::Directory => {
                let message = format!("{:?} is a directory; name a file in it", named.word);
                advice.push(Advice::warning(named.place, message));
            }
            Place::Nothing(searched)
                if !named.is_guarded && !is_there_with_its_end(named, &files) =>
            {
                advice.push(Advice::warning(named.place, nothing(named, &searched, opt)));
            }
            Place::NoLayers => {
                looked.in_no_layer.extend(named.path());
            }
            Place::Astray(message) if !named.is_guarded => {
                advice.push(Advice::warning(named.place, message))
            }
            Place::Nothing(_) | Place::Astray(_) | Place::Unknown => {}
        }
    }
    (findings.into_values().flat_map(|(_, findings)| findings).collect(), looked)
}

/// Where the file is that a name leads to, or what is wrong with the name, if that is known.
fn place<'f>(
    named: &Named,
    runtimes: &Runtimes,
    files: &Files<'f>,
) -> Result<Place<'f>, Option<String>> {
    if !named.is_bare() {
        let Some(path) = named.path() else { return Err(None) };
        let is_functions = path.starts_with("/opt/") || path.starts_with("/var/task/");
        return match is_functions {
            true => Ok(files.look_up(&path)),
            false if named.is_guarded => Err(None),
            false => Err(missing(&path, runtimes, files)),
        };
    }
    let word = named.word.as_str();
    if word.is_empty() || runtimes::is_everywhere(word) {
        return Err(None);
    }
    if named.is_word_of_array && runtimes::is_builtin_alone(word) {
        // `hints` says that there is no shell.
        return Err(None);
    }
    if named.is_guarded || !named.has_lambdas_path {
        return Err(None);
    }
    if let found @ Place::File(_) = files.look_up(&format!("/opt/bin/{word}")) {
        return Ok(found);
    }
    if let Place::File(_) = files.look_up(&format!("{}/{word}", super::files::TASK_ROOT)) {
        let way_out = if named.is_in_code() { "./" } else { "/var/task/" };
        return Err(Some(format!(
            "{word:?} lies beside the code, where PATH does not lead; write \"{way_out}{word}\""
        )));
    }
    let is_elsewhere = |file: &crate::cli::layer::File| {
        !file.is_link() && file.has_run_bit() && file.path.rsplit('/').next() == Some(word)
    };
    if let Some(opt) = files.opt
        && let Some(file) = opt.files().into_iter().find(is_elsewhere)
    {
        return Err(Some(format!(
            "{word:?} lies in {}, where PATH does not lead; write \"/opt/{}\", or put it into bin",
            file.name(),
            file.path
        )));
    }
    Err(missing(word, runtimes, files))
}

/// Whether it is there under a longer name, which Node finds.
fn is_there_with_its_end(named: &Named, files: &Files) -> bool {
    let is_there = |path: &str| matches!(files.look_up(&format!("{path}.js")), Place::File(_));
    named.kind == Use::Read && named.path().is_some_and(|path| is_there(&path))
}

fn nothing(named: &Named, searched: &Searched, opt: Option<&Opt>) -> String {
    let word = named.word.as_str();
    match searched {
        Searched::Layers => match named.path().and_then(|path| opt?.one_deeper(&path)) {
            Some(other) => format!(
                "{word:?} is in none of the layers, but {} is; a layer's own root comes to lie at \
                 /opt",
                other.name()
            ),
            None => format!("{word:?} is in none of the layers; add it, or the layer that has it"),
        },
        Searched::Code(here) => {
            let what = if named.kind == Use::Executed { "program" } else { "script" };
            format!(
                "the {what} {word:?} is not beside the code: there is no {here}; add it, or \
                 correct the path"
            )
        }
    }
}

/// The architecture that a program has to be for: what its conditions say, or else the foreword
/// beside it, or this machine.
pub fn expected(opt: Option<&Opt>, code: &Code, conditions: &[&When]) -> Expected {
    let only = |when: &&When| match when.architecture.as_deref() {
        Some([name]) => Some(*name),
        _ => None,
    };
    if let Some(name) = conditions.iter().find_map(only) {
        return Expected {
            name,
            because: because(name, Basis::Condition),
            severity: Severity::Error,
        };
    }
    let foreword = match (Files { code, opt }).look_up("/opt/bin/foreword") {
        Place::File(file) => file.content.ok().and_then(|content| super::elf::machine(&content)),
        _ => None,
    };
    match foreword {
        Some(name) => {
            Expected { name, because: because(name, Basis::Foreword), severity: Severity::Error }
        }
        None => Expected {
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
