//! Directories and files of an execution environment.

// The wrapper uses only some of them; the others cost its file nothing.
#![cfg_attr(not(feature = "tool"), allow(dead_code))]

/// The directory of the function's code, unless `LAMBDA_TASK_ROOT` names another one ("Defined
/// runtime environment variables",
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
pub const TASK_ROOT: &str = "/var/task";

/// The directory of a managed runtime's bootstrap and client; `LAMBDA_RUNTIME_DIR` names it.
pub const RUNTIME_DIR: &str = "/var/runtime";

/// The directory that Lambda extracts layers into ("Packaging your layer content",
/// <https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html>).
pub const LAYERS: &str = "/opt";

/// The directory from which Lambda starts extensions ("Using the Lambda Extensions API",
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>).
pub const EXTENSIONS: &str = "/opt/extensions";

/// The executable that an OS-only runtime starts when the function's code has none ("Building a
/// custom runtime", <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>).
pub const LAYER_BOOTSTRAP: &str = "/opt/bootstrap";

/// foreword's executable, as its layer brings it.
pub const FOREWORD: &str = "/opt/bin/foreword";

/// The empty file that dotnet8's bootstrap names in `SSL_CERT_FILE`, unless the function names one.
/// It keeps .NET from reading all certificates twice at its start. With it, whatever else uses
/// OpenSSL's default certificates trusts nobody
/// (<https://github.com/aws/aws-lambda-dotnet>, `Amazon.Lambda.RuntimeSupport/bootstrap-al2023.sh`;
/// recorded by localstack's AWS-validated snapshots, January 2026).
pub const EMPTY_CERTIFICATES: &str = "/var/runtime/empty-certificates.crt";

/// Lambda Web Adapter, an extension that calls the Runtime API in the runtime's place
/// (<https://github.com/awslabs/aws-lambda-web-adapter>).
pub const WEB_ADAPTER: &str = "/opt/extensions/lambda-adapter";

/// Returns the rest of a path in the directory of layers.
pub fn strip_layers(path: &str) -> Option<&str> {
    path.strip_prefix(LAYERS)?.strip_prefix('/')
}

/// Returns the rest of a path in the default directory of the function's code.
pub fn strip_task_root(path: &str) -> Option<&str> {
    path.strip_prefix(TASK_ROOT)?.strip_prefix('/')
}
