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

use raw::Disposition;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Opens a FIFO that has no other end instead of waiting for one; a regular file knows no waiting.
pub const WITHOUT_WAITING: i32 = nix::libc::O_NONBLOCK;

/// Standard error, where a reader that went away is an error like any other: no SIGPIPE ends foreword.
pub struct StandardError {
    _ignored: nix::Result<Disposition>,
}

impl StandardError {
    pub fn open() -> Self {
        Self { _ignored: Disposition::ignore(Signal::SIGPIPE) }
    }
}

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Whether a path leads to the program that is running.
pub fn is_this_program(path: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino())).ok();
    let this = identity(Path::new("/proc/self/exe"));
    this.is_some() && this == identity(path)
}
