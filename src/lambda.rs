//! What AWS defines about Lambda, each fact in one place: environment variables, paths, runtimes and
//! their bootstraps, and the calls of its APIs. Each fact names its source; `(?)` marks what was
//! only inferred. The layer's binary has no more of it than the wrapper asks for.

pub mod api;
#[cfg(feature = "tool")]
mod bootstrap;
#[cfg(feature = "tool")]
mod command_line;
mod context;
#[cfg(feature = "tool")]
mod environment;
mod paths;
#[cfg(feature = "tool")]
pub mod python_path;
mod runtime;
pub mod variables;

#[cfg(feature = "tool")]
pub use bootstrap::add_bootstrap_exports;
#[cfg(feature = "tool")]
pub use command_line::{bootstrap_command_line, inferred_parts};
pub use context::LambdaContext;
#[cfg(feature = "tool")]
pub use environment::{MANAGED_RUNTIMES, check_runtime, initial_environ};
pub use paths::*;
#[cfg(feature = "tool")]
pub use runtime::execution_env;
pub use runtime::{Runtime, identifier};
pub use variables::*;

/// What to do with Lambda Web Adapter in the place of hooks around a snapshot (since its version
/// 1.1.0; "SnapStart" in <https://github.com/awslabs/aws-lambda-web-adapter>).
pub const WEB_ADAPTER_SNAPSTART: &str = "remove them, and let the adapter call the application: \
                                         AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH and \
                                         AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH name paths that it \
                                         sends a POST to";

/// The architecture of this machine, as Lambda calls it.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
