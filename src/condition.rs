//! Conditions (`when`): decided once, against the environment and the command line that Lambda
//! handed over. The file system is asked only for `file`, through `Facts`.

#[cfg(feature = "tool")]
mod explain;

use crate::command_line::{Interpreter, base_name, launched};
use crate::environ::Environ;
use crate::glob::{Case, Glob};
use crate::lambda::{self, ARCHITECTURE, EXECUTION_ENV, INITIALIZATION, Runtime};
use crate::template::Template;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// All that is given must hold; nothing given holds always.
#[derive(Debug, Default)]
pub struct When<'a> {
    pub runtime: Option<Vec<Template<'a>>>,
    pub initialization: Option<Vec<Template<'a>>>,
    pub architecture: Option<Vec<&'static str>>,
    /// Every one must exist.
    pub file: Vec<Template<'a>>,
    pub env: Vec<(&'a str, EnvTest<'a>)>,
    pub not: Option<Box<When<'a>>>,
    pub any: Option<Vec<When<'a>>>,
}

#[derive(Debug)]
pub enum EnvTest<'a> {
    NonEmpty,
    UnsetOrEmpty,
    /// One of the globs matches; none matches an unset variable.
    Matches(Vec<Template<'a>>, Case),
}

/// What conditions are decided against.
pub struct Facts<'e> {
    pub environ: &'e Environ<'e>,
    pub runtime: &'e RuntimeName,
    /// The machine in Lambda's words.
    pub architecture: &'e str,
    /// Whether a file exists that a glob names.
    pub exists: &'e dyn Fn(&Glob) -> bool,
}

/// The family of a program by its name.
fn family_of_program(program: &OsStr) -> Runtime {
    match Interpreter::of_program(program) {
        Some(Interpreter::Python) => Runtime::Python,
        Some(Interpreter::Node) => Runtime::Node,
        Some(Interpreter::Java) => Runtime::Java,
        Some(Interpreter::Ruby) => Runtime::Ruby,
        Some(Interpreter::Dotnet) => Runtime::Dotnet,
        None => Runtime::Provided,
    }
}

/// Lambda's identifier of the runtime, and the family that it belongs to.
#[derive(Debug, Clone)]
pub struct RuntimeName {
    pub family: Runtime,
    pub identifier: String,
}

impl RuntimeName {
    /// Reads `AWS_EXECUTION_ENV` (`AWS_Lambda_python3.12`), or else the program's name; that of a
    /// launcher of an interpreter is the interpreter's.
    pub fn from_command(environ: &Environ, command: &[OsString]) -> Self {
        Self::from_program(environ, launched(command))
    }

    /// The same of a program alone.
    pub fn from_program(environ: &Environ, program: &OsStr) -> Self {
        let declared =
            environ.value(EXECUTION_ENV).and_then(|value| lambda::identifier(value.as_bytes()));
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match declared {
            Some(identifier) => {
                Self { family: Runtime::from_identifier(identifier), identifier: text(identifier) }
            }
            None => {
                Self { family: family_of_program(program), identifier: text(base_name(program)) }
            }
        }
    }
}

#[cfg(feature = "tool")]
impl RuntimeName {
    /// Returns the name of the runtime in a function to which Lambda declares `identifier`.
    pub fn declared(identifier: &str) -> Self {
        let mut environ = Environ::default();
        environ.set(EXECUTION_ENV, lambda::execution_env(identifier).as_ref());
        Self::from_program(&environ, OsStr::new("bootstrap"))
    }
}

