//! What happens in a simulation, as it is told: the stages that the platform takes a function
//! through, and what is seen in them.

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

/// Who gets an error in the place of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Who invoked the function, and which of the invocations that was.
    Invoker(usize),
    /// Who publishes the version that the snapshot is of.
    Publisher,
}

pub enum TimelineEvent<'m> {
    /// Another environment begins; there will be so many.
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
    /// What the runtime did by itself, between the hooks of foreword's.
    Runtime {
        what: &'m str,
        took: Duration,
        limit: Duration,
    },
    /// Another line of foreword's own.
    ForewordLine(&'m str),
    /// A line of anybody else's.
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
    /// What the caller gets in the place of an answer: a JSON object.
    Error {
        caller: Caller,
        body: &'m str,
    },
    /// Something that is as it is.
    Note(&'m str),
    /// Something that went wrong.
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
