//! The plan that the wrapper will make, for what has to be known before the wrapper starts.

use crate::condition::{Facts, RuntimeName};
use crate::config;
use crate::environ::Environ;
use crate::files;
use crate::lambda::ARCHITECTURE;
use crate::plan::Plan;
use std::ffi::OsString;

/// Returns what is read from the plan; `None` if the wrapper makes none, or if the configuration
/// has errors, which the wrapper reports.
pub fn read<T>(
    command: &[OsString],
    environ: &Environ,
    read: impl FnOnce(&Plan) -> T,
) -> Option<T> {
    if config::is_disabled(environ) || command.is_empty() {
        return None;
    }
    let sources = config::read_sources(environ).ok()?;
    let documents = config::parse_sources(&sources);
    let rules = config::decode_rules(&documents).ok()?;
    let runtime = RuntimeName::from_command(environ, command);
    let exists = |glob: &_| files::has_match(glob, config::task_root(environ));
    let facts = Facts { environ, runtime: &runtime, architecture: ARCHITECTURE, exists: &exists };
    Some(read(&Plan::new(command, &rules, &facts)))
}
