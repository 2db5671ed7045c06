//! The commands of the tool with their options, as `arguments` parses them. Knows nothing of clap.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A parsed command line.
pub enum ToolCommand {
    Check(CheckOptions),
    Plan(PlanOptions),
    Schema,
    Simulate(SimulateOptions),
}

/// The options of `check`.
pub struct CheckOptions {
    /// Configurations, or directories of code; none for what a function here would load.
    pub files: Vec<PathBuf>,
    pub layers: Vec<PathBuf>,
    /// The function's timeout.
    pub timeout: Option<Duration>,
    /// True to print the IAM policy that the secrets need, and nothing else.
    pub prints_policy: bool,
}

/// The options of `plan`.
pub struct PlanOptions {
    pub function: FunctionOptions,
    /// Configurations that replace those which the function would load.
    pub configs: Vec<PathBuf>,
    pub format: OutputFormat,
}

/// The options of `simulate`.
pub struct SimulateOptions {
    pub function: FunctionOptions,
    pub snap_start: bool,
    /// The number of environments.
    pub restores: u64,
    pub events: Vec<EventSource>,
    pub timeout: Duration,
    /// In MB.
    pub memory: u64,
    pub layers: Vec<PathBuf>,
    pub format: OutputFormat,
}

/// The options that `plan` and `simulate` share: the function, and how it is started.
pub struct FunctionOptions {
    pub env_files: Vec<PathBuf>,
    pub env: Vec<EnvVariable>,
    /// Lambda's identifier of a runtime.
    pub runtime: Option<String>,
    /// The directory of the code.
    pub directory: Option<PathBuf>,
    /// Program and arguments.
    pub command: Vec<OsString>,
}

/// A variable in the notation of `docker run --env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVariable {
    pub name: String,
    /// `None` takes the value that this shell has.
    pub value: Option<OsString>,
}

/// An event of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSource {
    Json(String),
    File(PathBuf),
}

/// The format of what `plan` and `simulate` print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
