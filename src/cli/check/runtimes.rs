//! The runtimes that conditions leave, and the programs that Lambda's images of them are known to
//! have or to lack. Of what is not known for certain nothing is said.

use crate::command_line::Interpreter;
use crate::condition::{Facts, RuntimeName, When, all};
use crate::environ::Environ;
use crate::lambda::{MANAGED_RUNTIMES, Runtime};
use crate::template::Template;
use std::ffi::OsStr;

/// What a function may have in `AWS_EXECUTION_ENV` beside the managed runtimes, if only because it
/// says so itself.
const OTHERS: [&str; 6] = ["dotnet9", "provided.al2", "provided.al2023", "provided", "Image", ""];

/// Those of all these on Amazon Linux 2 (AWS's documentation, "Lambda runtimes").
const AMAZON_LINUX_2: [&str; 12] = [
    "python3.8",
    "python3.9",
    "python3.10",
    "python3.11",
    "nodejs16.x",
    "nodejs18.x",
    "java8.al2",
    "java11",
    "java17",
    "ruby3.2",
    "dotnet6",
    "provided.al2",
];

/// Programs of every image: bash, and what AWS's tutorial of a custom runtime runs in them
/// ("Tutorial: Building a custom runtime"), and others of coreutils, sed, gawk and grep.
const EVERYWHERE: &str = "[ awk basename bash cat chmod chown cp curl cut date dd dirname echo \
                          env expr false gawk grep egrep fgrep head id ln ls mkdir mktemp mv nice \
                          nohup od paste printenv printf pwd readlink realpath rm rmdir sed seq \
                          sh sha256sum sleep sort split stat stty sync tail tee test timeout \
                          touch tr true uname uniq wc yes";

/// Programs of no image. AWS's base images are those in which functions run
/// (github.com/aws/aws-lambda-base-images); for some of these people ask again and again:
/// lambci/docker-lambda#292 (aws), gkrizek/bash-lambda-layer#44 (jq), pimterry/lambda-git#14 (git),
/// lambci/lambci#41 (zip), amazonlinux/amazon-linux-2023#161 (unzip).
const NOWHERE: &str = "aws bun deno docker fish git jq julia ksh lua php pwsh Rscript tclsh tcsh \
                       unzip uv wget yq zip zsh";

/// Programs of Amazon Linux 2 that its successor's minimal image lacks
/// (aws/aws-lambda-base-images#196).
const NOT_IN_2023: &str = "find xargs";

/// What bash reads as a word of its own, and no image has as a program (bash(1), "Shell builtin
/// commands").
const BUILTINS: &str = ". declare eval exec export local set shift shopt source trap unset";

/// The shell's own words (bash(1)): programs or not, no `PATH` is asked for them in a shell.
const SHELL: &str = ": [ alias bg break builtin cd command continue dirs disown echo exit false \
                     fg getopts hash history jobs kill let popd printf pushd pwd read readonly \
                     return test times true type typeset ulimit umask unalias wait";

pub struct CandidateRuntimes {
    left: Vec<RuntimeName>,
    /// Whether a condition asks for a runtime.
    are_named: bool,
}

impl CandidateRuntimes {
    /// Those that conditions leave, whatever else they ask for.
    pub fn left(conditions: &[&When]) -> Self {
        let may_hold = |runtime: &RuntimeName| {
            conditions.iter().all(|when| decide(when, runtime) != Some(false))
        };
        let left = MANAGED_RUNTIMES
            .iter()
            .chain(&OTHERS)
            .map(|identifier| RuntimeName::declared(identifier))
            .filter(may_hold)
            .collect();
        Self { left, are_named: conditions.iter().any(|when| asks_for_runtime(when)) }
    }

    /// The subject of "… no program X" when a program, a name or a path, is known to be missing: in
    /// all of them or, where conditions name some, in all versions of one.
    pub fn lacking(&self, program: &str) -> Option<String> {
        let lacks = |name: &&RuntimeName| has(name, program) == Some(false);
        if self.left.is_empty() {
            return None;
        }
        if self.left.iter().all(|name| lacks(&name)) && !self.are_named {
            return Some("Lambda's runtimes have".into());
        }
        if !self.are_named {
            return None;
        }
        Runtime::ALL.into_iter().find_map(|family| {
            let of_family = || self.left.iter().filter(move |name| name.family == family);
            let first = of_family().next()?;
            of_family().all(|name| lacks(&name)).then(|| match (family, of_family().count()) {
                (Runtime::Provided, _) => "OS-only runtimes have".into(),
                (_, 1) => format!("{} has", first.identifier),
                (family, _) => format!("the {} runtimes have", family.name()),
            })
        })
    }

