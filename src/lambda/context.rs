//! What Lambda said about the function when it started the runtime. Hooks, reports and logs are told
//! this, whatever edits and wrappers have made of the environment since.

use super::{
    EXECUTION_ENV, FUNCTION_NAME, FUNCTION_VERSION, HANDLER, INITIALIZATION, LOG_FORMAT, LOG_LEVEL,
    MEMORY_SIZE, RUNTIME_API, TASK_ROOT_VARIABLE,
};
use crate::environ::Environ;
use std::borrow::Cow;

/// The environment that Lambda handed over, and the runtime that it names.
#[derive(Clone, Copy)]
pub struct LambdaContext<'c> {
    /// The environment as it was received, or at least the variables of [`LambdaContext::only`].
    pub environ: &'c Environ<'c>,
    /// Lambda's identifier of the runtime.
    pub runtime: &'c str,
}

impl<'c> LambdaContext<'c> {
    /// The name of the function.
    pub fn function_name(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(FUNCTION_NAME)
    }

    /// The version of the function.
    pub fn function_version(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(FUNCTION_VERSION)
    }

    /// The memory of the function in MB.
    pub fn memory_size(&self) -> Option<u64> {
        self.environ.lossy(MEMORY_SIZE)?.parse().ok()
    }

    /// The handler of the function.
    pub fn handler(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(HANDLER)
    }

    /// How the environment came to be, such as `on-demand` or `snap-start`.
    pub fn initialization(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(INITIALIZATION)
    }

    /// The address of the Runtime API as Lambda gave it.
    pub fn runtime_api(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(RUNTIME_API)
    }

    /// The part of an environment that a context is made of: what hooks are told of the function,
    /// where failures are reported to, how to log, and where pre_stop hooks run. `log_variable` is
    /// foreword's own variable of the log level. Nothing in it is a secret.
    pub fn only<'e>(environ: &'e Environ, log_variable: &str) -> Environ<'e> {
        environ.restricted_to(&[
            FUNCTION_NAME,
            FUNCTION_VERSION,
            MEMORY_SIZE,
            HANDLER,
            EXECUTION_ENV,
            INITIALIZATION,
            RUNTIME_API,
            log_variable,
            LOG_LEVEL,
            LOG_FORMAT,
            TASK_ROOT_VARIABLE,
        ])
    }
}