impl When<'_> {
    /// Whether it asks for nothing.
    #[cfg(feature = "tool")]
    pub fn is_empty(&self) -> bool {
        let Self { runtime, initialization, architecture, file, env, not, any } = self;
        let is_given = runtime.is_some()
            || initialization.is_some()
            || architecture.is_some()
            || any.is_some();
        !is_given && not.is_none() && file.is_empty() && env.is_empty()
    }

    /// Whether it does not ask for another runtime, as far as that can be told without a start.
    #[cfg(feature = "tool")]
    pub fn may_hold_for(&self, runtime: &RuntimeName) -> bool {
        let may_be = |glob: &Template| !glob.is_plain() || runtime.is(glob, &Environ::default());
        self.runtime.as_ref().is_none_or(|globs| globs.iter().any(may_be))
    }

    pub fn holds(&self, facts: &Facts) -> bool {
        let environ = facts.environ;
        let equals = |text: &Template, value: &OsStr| text.expand(environ) == value;
        let Self { runtime, initialization, architecture, file, env, not, any } = self;
        runtime
            .as_ref()
            .is_none_or(|globs| globs.iter().any(|glob| facts.runtime.is(glob, environ)))
            && initialization.as_ref().is_none_or(|texts| {
                let value = environ.value(INITIALIZATION);
                value.is_some_and(|value| texts.iter().any(|text| equals(text, value)))
            })
            && architecture.as_ref().is_none_or(|names| names.contains(&facts.architecture))
            && env.iter().all(|(name, test)| test.holds(name, environ))
            && not.as_ref().is_none_or(|when| !when.holds(facts))
            && any.as_ref().is_none_or(|list| list.iter().any(|when| when.holds(facts)))
            && file.iter().all(|text| (facts.exists)(&Glob::new(text, environ)))
    }
}

impl When<'_> {
    /// Decides for a process that Lambda tells less than the wrapper, which is an extension:
    /// nothing where that may make a difference (AWS's documentation, "Lambda Extensions API",
    /// has the variables that only runtimes are given).
    pub fn decide(&self, environ: &Environ, exists: &dyn Fn(&Glob) -> bool) -> Option<bool> {
        let Self { runtime, initialization, architecture, file, env, not, any } = self;
        let found = environ.value(INITIALIZATION);
        let is_initialization = |texts: &Vec<Template>| {
            let found = found.filter(|_| texts.iter().all(Template::is_plain))?;
            Some(texts.iter().any(|text| text.expand(environ) == found))
        };
        let every = [
            runtime.as_ref().map(|_| None),
            initialization.as_ref().map(is_initialization),
            architecture.as_ref().map(|names| Some(names.contains(&ARCHITECTURE))),
            not.as_ref().map(|when| when.decide(environ, exists).map(|holds| !holds)),
            // One holds unless none of them does.
            any.as_ref().map(|list| {
                all(list.iter().map(|when| when.decide(environ, exists).map(|holds| !holds)))
                    .map(|none| !none)
            }),
        ];
        let env = env.iter().map(|(name, test)| {
            let is_known = environ.non_empty(name).is_some() && test.is_plain();
            is_known.then(|| test.holds(name, environ))
        });
        let file =
            file.iter().map(|text| text.is_plain().then(|| exists(&Glob::new(text, environ))));
        all(every.into_iter().flatten().chain(env).chain(file))
    }
}

/// Whether all of them hold, as far as that is known.
pub fn all(conditions: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for condition in conditions {
        match condition {
            Some(true) => {}
            Some(false) => return condition,
            None => all = None,
        }
    }
    all
}

impl RuntimeName {
    fn is(&self, wanted: &Template, environ: &Environ) -> bool {
        let family = wanted.expand(environ).to_str().and_then(Runtime::from_name);
        family.map_or_else(
            || Glob::new(wanted, environ).matches(self.identifier.as_bytes(), Case::Sensitive),
            |family| family == self.family,
        )
    }
}

impl EnvTest<'_> {
    fn is_plain(&self) -> bool {
        match self {
            EnvTest::NonEmpty | EnvTest::UnsetOrEmpty => true,
            EnvTest::Matches(globs, _) => globs.iter().all(Template::is_plain),
        }
    }

    fn holds(&self, name: &str, environ: &Environ) -> bool {
        match self {
            EnvTest::NonEmpty => environ.non_empty(name).is_some(),
            EnvTest::UnsetOrEmpty => environ.non_empty(name).is_none(),
            EnvTest::Matches(globs, case) => environ.value(name).is_some_and(|value| {
                globs.iter().any(|glob| Glob::new(glob, environ).matches(value.as_bytes(), *case))
            }),
        }
    }
}