    /// Whether all of them run on Amazon Linux 2, or all of one family that conditions name.
    pub fn are_amazon_linux_2(&self) -> bool {
        let is_it = |name: &RuntimeName| is_amazon_linux_2(name) == Some(true);
        self.are_named && !self.left.is_empty() && self.left.iter().all(is_it)
    }

    /// The name by which all of them have the interpreter of a language, if they have one.
    pub fn interpreter_like(&self, program: &str) -> Option<String> {
        let language = Interpreter::of_program(OsStr::new(program))?;
        let is_of_it = |name: &RuntimeName| language_of(name) == Some(language);
        if !self.left.iter().any(is_of_it) || self.are_named && !self.left.iter().all(is_of_it) {
            return None;
        }
        let name = match language {
            Interpreter::Python => "python3",
            Interpreter::Node => "node",
            Interpreter::Java => "java",
            Interpreter::Ruby => "ruby",
            Interpreter::Dotnet => "dotnet",
        };
        Some(name.into())
    }
}

/// Whether the image of a runtime has a program, a name or an absolute path, as far as that is
/// known.
fn has(runtime: &RuntimeName, program: &str) -> Option<bool> {
    let (directory, name) =
        program.rsplit_once('/').map_or((None, program), |(path, name)| (Some(path), name));
    let language = Interpreter::of_program(OsStr::new(name));
    match directory {
        None => has_name(runtime, name),
        Some("/var/lang/bin") => language.and_then(|_| has_name(runtime, name)),
        Some("/usr/bin" | "/bin") => match language {
            // Amazon Linux 2 may have a Python 2 for its package manager.
            Some(Interpreter::Python) if !name.contains('3') => {
                is_amazon_linux_2(runtime).filter(|&is_it| !is_it)
            }
            Some(_) => Some(false),
            None => has_name(runtime, name),
        },
        Some("/usr/local/bin") if language.is_some() => Some(false),
        Some("/usr/local/bin") => has_name(runtime, name).filter(|has| !has),
        Some(_) => None,
    }
}

fn has_name(runtime: &RuntimeName, name: &str) -> Option<bool> {
    let Some(language) = Interpreter::of_program(OsStr::new(name)) else {
        return match () {
            () if is_one_of(EVERYWHERE, name) => Some(true),
            () if is_one_of(NOWHERE, name) => Some(false),
            () if is_one_of(NOT_IN_2023, name) => is_amazon_linux_2(runtime),
            () => None,
        };
    };
    let is_python_2 = language == Interpreter::Python && !name.contains('3');
    match language_of(runtime) == Some(language) {
        true if is_python_2 => None,
        // `python3.12`, and no other version.
        true if language == Interpreter::Python && name.contains('.') => {
            Some(name == runtime.identifier)
        }
        true if language == Interpreter::Node => Some(name == "node"),
        true => name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'3').then_some(true),
        false if is_python_2 && is_amazon_linux_2(runtime) != Some(false) => None,
        false => Some(false),
    }
}

/// None for OS-only runtimes, which are given no name.
fn is_amazon_linux_2(runtime: &RuntimeName) -> Option<bool> {
    let is_known =
        runtime.family != Runtime::Provided || runtime.identifier.starts_with("provided.");
    is_known.then(|| AMAZON_LINUX_2.contains(&runtime.identifier.as_str()))
}

fn language_of(runtime: &RuntimeName) -> Option<Interpreter> {
    match runtime.family {
        Runtime::Python => Some(Interpreter::Python),
        Runtime::Node => Some(Interpreter::Node),
        Runtime::Java => Some(Interpreter::Java),
        Runtime::Ruby => Some(Interpreter::Ruby),
        Runtime::Dotnet => Some(Interpreter::Dotnet),
        Runtime::Provided => None,
    }
}

