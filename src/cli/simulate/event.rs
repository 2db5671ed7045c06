//! Events of a simulation: the stages of the lifecycle that the platform takes a function through,
//! and what is seen in them.

use super::log_line::HookLine;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifecycleStage {
    Init,
    Snapshot,
    Restore,
    Invocation(usize),
    Shutdown,
}

impl LifecycleStage {
    pub fn name(self) -> &'static str {
        match self {
            LifecycleStage::Init => "init",
            LifecycleStage::Snapshot => "snapshot",
            LifecycleStage::Restore => "restore",
            LifecycleStage::Invocation(_) => "invocation",
            LifecycleStage::Shutdown => "shutdown",
        }
    }
}

/// The caller who gets an error in place of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The invoker of the function, with the number of the invocation.
    Invoker(usize),
    /// The publisher of the version whose snapshot is taken.
    Publisher,
}

pub enum TimelineEvent<'m> {
    /// An environment begins, one of so many.
    Environment {
        number: u64,
        of: u64,
    },
    StageBegin {
        stage: LifecycleStage,
        limit: Option<Duration>,
    },
    Hook {
        hook: &'m HookLine,
        limit: Duration,
    },
    /// The work of the runtime itself, between the hooks of foreword.
    Runtime {
        what: &'m str,
        took: Duration,
        limit: Duration,
    },
    /// A line of foreword's that ends no hook.
    ForewordLine(&'m str),
    /// A line of anybody else.
    LogLine(&'m str),
    Invocation {
        invocation: usize,
        request: &'m str,
        body: &'m str,
    },
    Response {
        invocation: usize,
        request: &'m str,
        body: &'m [u8],
    },
    /// The error that the caller gets in place of a response: a JSON object.
    Error {
        caller: Caller,
        body: &'m str,
    },
    /// Information for the person who watches.
    Note(&'m str),
    /// A problem, which makes the simulation fail.
    Problem(&'m str),
    StageEnd {
        stage: LifecycleStage,
        took: Duration,
        limit: Option<Duration>,
    },
    Result {
        is_successful: bool,
    },
}
