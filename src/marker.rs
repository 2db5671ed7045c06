//! Marker files in `/tmp/.foreword`. `/tmp` is what an execution environment keeps when Lambda
//! resets it
//! (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>). They hold no
//! secrets.

use crate::process;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

/// The directory of the markers.
const DIRECTORY: &str = "/tmp/.foreword";

/// The marker of an environment that was restored from a snapshot.
pub const RESTORED: &str = "/tmp/.foreword/restored";

/// The marker of an init; holds the name of the initialize hook that runs.
pub const INITIALIZE: &str = "/tmp/.foreword/initialize";

/// Opens a marker for reading and writing; creates it when it does not exist. Follows no symlink,
/// and does not wait for the other end of a FIFO.
///
/// # Errors
/// When `/tmp` is not writable, or a symlink or a directory is at the path.
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