/// Decides a condition where nothing but the runtime is known.
fn decide(when: &When, runtime: &RuntimeName) -> Option<bool> {
    let When { runtime: wanted, initialization, architecture, file, env, not, any } = when;
    let is_wanted = wanted.as_ref().map(|wanted| {
        let alone = When { runtime: Some(wanted.clone()), ..When::default() };
        let facts =
            Facts { environ: &Environ::default(), runtime, architecture: "", exists: &|_| false };
        wanted.iter().all(Template::is_plain).then(|| alone.holds(&facts))
    });
    let asks_for_more =
        initialization.is_some() || architecture.is_some() || !file.is_empty() || !env.is_empty();
    let not = not.as_ref().map(|when| decide(when, runtime).map(|holds| !holds));
    // One holds unless none of them does.
    let any = any.as_ref().map(|list| {
        all(list.iter().map(|when| decide(when, runtime).map(|holds| !holds))).map(|none| !none)
    });
    all(is_wanted.into_iter().chain(asks_for_more.then_some(None)).chain(not).chain(any))
}

fn asks_for_runtime(when: &When) -> bool {
    // What must not be leaves too many to count as named.
    let When { runtime, initialization: _, architecture: _, file: _, env: _, not: _, any } = when;
    runtime.is_some() || any.iter().flatten().any(asks_for_runtime)
}

/// Whether a word is a builtin that no program stands for.
pub fn is_builtin_alone(word: &str) -> bool {
    is_one_of(BUILTINS, word)
}

/// Whether a shell runs a word itself.
pub fn is_builtin(word: &str) -> bool {
    is_builtin_alone(word) || is_one_of(SHELL, word)
}

/// Whether every image has a program of this name.
pub fn is_everywhere(name: &str) -> bool {
    is_one_of(EVERYWHERE, name)
}

fn is_one_of(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|other| other == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(identifier: &'static str) -> RuntimeName {
        RuntimeName {
            family: Runtime::from_identifier(identifier.as_bytes()),
            identifier: identifier.into(),
        }
    }

    #[test]
    fn images_have_their_own_language_and_no_other() {
        for (identifier, program, expected) in [
            ("python3.12", "python3.12", Some(true)),
            ("python3.12", "python3", Some(true)),
            ("python3.12", "python3.9", Some(false)),
            ("python3.12", "/usr/bin/python3", Some(false)),
            ("python3.12", "/var/lang/bin/python3", Some(true)),
            ("python3.12", "/var/lang/bin/pip", None),
            ("python3.12", "python", None),
            ("python3.12", "node", Some(false)),
            ("nodejs22.x", "node", Some(true)),
            ("nodejs22.x", "nodejs", Some(false)),
            ("nodejs22.x", "python3", Some(false)),
            ("nodejs22.x", "python", Some(false)),
            ("nodejs18.x", "python", None),
            ("nodejs18.x", "/usr/bin/python", None),
            ("java21", "/var/lang/bin/java", Some(true)),
            ("java21", "javac", None),
            ("provided", "node", Some(false)),
        ] {
            assert_eq!(has(&runtime(identifier), program), expected, "{program} in {identifier}");
        }
    }

    #[test]
    fn images_have_what_their_amazon_linux_has() {
        for (identifier, program, expected) in [
            ("python3.11", "find", Some(true)),
            ("python3.12", "find", Some(false)),
            ("provided", "find", None),
            ("python3.12", "/usr/bin/xargs", Some(false)),
            ("python3.11", "jq", Some(false)),
            ("python3.11", "aws", Some(false)),
            ("python3.12", "curl", Some(true)),
            ("python3.12", "/bin/sh", Some(true)),
            ("python3.12", "perl", None),
            ("python3.12", "/usr/local/bin/zsh", Some(false)),
            ("python3.12", "/usr/local/bin/python3", Some(false)),
            ("python3.12", "/usr/local/bin/cat", None),
            ("python3.12", "/usr/local/bin/fetch", None),
            ("python3.12", "/some/where", None),
        ] {
            assert_eq!(has(&runtime(identifier), program), expected, "{program} in {identifier}");
        }
    }
}
