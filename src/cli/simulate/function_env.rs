//! The environment of the function: Lambda's variables
//! (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>) over the user's own,
//! without which neither the interpreter nor the variables of the configuration would be found.

use crate::chain;
use crate::cli::options::SimulateOptions;
use crate::config;
use crate::environ::Environ;
use crate::lambda::{
    CREDENTIALS, DEFAULT_REGION, EXEC_WRAPPER, EXECUTION_ENV, FOREWORD, FUNCTION_NAME,
    FUNCTION_VERSION, INITIALIZATION, LOG_GROUP, LOG_STREAM, MAX_CONCURRENCY, MEMORY_SIZE,
    ON_DEMAND, REGION, RUNTIME_DIR, RUNTIME_DIR_VARIABLE, SNAP_START, TASK_ROOT_VARIABLE,
    execution_env, variables,
};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The search paths of programs and libraries, and the directories that layers add to them.
const LAYER_PATHS: [(&str, &str); 2] = [("PATH", "/opt/bin"), ("LD_LIBRARY_PATH", "/opt/lib")];

/// Returns a note about a variable that is not passed on.
pub fn about_dropped_variable(user: &Environ, variables: &[(String, OsString)]) -> Option<String> {
    let named = variables.iter().rev().find(|(name, _)| name == MAX_CONCURRENCY);
    let value = named.map_or(user.non_empty(MAX_CONCURRENCY), |(_, value)| {
        Some(value).filter(|value| !value.is_empty()).map(|value| &**value)
    });
    value.map(|_| {
        format!(
            "{MAX_CONCURRENCY} is dropped: what is rehearsed takes one invocation at a time, and \
             not several as on a managed instance"
        )
    })
}

/// Returns the environment of the wrapper, without the Runtime API's address.
pub fn function_environ<'e>(
    options: &SimulateOptions,
    user: &Environ<'e>,
    variables: &[(String, OsString)],
    directory: &Path,
) -> Environ<'e> {
    let mut environ = user.clone();
    for (name, value) in variables {
        environ.set(name, value);
    }
    environ.unset(chain::STAGE);
    environ.unset(MAX_CONCURRENCY);
    let function = directory.file_name().unwrap_or(OsStr::new("function")).to_owned();
    let mut set = |name: &str, value: &OsStr| environ.set(name, value);
    set(FUNCTION_NAME, &function);
    let version = if options.snap_start { "1" } else { "$LATEST" };
    set(FUNCTION_VERSION, version.as_ref());
    set(MEMORY_SIZE, options.memory.to_string().as_ref());
    let initialization = if options.snap_start { SNAP_START } else { ON_DEMAND };
    set(INITIALIZATION, initialization.as_ref());
    let group = [OsStr::new("/aws/lambda/"), &function].join(OsStr::new(""));
    set(LOG_GROUP, &group);
    set(LOG_STREAM, "simulation".as_ref());
    set(TASK_ROOT_VARIABLE, directory.as_os_str());
    set(RUNTIME_DIR_VARIABLE, RUNTIME_DIR.as_ref());
    set("TZ", ":UTC".as_ref());
    if options.snap_start {
        // The keys come from an endpoint.
        let is_key = |name: &&str| CREDENTIALS[..3].contains(name);
        let absent = variables::absent_at_snap_start().filter(|name| !is_key(name));
        absent.for_each(|name| environ.unset(name));
    }
    if environ.non_empty(EXEC_WRAPPER).is_none() {
        environ.set(EXEC_WRAPPER, FOREWORD.as_ref());
    }
    if let Some(runtime) = &options.function.runtime {
        match runtime.starts_with("provided") {
            true => environ.unset(EXECUTION_ENV),
            false => environ.set(EXECUTION_ENV, execution_env(runtime).as_ref()),
        }
    }
    for (name, directory) in LAYER_PATHS.into_iter().filter(|_| !options.layers.is_empty()) {
        let directories =
            [environ.non_empty(name), Some(OsStr::new(directory))].into_iter().flatten();
        let directories = directories.collect::<Vec<_>>().join(OsStr::new(":"));
        environ.set(name, &directories);
    }
    let region = environ.non_empty(REGION).or(environ.non_empty(DEFAULT_REGION));
    let region = region.unwrap_or(OsStr::new("us-east-1")).to_owned();
    environ.set(REGION, &region);
    environ.set(DEFAULT_REGION, &region);
    if let Some(named) = environ.non_empty(config::CONFIG_VARIABLE) {
        let named = config::local_path(named, directory);
        environ.set(config::CONFIG_VARIABLE, named.as_os_str());
    }
    // The recorder recognizes hooks by foreword's log.
    let is_verbose = |level: &str| {
        ["debug", "trace", "info"].iter().any(|known| level.eq_ignore_ascii_case(known))
    };
    if !environ.lossy("FOREWORD_LOG").is_some_and(|level| is_verbose(&level)) {
        environ.set("FOREWORD_LOG", "info".as_ref());
    }
    environ
}

/// Returns the part of the environment that extensions get. `LAMBDA_TASK_ROOT` is not part of it on
/// Lambda, but here the code is not in /var/task.
pub fn extension_environ<'e>(environ: &Environ<'e>) -> Environ<'e> {
    let mut own = environ.clone();
    let is_taken = |name: &&str| !variables::is_for_extensions(name) && *name != TASK_ROOT_VARIABLE;
    environ.variables().map(|(name, _)| name).filter(is_taken).for_each(|name| own.unset(name));
    own
}
