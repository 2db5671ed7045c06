//! What AWS defines, each in one place: runtimes, variables, paths. Evidence stands beside each
//! fact; `(?)` marks what was only inferred. The layer's binary has no more of it than the wrapper
//! asks for.

#[cfg(feature = "tool")]
mod bootstrap;
#[cfg(feature = "tool")]
mod command_line;
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
pub use runtime::Runtime;
#[cfg(feature = "tool")]
pub use start::{MANAGED, environ, known};

/// Where the code of a function lies when nothing says otherwise (AWS's documentation of
/// `LAMBDA_TASK_ROOT`).
pub const TASK_ROOT: &str = "/var/task";

/// The variable that names the runtime, if there is one (see `identifier`).
pub const EXECUTION_ENV: &str = "AWS_EXECUTION_ENV";

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
