//! Conditions (`when`). The wrapper evaluates each once, at the start, against the environment and
//! the command line that Lambda handed over. Only `file` asks the file system, through
//! [`Facts::exists`].

#[cfg(feature = "tool")]
mod explain;
mod runtime_name;

pub use runtime_name::RuntimeName;

use crate::environ::Environ;
use crate::glob::{Case, Glob};
use crate::lambda::{ARCHITECTURE, INITIALIZATION};
use crate::template::Template;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A condition. It holds when all of its keys hold, and always when it has none.
#[derive(Debug, Default)]
pub struct When<'a> {
    /// Families of runtimes, or globs of their identifiers; one has to match.
    pub runtime: Option<Vec<Template<'a>>>,
    /// Values of `AWS_LAMBDA_INITIALIZATION_TYPE`; one has to be equal.
    pub initialization: Option<Vec<Template<'a>>>,
    /// Architectures as Lambda calls them; one has to be that of the machine.
    pub architecture: Option<Vec<&'static str>>,
    /// Globs of files; each has to match a file that exists.
    pub file: Vec<Template<'a>>,
    /// Names of variables, each with a test that has to pass.
    pub env: Vec<(&'a str, EnvTest<'a>)>,
    /// A condition that must not hold.
    pub not: Option<Box<When<'a>>>,
    /// Conditions of which one has to hold.
    pub any: Option<Vec<When<'a>>>,
}

/// A test of one environment variable.
#[derive(Debug)]
pub enum EnvTest<'a> {
    NonEmpty,
    UnsetOrEmpty,
    /// One of the globs has to match. An unset variable matches none.
    Matches(Vec<Template<'a>>, Case),
}

/// The facts that conditions are evaluated against.
pub struct Facts<'e> {
    pub environ: &'e Environ<'e>,
    pub runtime: &'e RuntimeName,
    /// The architecture of the machine, as Lambda calls it.
    pub architecture: &'e str,
    /// Tells whether a glob matches a file that exists.
    pub exists: &'e dyn Fn(&Glob) -> bool,
}

// Every function that has to know all keys takes the condition apart without `..`, so that one that
// forgets a new key does not compile.
impl When<'_> {
    /// Tells whether the condition has no key.
    #[cfg(feature = "tool")]
    pub fn is_empty(&self) -> bool {
        let Self { runtime, initialization, architecture, file, env, not, any } = self;
        runtime.is_none()
            && initialization.is_none()
            && architecture.is_none()
            && file.is_empty()
            && env.is_empty()
            && not.is_none()
            && any.is_none()
    }

    /// Tells whether the condition may hold on a runtime, as far as its `runtime` key tells.
    #[cfg(feature = "tool")]
    pub fn may_hold_on(&self, name: &RuntimeName) -> bool {
        let may_match =
            |glob: &Template| !glob.is_plain() || name.matches(glob, &Environ::default());
        self.runtime.as_ref().is_none_or(|globs| globs.iter().any(may_match))
    }

    /// Tells whether the condition holds.
    pub fn holds(&self, facts: &Facts) -> bool {
        let Self { runtime, initialization, architecture, file, env, not, any } = self;
        let environ = facts.environ;
        runtime.as_ref().is_none_or(|globs| facts.runtime.matches_any(globs, environ))
            && initialization.as_ref().is_none_or(|values| is_initialized_as(values, environ))
            && architecture.as_ref().is_none_or(|names| names.contains(&facts.architecture))
            && env.iter().all(|(name, test)| test.passes(name, environ))
            && not.as_ref().is_none_or(|when| !when.holds(facts))
            && any.as_ref().is_none_or(|list| list.iter().any(|when| when.holds(facts)))
            && file.iter().all(|glob| (facts.exists)(&Glob::new(glob, environ)))
    }

    /// Evaluates the condition in an extension, which Lambda gives fewer variables than the wrapper
    /// ("Using the Lambda Extensions API",
    /// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>). Returns `None`
    /// where a missing variable may make a difference.
    pub fn decide(&self, environ: &Environ, exists: &dyn Fn(&Glob) -> bool) -> Option<bool> {
        let Self { runtime, initialization, architecture, file, env, not, any } = self;
        let is_known = |values: &[Template]| {
            environ.value(INITIALIZATION).is_some() && values.iter().all(Template::is_plain)
        };
        let does_not_hold = |when: &When| when.decide(environ, exists).map(|holds| !holds);
        let single = [
            runtime.as_ref().map(|_| None),
            initialization
                .as_ref()
                .map(|values| is_known(values).then(|| is_initialized_as(values, environ))),
            architecture.as_ref().map(|names| Some(names.contains(&ARCHITECTURE))),
            not.as_ref().map(|when| does_not_hold(when)),
            // One holds unless none of them does.
            any.as_ref().map(|list| all_hold(list.iter().map(does_not_hold)).map(|none| !none)),
        ];
        let env = env.iter().map(|(name, test)| {
            let is_known = environ.non_empty(name).is_some() && test.is_plain();
            is_known.then(|| test.passes(name, environ))
        });
        let file =
            file.iter().map(|glob| glob.is_plain().then(|| exists(&Glob::new(glob, environ))));
        all_hold(single.into_iter().flatten().chain(env).chain(file))
    }
}

/// Tells whether all conditions hold; `None` when that depends on one that is not known.
pub fn all_hold(conditions: impl Iterator<Item = Option<bool>>) -> Option<bool> {
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

/// Tells whether Lambda initialized the environment in one of these ways.
fn is_initialized_as(values: &[Template], environ: &Environ) -> bool {
    let is_equal = |actual: &OsStr| values.iter().any(|value| value.expand(environ) == actual);
    environ.value(INITIALIZATION).is_some_and(is_equal)
}

impl EnvTest<'_> {
    /// Tells whether the test is the same in every environment.
    fn is_plain(&self) -> bool {
        match self {
            EnvTest::NonEmpty | EnvTest::UnsetOrEmpty => true,
            EnvTest::Matches(globs, _) => globs.iter().all(Template::is_plain),
        }
    }

    /// Tests a variable of an environment.
    fn passes(&self, name: &str, environ: &Environ) -> bool {
        match self {
            EnvTest::NonEmpty => environ.non_empty(name).is_some(),
            EnvTest::UnsetOrEmpty => environ.non_empty(name).is_none(),
            EnvTest::Matches(globs, case) => environ.value(name).is_some_and(|value| {
                globs.iter().any(|glob| Glob::new(glob, environ).matches(value.as_bytes(), *case))
            }),
        }
    }
}
