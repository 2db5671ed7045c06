//! The start of a function, as far as it is known on this machine: the command line and the
//! environment that foreword would receive, from Lambda or a shell, and where the function's files
//! are here.

mod env_options;
pub mod image;

use super::options::FunctionOptions;
use crate::config::{self, Source, Sources};
use crate::environ::Environ;
use crate::files;
use crate::glob::Glob;
use crate::lambda::{self, INITIALIZATION, TASK_ROOT, TASK_ROOT_VARIABLE};
use crate::marker::RESTORED;
use crate::process;
use crate::report::Failure;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

impl FunctionOptions {
    /// Returns the variables of files and options, in their order.
    ///
    /// # Errors
    /// With the file, and the line in it that is wrong.
    pub fn variables(&self, own: &Environ) -> Result<Vec<(String, OsString)>, String> {
        let mut given = Vec::new();
        for file in &self.env_files {
            given.extend(env_options::read_env_file(file, own)?);
        }
        given.extend(self.env.iter().filter_map(|variable| variable.resolve(own)));
        Ok(given)
    }

    /// Returns the directory of the code, if an option, a variable or this shell names one.
    ///
    /// # Errors
    /// When what was named here is no directory.
    pub fn directory<'v>(
        &'v self,
        given: &'v [(String, OsString)],
        own: &'v Environ,
    ) -> Result<Option<&'v Path>, String> {
        if let Some(directory) = &self.directory {
            if !directory.is_dir() {
                let name = directory.display();
                return Err(format!(
                    "unable to find the code in {name}: it is no directory; name a program \
                     behind --"
                ));
            }
            return Ok(Some(directory));
        }
        let of_variables = given.iter().rev().find(|(name, _)| name == TASK_ROOT_VARIABLE);
        let named = match of_variables {
            Some((_, value)) => Some(value.as_os_str()).filter(|value| !value.is_empty()),
            None => own.non_empty(TASK_ROOT_VARIABLE),
        };
        Ok(named.map(Path::new))
    }
}

pub struct Function<'e> {
    /// Program and arguments that foreword receives; never empty.
    pub received: Vec<OsString>,
    pub environ: Environ<'e>,
    /// True if Lambda starts it: then markers of this machine do not count.
    is_lambdas: bool,
    /// The directory on this machine that stands for /var/task.
    here: Option<PathBuf>,
    /// True if Lambda looks for a bootstrap in the code before it starts foreword as one.
    is_os_only: bool,
    /// A note about a part of the command line that was left out.
    pub note: Option<String>,
    /// A note about the part of Lambda's command line that is not publicly known.
    pub inferred: Option<String>,
}

impl<'e> Function<'e> {
    /// # Errors
    /// With what is wrong in what was options.
    pub fn new(options: &FunctionOptions, own: &Environ<'e>) -> Result<Self, String> {
        let given = options.variables(own)?;
        let given_to = |name: &str| {
            given.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
        };
        let mut environ = match &options.runtime {
            Some(name) => lambda::initial_environ(name, given_to(INITIALIZATION))?,
            None => own.clone(),
        };
        if options.runtime.is_some() {
            let is_ours = |(name, _): &(&str, &OsStr)| name.starts_with("FOREWORD_");
            own.variables().filter(is_ours).for_each(|(name, value)| environ.set(name, value));
        }
        for (name, value) in &given {
            environ.set(name, value);
        }
        let named = options.directory(&given, own)?;
        let is_given =
            given.iter().any(|(name, value)| name == TASK_ROOT_VARIABLE && !value.is_empty());
        // A path in a variable is the function's; any other directory stands for /var/task.
        let here = match named {
            Some(_) if is_given && options.directory.is_none() => None,
            Some(named) if options.directory.is_some() || options.runtime.is_some() => {
                Some(named.to_owned())
            }
            Some(_) => None,
            None => Some(PathBuf::from(".")),
        };
        if options.directory.is_some() && !is_given && options.runtime.is_none() {
            environ.set(TASK_ROOT_VARIABLE, OsStr::new(TASK_ROOT));
        }
        let is_os_only =
            options.runtime.as_deref().is_some_and(|name| name.starts_with("provided"));
        let (command, note) = image::without_foreword(&options.command);
        let is_lambdas = options.runtime.is_some();
        let mut function = Self {
            received: Vec::new(),
            environ,
            is_lambdas,
            here,
            is_os_only,
            note,
            inferred: None,
        };
        function.received = match (&options.runtime, &command[..]) {
            (Some(name), []) => {
                function.inferred = lambda::inferred_parts(name)
                    .map(|what| format!("what {name} is really started with: {what}"));
                let is_there = |path: &str| function.here(Path::new(path)).is_file();
                lambda::bootstrap_command_line(name, &function.environ, &is_there)
            }
            (None, []) => {
                let message = "unable to start a function: there is no program; name it behind --, \
                               or a runtime with --runtime";
                return Err(message.into());
            }
            (_, command) => command.to_vec(),
        };
        if let Some(name) = &options.runtime {
            lambda::add_bootstrap_exports(name, &mut function.environ);
        }
        Ok(function)
    }

    /// Returns the sources that it would find, or the files that replace them.
    pub fn sources(&self, configs: &[PathBuf]) -> Result<Vec<Source>, Failure> {
        let mut sources = Sources::default();
        if configs.is_empty() {
            let mut environ = self.environ.clone();
            environ.set(TASK_ROOT_VARIABLE, self.task_root().as_os_str());
            sources.add_directory(config::dropin_dir(&environ));
            sources.add_function(&environ);
        }
        configs.iter().for_each(|file| sources.add_file(file));
        Ok(sources.into_readable()?)
    }

    /// Returns where a path of the function is on this machine.
    pub fn here(&self, path: &Path) -> PathBuf {
        let inside =
            self.here.as_ref().and_then(|here| Some(here.join(path.strip_prefix(TASK_ROOT).ok()?)));
        inside.unwrap_or_else(|| path.to_owned())
    }

    /// Returns whether a file matches a glob.
    pub fn has(&self, glob: &Glob) -> bool {
        // What an environment keeps of a restore is nothing of this machine's.
        if self.is_lambdas && *glob == Glob::from_literal(RESTORED) {
            return false;
        }
        let inside = glob.strip_directory(TASK_ROOT).filter(|_| self.here.is_some());
        files::has_match(inside.as_ref().unwrap_or(glob), self.task_root())
    }

    /// Returns where the code is on this machine.
    pub fn task_root(&self) -> &Path {
        self.here.as_deref().unwrap_or_else(|| config::task_root(&self.environ))
    }

    /// Returns the bootstrap of the code that Lambda starts instead of foreword.
    pub fn bootstrap_of_code(&self) -> Option<PathBuf> {
        let file = self.task_root().join("bootstrap");
        (self.is_os_only && file.is_file() && !process::is_this_program(&file)).then_some(file)
    }

    /// Returns whether the program is a bare word that no directory of PATH has; the PATH of Lambda
    /// is not known here.
    pub fn is_missing(&self, program: &OsStr, environ: &Environ) -> bool {
        let is_bare = !program.is_empty() && !program.as_encoded_bytes().contains(&b'/');
        is_bare && !self.is_lambdas && !process::is_in_path(program, environ)
    }
}
