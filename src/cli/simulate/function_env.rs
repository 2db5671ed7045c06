//! The environment that Lambda gives, on top of the user's own: without that, neither the
//! interpreter would be found nor what the function's configuration sets. Facts: AWS's
//! documentation, "Defined runtime environment variables".

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

/// Where layers' programs and libraries are looked for.
const LAYER_PATHS: [(&str, &str); 2] = [("PATH", "/opt/bin"), ("LD_LIBRARY_PATH", "/opt/lib")];

/// What to say about a variable that is not handed on.
pub fn about_dropped_variable(user: &Environ, variables: &[(String, OsString)]) -> Option<String> {
    let named = variables.iter().rev().find(|(name, _)| name == MAX_CONCURRENCY);
    let value = named.map_or(user.non_empty(MAX_CONCURRENCY), |(_, value)| {
        Some(value).filter(|value| !value.is_empty()).map(|value| &**value)
    });
    value.map(|_| {
        format!(
            "{MAX_CONCURRENCY} is dropped: what is rehearsed takes one invocation at a time, and not \
             several as on a managed instance"
        )
    })
}

/// What the wrapper is given, but for the Runtime API's address.
pub fn function_environ<'e>(
    options: &SimulateOptions,
    user: &Environ<'e>,
    variables: &[(String, OsString)],
    folder: &Path,
) -> Environ<'e> {
    let mut environ = user.clone();
    for (name, value) in variables {
        environ.set(name, value);
    }
    environ.unset(chain::STAGE);
    environ.unset(MAX_CONCURRENCY);
    let function = folder.file_name().unwrap_or(OsStr::new("function")).to_owned();
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
    set(TASK_ROOT_VARIABLE, folder.as_os_str());
    set(RUNTIME_DIR_VARIABLE, RUNTIME_DIR.as_ref());
    set("TZ", ":UTC".as_ref());
    if options.snap_start {
        // Of keys an endpoint takes care.
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
    for (name, folder) in LAYER_PATHS.into_iter().filter(|_| !options.layers.is_empty()) {
        let folders = [environ.non_empty(name), Some(OsStr::new(folder))].into_iter().flatten();
        let folders = folders.collect::<Vec<_>>().join(OsStr::new(":"));
        environ.set(name, &folders);
    }
    let region = environ.non_empty(REGION).or(environ.non_empty(DEFAULT_REGION));
    let region = region.unwrap_or(OsStr::new("us-east-1")).to_owned();
    environ.set(REGION, &region);
    environ.set(DEFAULT_REGION, &region);
    if let Some(named) = environ.non_empty(config::CONFIG_VARIABLE) {
        let named = config::local_path(named, folder);
        environ.set(config::CONFIG_VARIABLE, named.as_os_str());
    }
    // Hooks are told from the log.
    let is_verbose = |level: &str| {
        ["debug", "trace", "info"].iter().any(|known| level.eq_ignore_ascii_case(known))
    };
    if !environ.lossy("FOREWORD_LOG").is_some_and(|level| is_verbose(&level)) {
        environ.set("FOREWORD_LOG", "info".as_ref());
    }
    environ
}

/// What an extension is given of it. `LAMBDA_TASK_ROOT` is not on Lambda, but the code is not in
/// /var/task here.
pub fn extension_environ<'e>(environ: &Environ<'e>) -> Environ<'e> {
    let mut own = environ.clone();
    let is_taken = |name: &&str| !variables::is_for_extensions(name) && *name != TASK_ROOT_VARIABLE;
    environ.variables().map(|(name, _)| name).filter(is_taken).for_each(|name| own.unset(name));
    own
}
