//! What Lambda hands the bootstrap of a runtime: the environment of a fresh function from a zip, of
//! 128 MB, before the bootstrap adds to it. Recorded by localstack's AWS-validated snapshots
//! (`test_lambda_common`, January 2026; `test_lambda`, November 2025 to February 2026) unless
//! something else is said.

use super::{
    EXECUTION_ENV, INITIALIZATION, MANAGED_INSTANCES, Runtime, SNAP_START, identifier, variables,
};
use crate::environ::Environ;
use crate::glob::{Case, Glob};
use crate::template::Template;
use std::ffi::{CStr, OsStr};

/// The managed runtimes that functions are created or updated with, the newest of a family last
/// (AWS's documentation, "Lambda runtimes"; ruby4.0 since April 2026).
pub const MANAGED: [&str; 24] = [
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

/// The identifiers that Lambda has, and those that are like them.
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

/// Where all but provided.al2 find programs and libraries.
const OF_LANGUAGE: [&CStr; 2] = [
    c"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    c"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
];
const OF_AL2: [&CStr; 2] = [
    c"PATH=/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    c"LD_LIBRARY_PATH=/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
];

/// What functions of every runtime find.
const COMMON: [&CStr; 14] = [
    c"LANG=en_US.UTF-8",
    c"TZ=:UTC",
    c"LAMBDA_TASK_ROOT=/var/task",
    c"LAMBDA_RUNTIME_DIR=/var/runtime",
    c"AWS_REGION=us-east-1",
    c"AWS_DEFAULT_REGION=us-east-1",
    c"AWS_LAMBDA_FUNCTION_NAME=my-function",
    c"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
    c"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
    c"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/my-function",
    c"AWS_LAMBDA_LOG_STREAM_NAME=2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
    c"AWS_LAMBDA_EXEC_WRAPPER=/opt/bin/foreword",
    c"AWS_XRAY_CONTEXT_MISSING=LOG_ERROR",
    c"_AWS_XRAY_DAEMON_PORT=2000",
];

/// Where Lambda's own services listen; the second is provided.al2's, and was everybody's until
/// 2024. The metadata API is there since March 2026 (AWS's documentation, "Using the Lambda
/// metadata endpoint"); its address on provided.al2 is inferred (?).
const ADDRESSES: [&CStr; 4] = [
    c"AWS_LAMBDA_RUNTIME_API=169.254.100.1:9001",
    c"AWS_XRAY_DAEMON_ADDRESS=169.254.100.1:2000",
    c"_AWS_XRAY_DAEMON_ADDRESS=169.254.100.1",
    c"AWS_LAMBDA_METADATA_API=169.254.100.1:9001",
];
const ADDRESSES_OF_AL2: [&CStr; 4] = [
    c"AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001",
    c"AWS_XRAY_DAEMON_ADDRESS=169.254.79.129:2000",
    c"_AWS_XRAY_DAEMON_ADDRESS=169.254.79.129",
    c"AWS_LAMBDA_METADATA_API=127.0.0.1:9001",
];

/// Stand-ins for what only a function has; their names say that they are secret, so that they are
/// never shown.
const TOKEN: &CStr = c"AWS_LAMBDA_METADATA_TOKEN=token-of-the-metadata-api";
const KEYS: [&CStr; 3] = [
    c"AWS_ACCESS_KEY_ID=id-of-the-access-key",
    c"AWS_SECRET_ACCESS_KEY=secret-of-the-access-key",
    c"AWS_SESSION_TOKEN=token-of-the-session",
];
const OLD_KEYS: [&CStr; 2] =
    [c"AWS_ACCESS_KEY=id-of-the-access-key", c"AWS_SECRET_KEY=secret-of-the-access-key"];

/// In the place of keys, under SnapStart and on managed instances (AWS's published emulator,
/// `StoreEnvironmentVariablesFromInitForInitCaching`; AWS's documentation of SnapStart).
const CONTAINER_KEYS: [&CStr; 2] = [
    c"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.100.1:9001/2021-04-23/credentials",
    c"AWS_CONTAINER_AUTHORIZATION_TOKEN=token-of-the-credentials",
];

/// # Errors
/// When Lambda has no such runtime.
pub fn known(name: &str) -> Result<(), String> {
    let is_like = |glob: &str| {
        let text = Template::new(glob).expect("a text without variables");
        Glob::new(&text, &Environ::default()).matches(name.as_bytes(), Case::Sensitive)
    };
    if IDENTIFIERS.iter().any(|glob| is_like(glob)) {
        return Ok(());
    }
    let examples = "python3.12, nodejs22.x, java21, ruby3.4, dotnet8 or provided.al2023";
    Err(format!("Lambda has no runtime {name:?}; name one as Lambda does, such as {examples}"))
}

/// What Lambda gives a function, without what its bootstrap adds. `initialization` is on-demand
/// unless it is given.
///
/// # Errors
/// When Lambda has no such runtime.
pub fn environ<'e>(name: &str, initialization: Option<&OsStr>) -> Result<Environ<'e>, String> {
    known(name)?;
    let runtime = Runtime::of_identifier(name.as_bytes());
    let is_al2 = name == "provided.al2";
    let is_old_java = matches!(name, "java8.al2" | "java11");
    let initialization = initialization.unwrap_or(OsStr::new("on-demand"));
    let is_snap_start = initialization == SNAP_START;
    let is_managed_instance = initialization == MANAGED_INSTANCES;

    let mut entries: Vec<&CStr> = Vec::new();
    entries.extend(if is_al2 { OF_AL2 } else { OF_LANGUAGE });
    entries.extend(COMMON);
    entries.extend(if is_al2 { ADDRESSES_OF_AL2 } else { ADDRESSES });
    entries.push(TOKEN);
    match is_snap_start || is_managed_instance {
        true => entries.extend(CONTAINER_KEYS),
        false => entries
            .extend(KEYS.into_iter().chain(is_old_java.then_some(OLD_KEYS).into_iter().flatten())),
    }
    // Recorded on java17 to 25 and dotnet, not on java8.al2, java11 and OS-only runtimes. The
    // clients of Python, Node and Ruby take it from their environment (their published code),
    // so that it is there before them (?). Managed instances have a socket for it, whose path
    // is not known, so that it is left out.
    if runtime != Runtime::Provided && !is_old_java && !is_managed_instance {
        entries.push(c"_LAMBDA_TELEMETRY_LOG_FD=62");
    }
    // The number is an example (AWS's published emulator has the variable).
    if is_managed_instance {
        entries.push(c"AWS_LAMBDA_MAX_CONCURRENCY=10");
    }
    let mut environ = Environ::from_entries(entries);
    environ.set(INITIALIZATION, initialization);
    if is_snap_start {
        variables::ABSENT_AT_SNAP_START.iter().for_each(|name| environ.unset(name));
    }
    environ.set("_HANDLER", OsStr::new(usual_handler(runtime)));
    let declared = ["AWS_Lambda_", name].concat();
    if runtime != Runtime::Provided {
        debug_assert_eq!(identifier(declared.as_bytes()), Some(name.as_bytes()));
        environ.set(EXECUTION_ENV, OsStr::new(&declared));
    }
    Ok(environ)
}

/// What is usual as the handler in AWS's documentation of each family.
fn usual_handler(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Python | Runtime::Ruby => "app.handler",
        Runtime::Node => "index.handler",
        Runtime::Java => "app.Handler::handleRequest",
        Runtime::Dotnet => "App::App.Function::Handler",
        Runtime::Provided => "app",
    }
}
