//! The environment that Lambda gives the bootstrap of a runtime, before the bootstrap adds to it: that
//! of a new function of 128 MB from a zip. Where nothing else is said, the source is localstack's
//! AWS-validated snapshots (<https://github.com/localstack/localstack>,
//! `tests/aws/services/lambda_/test_lambda_common.snapshot.json`, January 2026, and
//! `test_lambda.snapshot.json`, November 2025 to February 2026).

use super::runtime::{execution_env, identifier};
use super::{
    CREDENTIALS, CREDENTIALS_TOKEN, CREDENTIALS_URI, DEFAULT_REGION, EXEC_WRAPPER, EXECUTION_ENV,
    FOREWORD, FUNCTION_NAME, FUNCTION_VERSION, HANDLER, INITIALIZATION, LOG_GROUP, LOG_STREAM,
    MANAGED_INSTANCES, MAX_CONCURRENCY, MEMORY_SIZE, METADATA_API, METADATA_TOKEN, ON_DEMAND,
    REGION, RUNTIME_API, RUNTIME_DIR, RUNTIME_DIR_VARIABLE, Runtime, SNAP_START, TASK_ROOT,
    TASK_ROOT_VARIABLE, variables,
};
use crate::environ::Environ;
use crate::glob::{Case, Glob};
use crate::template::Template;
use std::ffi::OsStr;

/// The managed runtimes with which functions can be created or updated, the newest of a family last
/// ("Lambda runtimes", <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>; ruby4.0
/// since April 2026).
pub const MANAGED_RUNTIMES: [&str; 24] = [
    "python3.8",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "java8.al2",
    "java11",
    "java17",
    "java21",
    "java25",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "ruby4.0",
    "dotnet6",
    "dotnet8",
    "dotnet10",
];

/// Globs of the identifiers that Lambda has, has had or may have.
const IDENTIFIERS: [&str; 10] = [
    "python3.[0-9]",
    "python3.[0-9][0-9]",
    "nodejs[0-9][0-9].x",
    "java8.al2",
    "java[0-9][0-9]",
    "ruby[0-9].[0-9]",
    "dotnet[0-9]",
    "dotnet[0-9][0-9]",
    "provided.al2",
    "provided.al2023",
];

/// A variable and its value.
type Entry = (&'static str, &'static str);

