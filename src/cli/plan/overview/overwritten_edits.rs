//! Edits that a wrapper of the chain undoes: well-known ones set variables of their own, whatever
//! is in them, and so do scripts that can be read.

use crate::command_line::base_name;
use crate::environ::Environ;
use crate::lambda::Runtime;
use crate::plan::Plan;
use std::ffi::OsStr;
use std::fs;

/// The wrapper's file, the runtime that it sets the variables for, and their names (Datadog's and
/// OpenTelemetry's layers).
const SET: [(&str, Runtime, &[&str]); 5] = [
    ("datadog_wrapper", Runtime::Java, &["DD_JMXFETCH_ENABLED", "JAVA_TOOL_OPTIONS"]),
    (
        "datadog_wrapper",
        Runtime::Dotnet,
        &[
            "CORECLR_ENABLE_PROFILING",
            "CORECLR_PROFILER",
            "CORECLR_PROFILER_PATH",
            "DD_DOTNET_TRACER_HOME",
        ],
    ),
    ("otel-handler", Runtime::Java, &["OTEL_INSTRUMENTATION_AWS_LAMBDA_FLUSH_TIMEOUT"]),
    ("otel-handler", Runtime::Python, &["ORIG_HANDLER"]),
    ("otel-instrument", Runtime::Python, &["ORIG_HANDLER"]),
];

/// The path of the wrapper in the chain that sets a variable of its own, if one is known to.
pub fn setter(plan: &Plan, edited: &Environ, runtime: Runtime, name: &str) -> Option<String> {
    let mut wrappers = plan.wrappers.iter().map(|wrapper| wrapper.path.expand(edited));
    let sets = |path: &OsStr| {
        let is_it = |(file, of, names): &(&str, Runtime, &[&str])| {
            file.as_bytes() == base_name(path) && *of == runtime && names.contains(&name)
        };
        SET.iter().any(is_it) || script_sets(path, name)
    };
    wrappers.find(|path| sets(path)).map(|path| path.to_string_lossy().into_owned())
}

/// Whether a script that can be read here sets a variable to something that does not hold what was
/// in it. A line that is indented stands under a condition, as far as one can tell.
fn script_sets(path: &OsStr, name: &str) -> bool {
    let Ok(text) = fs::read(path) else { return false };
    let Ok(text) = String::from_utf8(text) else { return false };
    text.starts_with("#!")
        && text.lines().any(|line| {
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
            value.is_some_and(|value| {
                !value.contains(&format!("${name}")) && !value.contains(&format!("${{{name}"))
            })
        })
}

/// What to do about an edit that is lost.
pub fn about(place: &str, name: &str, wrapper: &str) -> String {
    format!(
        "{place}: this edit of {name} is lost: the wrapper {wrapper:?} sets the variable itself; \
         give it to that wrapper, {{\"path\": {wrapper:?}, \"env\": {{{name:?}: …}}}}"
    )
}
