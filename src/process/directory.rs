//! Reads a directory without `opendir(3)`, whose memory musl would take from the kernel: that costs
//! a start as much as a 2 KB configuration (`scripts/bench.sh`, "empty drop-in directory").

use super::raw;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Room for some dozens of entries at a time.
const BUFFER: usize = 2048;

/// Where the fields of `linux_dirent64` are (`getdents64(2)`,
/// <https://man7.org/linux/man-pages/man2/getdents.2.html>): its length, and its name.
const LENGTH: usize = 16;
const NAME: usize = 19;

/// Returns the names in a directory, in no order, without `.` and `..`.
///
/// # Errors
/// When the path is not a directory or cannot be read.
// Of its own, so that a start that reads no directory does not touch a page of stack for its
// buffer.
#[inline(never)]
pub fn file_names(path: &Path) -> io::Result<Vec<OsString>> {
    let directory = File::options().read(true).custom_flags(nix::libc::O_DIRECTORY).open(path)?;
    let (mut names, mut buffer) = (Vec::new(), [0; BUFFER]);
    loop {
        let filled = raw::getdents64(directory.as_fd(), &mut buffer)?;
        let mut entries = &buffer[..filled];
        if entries.is_empty() {
            return Ok(names);
        }
        while let Some(&[low, high]) = entries.get(LENGTH..LENGTH + 2) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let Some((entry, rest)) = entries.split_at_checked(length) else { break };
            entries = rest;
            let name = entry.get(NAME..).unwrap_or_default().split(|&byte| byte == 0).next();
            names.extend(
                name.filter(|name| !matches!(*name, b"" | b"." | b".."))
                    .map(|name| OsStr::from_bytes(name).to_owned()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_of_a_directory_that_takes_several_reads_are_complete() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(file_names(directory.path()).expect("names"), [""; 0]);
        let mut expected: Vec<OsString> =
            (0..200).map(|number| format!("{}{number}", "x".repeat(number)).into()).collect();
        for name in &expected {
            fs::write(directory.path().join(name), "").expect("a file");
        }
        let mut names = file_names(directory.path()).expect("names");
        names.sort();
        expected.sort();
        assert_eq!(names, expected);
    }

    #[test]
    fn path_of_no_directory_is_an_error() {
        for (path, kind) in [
            ("/nonexistent", io::ErrorKind::NotFound),
            ("/proc/self/status", io::ErrorKind::NotADirectory),
        ] {
            let error = file_names(Path::new(path)).expect_err(path);
            assert_eq!(error.kind(), kind, "{path}");
        }
    }
}