/// The search paths of every runtime but provided.al2, which has no `/var/lang`.
const SEARCH_PATHS: [Entry; 2] = [
    ("PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
    (
        "LD_LIBRARY_PATH",
        "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:\
         /opt/lib",
    ),
];
const SEARCH_PATHS_OF_AL2: [Entry; 2] = [
    ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
    (
        "LD_LIBRARY_PATH",
        "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    ),
];

/// The variables that every runtime has.
const COMMON: [Entry; 14] = [
    ("LANG", "en_US.UTF-8"),
    ("TZ", ":UTC"),
    (TASK_ROOT_VARIABLE, TASK_ROOT),
    (RUNTIME_DIR_VARIABLE, RUNTIME_DIR),
    (REGION, "us-east-1"),
    (DEFAULT_REGION, "us-east-1"),
    (FUNCTION_NAME, "my-function"),
    (FUNCTION_VERSION, "$LATEST"),
    (MEMORY_SIZE, "128"),
    (LOG_GROUP, "/aws/lambda/my-function"),
    (LOG_STREAM, "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef"),
    (EXEC_WRAPPER, FOREWORD),
    ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
    ("_AWS_XRAY_DAEMON_PORT", "2000"),
];

/// The addresses of Lambda's own services. Those of provided.al2 were those of every runtime until
/// 2024. The metadata API exists since March 2026; its address on provided.al2 is inferred (?).
const ADDRESSES: [Entry; 4] = [
    (RUNTIME_API, "169.254.100.1:9001"),
    ("AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000"),
    ("_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1"),
    (METADATA_API, "169.254.100.1:9001"),
];
const ADDRESSES_OF_AL2: [Entry; 4] = [
    (RUNTIME_API, "127.0.0.1:9001"),
    ("AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129:2000"),
    ("_AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129"),
    (METADATA_API, "127.0.0.1:9001"),
];

/// Placeholders for the credentials that only a function has. Output redacts them, because their
/// names say that they are secret.
const CREDENTIAL_VALUES: [&str; 5] = [
    "id-of-the-access-key",
    "secret-of-the-access-key",
    "token-of-the-session",
    "id-of-the-access-key",
    "secret-of-the-access-key",
];
const METADATA_TOKEN_VALUE: &str = "token-of-the-metadata-api";

/// The variables that replace credentials under SnapStart and on managed instances
/// (<https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html>;
/// `StoreEnvironmentVariablesFromInitForInitCaching` in
/// <https://github.com/aws/aws-lambda-runtime-interface-emulator>).
const CREDENTIALS_ADDRESS: [Entry; 2] = [
    (CREDENTIALS_URI, "http://169.254.100.1:9001/2021-04-23/credentials"),
    (CREDENTIALS_TOKEN, "token-of-the-credentials"),
];

/// Checks that a name looks like an identifier of a Lambda runtime.
///
/// # Errors
/// When it does not; the message has examples.
pub fn check_runtime(name: &str) -> Result<(), String> {
    let matches = |glob: &&str| {
        let template = Template::new(glob).expect("a glob without references");
        Glob::new(&template, &Environ::default()).matches(name.as_bytes(), Case::Sensitive)
    };
    if IDENTIFIERS.iter().any(matches) {
        return Ok(());
    }
    let examples = "python3.12, nodejs22.x, java21, ruby3.4, dotnet8 or provided.al2023";
    Err(format!("Lambda has no runtime {name:?}; name one as Lambda does, such as {examples}"))
}

/// Returns the environment that Lambda gives a function on a runtime, without what the bootstrap adds.
/// `initialization` is on-demand unless it is given.
///
/// # Errors
/// When Lambda has no such runtime.
pub fn initial_environ<'e>(
    name: &str,
    initialization: Option<&OsStr>,
) -> Result<Environ<'e>, String> {
    check_runtime(name)?;
    let runtime = Runtime::from_identifier(name.as_bytes());
    let is_al2 = name == "provided.al2";
    let is_old_java = matches!(name, "java8.al2" | "java11");
    let initialization = initialization.unwrap_or(OsStr::new(ON_DEMAND));
    let is_snap_start = initialization == SNAP_START;
    let is_managed_instance = initialization == MANAGED_INSTANCES;

    let mut environ = Environ::default();
    let mut set = |entries: &[Entry]| {
        entries.iter().for_each(|(name, value)| environ.set(name, OsStr::new(value)));
    };
    set(if is_al2 { &SEARCH_PATHS_OF_AL2 } else { &SEARCH_PATHS });
    set(&COMMON);
    set(if is_al2 { &ADDRESSES_OF_AL2 } else { &ADDRESSES });
    set(&[(METADATA_TOKEN, METADATA_TOKEN_VALUE)]);
    if is_snap_start || is_managed_instance {
        set(&CREDENTIALS_ADDRESS);
    } else {
        let count = if is_old_java { 5 } else { 3 };
        let credentials: Vec<Entry> = CREDENTIALS.into_iter().zip(CREDENTIAL_VALUES).collect();
        set(&credentials[..count]);
    }
    // Recorded on java17 to 25 and dotnet, not on java8.al2, java11 and OS-only runtimes. The
    // clients of Python, Node and Ruby read it from their environment (their published code), so
    // Lambda sets it before they start (?). Managed instances have a socket for it, whose path is
    // not known and is left out.
    if runtime != Runtime::Provided && !is_old_java && !is_managed_instance {
        set(&[("_LAMBDA_TELEMETRY_LOG_FD", "62")]);
    }
    // The number is an example.
    if is_managed_instance {
        set(&[(MAX_CONCURRENCY, "10")]);
    }
    environ.set(INITIALIZATION, initialization);
    if is_snap_start {
        variables::absent_at_snap_start().for_each(|name| environ.unset(name));
    }
    environ.set(HANDLER, OsStr::new(usual_handler(runtime)));
    if runtime != Runtime::Provided {
        let execution_env = execution_env(name);
        debug_assert_eq!(identifier(execution_env.as_bytes()), Some(name.as_bytes()));
        environ.set(EXECUTION_ENV, OsStr::new(&execution_env));
    }
    Ok(environ)
}

/// Returns the handler that AWS's documentation of a family has in its examples.
fn usual_handler(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Python | Runtime::Ruby => "app.handler",
        Runtime::Node => "index.handler",
        Runtime::Java => "app.Handler::handleRequest",
        Runtime::Dotnet => "App::App.Function::Handler",
        Runtime::Provided => "app",
    }
}
