//! Which initialize hook runs, in a file that outlives a reset of the environment: when Lambda cuts
//! an init off, nobody is left to say so, and the next start does. It holds the name of the hook
//! and nothing else.

use crate::process;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use tracing::warn;

const PATH: &str = "/tmp/.foreword/initialize";

/// Most bytes of a name that are told.
const LONGEST: usize = 200;

pub struct Note(Option<File>);

impl Note {
    /// Says what an earlier start has left, and is ready to note. Where nothing can be written,
    /// nothing is noted.
    pub fn begin() -> Self {
        let open = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .mode(0o600)
                .custom_flags(process::WITHOUT_FOLLOWING | process::WITHOUT_WAITING)
                .open(PATH)
        };
        let opened = open().or_else(|error| match error.kind() {
            ErrorKind::NotFound => {
                DirBuilder::new()
                    .mode(0o700)
                    .create(Path::new(PATH).parent().expect("it is in a directory"))?;
                open()
            }
            _ => Err(error),
        });
        let mut left = String::new();
        if let Ok(file) = &opened
            && file.take(LONGEST as u64).read_to_string(&mut left).is_ok()
            && let Some(name) = left.lines().next()
        {
            warn!(
                "the init before this one was cut off while hook {name:?} (initialize) ran; see \
                 what it waits for, or lower its \"timeout_ms\""
            );
        }
        Self(opened.ok())
    }

    /// Notes that a hook runs from now on.
    pub fn runs(&self, name: &str) {
        if let Some(file) = &self.0 {
            let _ = file.write_all_at(format!("{name}\n").as_bytes(), 0);
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if self.0.is_some() {
            let _ = fs::remove_file(PATH);
        }
    }
}
