//! The function's context: what Lambda said about the function when it started the runtime. Hooks,
//! reports and logs use it, because edits and wrappers change the environment.

use super::{
    EXECUTION_ENV, FUNCTION_NAME, FUNCTION_VERSION, HANDLER, INITIALIZATION, LOG_FORMAT, LOG_LEVEL,
    MEMORY_SIZE, RUNTIME_API, TASK_ROOT_VARIABLE,
};
use crate::environ::Environ;
use std::borrow::Cow;

/// The environment that Lambda handed over, and the identifier of its runtime.
#[derive(Clone, Copy)]
pub struct LambdaContext<'c> {
    /// The received environment, or at least the variables of [`LambdaContext::only`].
    pub environ: &'c Environ<'c>,
    /// Lambda's identifier of the runtime.
    pub runtime: &'c str,
}

impl<'c> LambdaContext<'c> {
    /// Returns the name of the function.
    pub fn function_name(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(FUNCTION_NAME)
    }

    /// Returns the version of the function.
    pub fn function_version(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(FUNCTION_VERSION)
    }

    /// Returns the memory of the function in MB.
    pub fn memory_size(&self) -> Option<u64> {
        self.environ.lossy(MEMORY_SIZE)?.parse().ok()
    }

    /// Returns the handler of the function.
    pub fn handler(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(HANDLER)
    }

    /// Returns how Lambda initialized the environment, such as `on-demand` or `snap-start`.
    pub fn initialization(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(INITIALIZATION)
    }

    /// Returns the address of the Runtime API that Lambda gave, which may be behind a relay.
    pub fn runtime_api(&self) -> Option<Cow<'c, str>> {
        self.environ.lossy(RUNTIME_API)
    }

    /// Returns the variables of an environment that a context needs: those that hooks are told, the
    /// Runtime API for reports, those that configure the log, and the working directory of pre_stop
    /// hooks. `log_variable` is foreword's variable of the log level. None of them is secret.
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
