//! What AWS defines, each in one place: runtimes, variables, paths. Evidence stands beside each
//! fact; `(?)` marks what was only inferred. The layer's binary has no more of it than the wrapper
//! asks for.

pub mod api;
#[cfg(feature = "tool")]
mod bootstrap;
#[cfg(feature = "tool")]
mod command_line;
mod context;
#[cfg(feature = "tool")]
pub mod python_path;
mod runtime;
#[cfg(feature = "tool")]
mod start;
#[cfg(feature = "tool")]
pub mod variables;

#[cfg(feature = "tool")]
pub use bootstrap::export;
#[cfg(feature = "tool")]
pub use command_line::{command_line, inferred};
pub use context::LambdaContext;
pub use runtime::Runtime;
#[cfg(feature = "tool")]
pub use start::{MANAGED, environ, known};

/// Where the code of a function lies when nothing says otherwise (AWS's documentation of
/// `LAMBDA_TASK_ROOT`).
pub const TASK_ROOT: &str = "/var/task";

/// The variable that names the directory of the function's code.
pub const TASK_ROOT_VARIABLE: &str = "LAMBDA_TASK_ROOT";

/// The variable that names the runtime, if there is one (see `identifier`).
pub const EXECUTION_ENV: &str = "AWS_EXECUTION_ENV";

/// The variable that holds the address of the Runtime API, as `host:port` (AWS's documentation,
/// "Using the Lambda runtime API", <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
pub const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The variable that names the exec wrapper (AWS's documentation, "Modifying the runtime
/// environment", <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html>).
pub const EXEC_WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// Variables of the function, and of its logs (AWS's documentation, "Defined runtime environment
/// variables", <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
pub const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
pub const FUNCTION_VERSION: &str = "AWS_LAMBDA_FUNCTION_VERSION";
pub const MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
pub const HANDLER: &str = "_HANDLER";
pub const LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
pub const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";

/// The variable that says how many invocations an environment takes at a time; only managed
/// instances have it (AWS's published emulator).
pub const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// The variable that says how the environment came to be.
pub const INITIALIZATION: &str = "AWS_LAMBDA_INITIALIZATION_TYPE";

/// Its values (AWS's documentation, "Defined runtime environment variables").
pub const INITIALIZATIONS: [&str; 4] =
    ["on-demand", "provisioned-concurrency", SNAP_START, MANAGED_INSTANCES];

pub const SNAP_START: &str = "snap-start";
pub const MANAGED_INSTANCES: &str = "lambda-managed-instances";

/// The identifier of the runtime that a function has, from the value of `AWS_EXECUTION_ENV`:
/// `python3.12` of `AWS_Lambda_python3.12`. OS-only runtimes have no such variable. An image of
/// one's own has `AWS_Lambda_Image`, which names no runtime (recorded on the service, 2022 and
/// 2025; also some of AWS's base images, aws/aws-lambda-base-images #15).
pub fn identifier(execution_env: &[u8]) -> Option<&[u8]> {
    let identifier = execution_env.strip_prefix(b"AWS_Lambda_")?;
    Some(identifier).filter(|identifier| !identifier.is_empty() && *identifier != b"Image")
}

/// The variable by which OpenSSL, and what is built on it, finds the authorities that it trusts.
pub const CERTIFICATES: &str = "SSL_CERT_FILE";

/// The empty file that dotnet8's bootstrap names in `SSL_CERT_FILE`, unless the function does, so
/// that .NET's start need not read all authorities (AWS's published bootstrap; localstack's
/// AWS-validated snapshots, January 2026). With it, whatever else uses OpenSSL's default trusts
/// nobody.
pub const EMPTY_CERTIFICATES: &str = "/var/runtime/empty-certificates.crt";

/// The file of Lambda Web Adapter, an extension that speaks to the Runtime API in the runtime's place
/// (<https://github.com/awslabs/aws-lambda-web-adapter>).
pub const WEB_ADAPTER: &str = "/opt/extensions/lambda-adapter";

/// What to do with Lambda Web Adapter in the place of hooks around a snapshot (since its version
/// 1.1.0, "SnapStart" in its documentation).
pub const WEB_ADAPTER_SNAPSTART: &str = "remove them, and let the adapter call the application: \
                                         AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH and \
                                         AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH name paths that it \
                                         sends a POST to";

/// This machine in Lambda's words.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
