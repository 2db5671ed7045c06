//! Exit statuses, as `env`, `timeout` and `nohup` of GNU coreutils have them
//! (<https://www.gnu.org/software/coreutils/manual/html_node/Exit-status.html>).

/// A hook timed out.
pub const TIMED_OUT: i32 = 124;
/// foreword itself failed.
pub const FAILED: i32 = 125;
/// The program was found and cannot be executed.
pub const CANNOT_EXECUTE: i32 = 126;
/// There is no such program.
pub const NOT_FOUND: i32 = 127;
