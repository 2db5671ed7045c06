//! The start of a function, as far as it is known on this machine: the command line and the environment that foreword would
//! be handed, by Lambda or by a shell, and where the function's files lie here.

mod given;
pub mod lambda;

pub use lambda::known;

use crate::config::{self, Source, Sources};
use crate::environ::Environ;
use crate::files;
use crate::glob::Glob;
use crate::plan::RESTORED;
use crate::report::Failure;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the code lies in a function.
const TASK_ROOT: &str = "/var/task";

/// What a person says about the start.
pub struct Asked {
    /// Files in the place of the sources that a function would find.
    pub configs: Vec<PathBuf>,
    pub env_files: Vec<PathBuf>,
    /// `NAME=VALUE`, or a name alone for what this shell has.
    pub env: Vec<OsString>,
    /// Lambda's identifier of a runtime.
    pub runtime: Option<String>,
    /// Program and arguments.
    pub command: Vec<OsString>,
}

pub struct Function<'e> {
    /// Program and arguments as foreword receives them; never empty.
    pub received: Vec<OsString>,
    pub environ: Environ<'e>,
    /// Whether Lambda starts it: then what this machine says of an earlier start means nothing.
    is_lambdas: bool,
    /// Whether the working directory stands for the folder of the code.
    is_here: bool,
}

impl<'e> Function<'e> {
    /// # Errors
    /// With what is wrong in what was asked.
    pub fn new(asked: &Asked, own: &Environ<'e>) -> Result<Self, String> {
        let mut given = Vec::new();
        for file in &asked.env_files {
            given.extend(given::of_file(file, own)?);
        }
        for entry in &asked.env {
            given.extend(given::of_entry(entry, own).map_err(|cause| format!("--env {entry:?}: {cause}"))?);
        }
        let mut environ = match &asked.runtime {
            Some(name) => lambda::environ(name, own)?,
            None => own.clone(),
        };
        let has_root = given.iter().any(|(name, value)| name == "LAMBDA_TASK_ROOT" && !value.is_empty());
        let is_here = !has_root && (asked.runtime.is_some() || environ.non_empty("LAMBDA_TASK_ROOT").is_none());
        for (name, value) in &given {
            environ.set(name, value);
        }
        let received = match (&asked.runtime, &asked.command[..]) {
            (Some(name), []) => lambda::command_line(name, &environ),
            (None, []) => return Err("there is no program; name it behind --, or a runtime with --runtime".into()),
            (_, command) => command.to_vec(),
        };
        Ok(Self { received, environ, is_lambdas: asked.runtime.is_some(), is_here })
    }

    /// The sources that it would find, or the files in their place.
    pub fn sources(&self, configs: &[PathBuf]) -> Result<Vec<Source>, Failure> {
        let mut sources = Sources::default();
        if configs.is_empty() {
            let mut environ = self.environ.clone();
            environ.set("LAMBDA_TASK_ROOT", self.task_root().as_os_str());
            if let Some(named) = self.environ.value(config::INLINE) {
                environ.set(config::INLINE, self.here(Path::new(named)).as_os_str());
            }
            sources.add_folder(config::dropin_dir(&environ));
            sources.add_function(&environ);
        }
        configs.iter().for_each(|file| sources.add_file(file));
        sources.readable()
    }

    /// Where a path of the function's leads on this machine.
    pub fn here(&self, path: &Path) -> PathBuf {
        let inside = path.strip_prefix(TASK_ROOT).ok().filter(|_| self.is_here);
        inside.map_or_else(|| path.to_owned(), |inside| Path::new(".").join(inside))
    }

    /// Whether a file is there that a glob names.
    pub fn has(&self, glob: &Glob) -> bool {
        let inside = glob.inside(TASK_ROOT).filter(|_| self.is_here);
        files::exist(inside.as_ref().unwrap_or(glob), self.task_root())
    }

    /// Where the code lies on this machine.
    pub fn task_root(&self) -> &Path {
        if self.is_here { Path::new(".") } else { config::task_root(&self.environ) }
    }

    /// Whether something is there when the function starts.
    pub fn is_there(&self, path: &str) -> bool {
        (path != RESTORED || !self.is_lambdas) && Path::new(path).exists()
    }
}
