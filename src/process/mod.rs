//! The operating system: becoming another program, running one in a process group of its own, and saying
//! in plain words why that did not work. Decides nothing; the only user of nix.

mod child;
mod diagnosis;
mod execute;
mod raw;

pub use child::{End, Request, Watch, die_of};
pub use diagnosis::cause;
pub use execute::{execute, is_in_path};
pub use nix::sys::signal::Signal;

use nix::errno::Errno;
use nix::unistd::write;
use raw::Disposition;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Opens a FIFO that has no other end instead of waiting for one; a regular file knows no waiting.
pub const WITHOUT_WAITING: i32 = nix::libc::O_NONBLOCK;

/// Writes a line to standard error. One that cannot be written is lost: neither a reader that went away nor a full disk
/// may keep the runtime from starting.
pub fn write_to_standard_error(line: &[u8]) {
    let _ignored = Disposition::ignore(Signal::SIGPIPE);
    let mut rest = line;
    while !rest.is_empty() {
        match write(io::stderr(), rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Whether a path leads to the program that is running.
pub fn is_this_program(path: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino())).ok();
    let this = identity(Path::new("/proc/self/exe"));
    this.is_some() && this == identity(path)
}
