//! Which initialize hook runs, in a file that outlives a reset of the environment: when Lambda cuts
//! an init off, nobody is left to say so, and the next start does. It holds the name of the hook
//! and nothing else.

use crate::marker::{self, INITIALIZE};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use tracing::warn;

/// Most bytes of a name that are told.
const LONGEST: usize = 200;

pub struct Note(Option<File>);

impl Note {
    /// Says what an earlier start has left, and is ready to note. Where nothing can be written,
    /// nothing is noted.
    pub fn begin() -> Self {
        let opened = marker::open(INITIALIZE);
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
            let _ = fs::remove_file(INITIALIZE);
        }
    }
}
