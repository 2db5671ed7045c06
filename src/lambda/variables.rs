//! The environment variables that Lambda gives a function, and how Lambda treats them. Where
//! nothing else is said, the source is AWS's page "Defined runtime environment variables",
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.

// The wrapper uses only some of them; the others cost its file nothing.
#![cfg_attr(not(feature = "tool"), allow(dead_code))]

/// The directory of the function's code.
pub const TASK_ROOT_VARIABLE: &str = "LAMBDA_TASK_ROOT";

/// The directory of the runtime's own files.
pub const RUNTIME_DIR_VARIABLE: &str = "LAMBDA_RUNTIME_DIR";

/// The runtime, if Lambda names one (see [`super::identifier`]).
pub const EXECUTION_ENV: &str = "AWS_EXECUTION_ENV";

/// The address of the Runtime API, as `host:port` ("Using the Lambda runtime API",
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
pub const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The address of the metadata API, as `host:port`, and the token that it asks for ("Using the
/// Lambda metadata endpoint",
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-metadata-endpoint.html>).
pub const METADATA_API: &str = "AWS_LAMBDA_METADATA_API";
pub const METADATA_TOKEN: &str = "AWS_LAMBDA_METADATA_TOKEN";

/// The path of the exec wrapper ("Modifying the runtime environment",
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html>).
pub const EXEC_WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// The function's name.
pub const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The function's version.
pub const FUNCTION_VERSION: &str = "AWS_LAMBDA_FUNCTION_VERSION";

/// The function's memory in MB.
pub const MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// The function's handler.
pub const HANDLER: &str = "_HANDLER";

/// The level and the format of the function's logs.
pub const LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
pub const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";

/// The group and the stream of the function's logs in CloudWatch.
pub const LOG_GROUP: &str = "AWS_LAMBDA_LOG_GROUP_NAME";
pub const LOG_STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";

/// The region, under both of its names.
pub const REGION: &str = "AWS_REGION";
pub const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";

/// The most invocations that an environment takes at a time; only managed instances have the
/// variable (<https://github.com/aws/aws-lambda-runtime-interface-emulator>).
pub const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// How Lambda initialized the environment: one of [`INITIALIZATIONS`].
pub const INITIALIZATION: &str = "AWS_LAMBDA_INITIALIZATION_TYPE";

/// The values of [`INITIALIZATION`].
pub const INITIALIZATIONS: [&str; 4] =
    [ON_DEMAND, "provisioned-concurrency", SNAP_START, MANAGED_INSTANCES];

pub const ON_DEMAND: &str = "on-demand";
pub const SNAP_START: &str = "snap-start";
pub const MANAGED_INSTANCES: &str = "lambda-managed-instances";

/// The credentials of the function's role.
pub const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
pub const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
pub const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// All variables that hold credentials; the last two only java8.al2 and java11 have (recorded by
/// localstack's AWS-validated snapshots, January 2026).
pub const CREDENTIALS: [&str; 5] =
    [ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN, "AWS_ACCESS_KEY", "AWS_SECRET_KEY"];

/// The address of the credentials and the token that it asks for, which replace [`CREDENTIALS`]
/// under SnapStart and on managed instances ("Improving startup performance with Lambda SnapStart",
/// <https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html>).
pub const CREDENTIALS_URI: &str = foreword_secrets::CREDENTIALS_FULL_URI;
pub const CREDENTIALS_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/// The certificates that OpenSSL trusts instead of its default ones
/// (`SSL_CTX_load_verify_locations(3)`).
pub const CERTIFICATES: &str = "SSL_CERT_FILE";

/// The variables that a function's configuration cannot set.
const RESERVED: [&str; 21] = [
    ACCESS_KEY_ID,
    DEFAULT_REGION,
    EXECUTION_ENV,
    FUNCTION_NAME,
    FUNCTION_VERSION,
    INITIALIZATION,
    LOG_FORMAT,
    LOG_GROUP,
    LOG_LEVEL,
    LOG_STREAM,
    MAX_CONCURRENCY,
    MEMORY_SIZE,
    METADATA_API,
    METADATA_TOKEN,
    REGION,
    RUNTIME_API,
    RUNTIME_DIR_VARIABLE,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    TASK_ROOT_VARIABLE,
    "AWS_ACCESS_KEY",
];

/// Tells whether a function's configuration cannot set a variable. Lambda drops names that begin
/// with `_` (<https://github.com/aws/aws-lambda-runtime-interface-emulator>).
pub fn is_reserved(name: &str) -> bool {
    name.starts_with('_') || RESERVED.contains(&name)
}

/// Tells whether a variable is missing during the initialization before a snapshot, and there
/// everywhere else (<https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html>;
/// <https://github.com/aws/aws-lambda-runtime-interface-emulator>).
pub fn is_absent_at_snap_start(name: &str) -> bool {
    absent_at_snap_start().any(|absent| absent == name)
}

/// The variables that are missing during the initialization before a snapshot.
pub fn absent_at_snap_start() -> impl Iterator<Item = &'static str> {
    [LOG_GROUP, LOG_STREAM].into_iter().chain(CREDENTIALS)
}

/// Tells whether Lambda gives extensions, too, a variable that it gives the runtime ("Using the
/// Lambda Extensions API",
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>;
/// <https://github.com/aws/aws-lambda-runtime-interface-emulator>).
pub fn is_for_extensions(name: &str) -> bool {
    const RUNTIME_ONLY: [&str; 5] =
        [EXECUTION_ENV, LOG_GROUP, LOG_STREAM, RUNTIME_DIR_VARIABLE, TASK_ROOT_VARIABLE];
    !name.starts_with('_') && !name.starts_with("AWS_XRAY_") && !RUNTIME_ONLY.contains(&name)
}
