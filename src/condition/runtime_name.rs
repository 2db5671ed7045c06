//! The runtime's name, as conditions see it. Lambda declares it to most functions; in the others
//! the program's name stands for it.

use crate::command_line::{Interpreter, base_name, launched_program};
use crate::environ::Environ;
use crate::glob::{Case, Glob};
use crate::lambda::{self, EXECUTION_ENV, Runtime};
use crate::template::Template;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Lambda's identifier of a runtime, and the family that it belongs to.
#[derive(Debug, Clone)]
pub struct RuntimeName {
    pub family: Runtime,
    pub identifier: String,
}

impl RuntimeName {
    /// Reads the name that Lambda declares in `AWS_EXECUTION_ENV`, such as
    /// `AWS_Lambda_python3.12`. Where it declares none, takes the name of the command's program, or
    /// of the interpreter that this program launches.
    pub fn from_command(environ: &Environ, command: &[OsString]) -> Self {
        Self::from_program(environ, launched_program(command))
    }

    /// Does the same for a program that launches no interpreter.
    pub fn from_program(environ: &Environ, program: &OsStr) -> Self {
        let declared =
            environ.value(EXECUTION_ENV).and_then(|value| lambda::identifier(value.as_bytes()));
        let (family, identifier) = match declared {
            Some(identifier) => (Runtime::from_identifier(identifier), identifier),
            None => (family_of_program(program), base_name(program)),
        };
        Self { family, identifier: String::from_utf8_lossy(identifier).into_owned() }
    }

    /// Returns the name of the runtime in a function to which Lambda declares `identifier`.
    #[cfg(feature = "tool")]
    pub fn declared(identifier: &str) -> Self {
        let mut environ = Environ::default();
        environ.set(EXECUTION_ENV, lambda::execution_env(identifier).as_ref());
        Self::from_program(&environ, OsStr::new("bootstrap"))
    }

    /// Tells whether one of the families or globs matches.
    pub(super) fn matches_any(&self, wanted: &[Template], environ: &Environ) -> bool {
        wanted.iter().any(|wanted| self.matches(wanted, environ))
    }

    /// Tells whether `wanted` is the family, or a glob that matches the identifier.
    pub(super) fn matches(&self, wanted: &Template, environ: &Environ) -> bool {
        match wanted.expand(environ).to_str().and_then(Runtime::from_name) {
            Some(family) => family == self.family,
            None => Glob::new(wanted, environ).matches(self.identifier.as_bytes(), Case::Sensitive),
        }
    }
}

/// Returns the family of runtimes that a program is the interpreter of.
fn family_of_program(program: &OsStr) -> Runtime {
    match Interpreter::from_program(program) {
        Some(Interpreter::Python) => Runtime::Python,
        Some(Interpreter::Node) => Runtime::Node,
        Some(Interpreter::Java) => Runtime::Java,
        Some(Interpreter::Ruby) => Runtime::Ruby,
        Some(Interpreter::Dotnet) => Runtime::Dotnet,
        None => Runtime::Provided,
    }
}
