//! The exit statuses of foreword's own failures, which are those of `timeout` and `env` of GNU
//! coreutils (<https://www.gnu.org/software/coreutils/manual/html_node/timeout-invocation.html>).

/// A hook timed out.
pub const TIMED_OUT: i32 = 124;
/// foreword failed.
pub const FAILED: i32 = 125;
/// The program exists and cannot be executed.
pub const CANNOT_EXECUTE: i32 = 126;
/// The program does not exist.
pub const NOT_FOUND: i32 = 127;
