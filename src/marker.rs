//! Files that an environment keeps when Lambda resets it, in a directory of foreword's own under
//! `/tmp`. They hold no secrets.

use crate::process;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

const DIRECTORY: &str = "/tmp/.foreword";

/// There since the restore of this environment was over.
pub const RESTORED: &str = "/tmp/.foreword/restored";

/// Holds the name of the initialize hook that runs.
pub const INITIALIZE: &str = "/tmp/.foreword/initialize";

/// Opens a marker for reading and writing, and makes it when it is not there. Follows no symlink,
/// and does not wait for the other end of a FIFO.
///
/// # Errors
/// When `/tmp` cannot be written to, or something else has the marker's name.
pub fn open(path: &str) -> io::Result<File> {
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(process::O_NOFOLLOW | process::O_NONBLOCK)
            .open(path)
    };
    open().or_else(|error| match error.kind() {
        ErrorKind::NotFound => {
            DirBuilder::new().mode(0o700).create(DIRECTORY)?;
            open()
        }
        _ => Err(error),
    })
}
