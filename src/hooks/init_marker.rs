//! A marker file with the name of the initialize hook that is running. Lambda ends an init at its
//! timeout without a chance to log anything
//! (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>) and starts another
//! one in the same environment: that one finds the file and logs the name. The file holds nothing else.

use crate::marker::{self, INITIALIZE};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use tracing::warn;

/// Most bytes of a hook's name that are read back.
const MAX_NAME: u64 = 200;

/// The marker of the running initialize hook; removes its file when it is dropped.
pub struct InitMarker(Option<File>);

impl InitMarker {
    /// Opens the marker, and logs the hook that was running when the init before this one ended.
    /// Where `/tmp` cannot be written to, there is no marker.
    pub fn open() -> Self {
        let opened = marker::open(INITIALIZE);
        let mut content = String::new();
        if let Ok(file) = &opened
            && file.take(MAX_NAME).read_to_string(&mut content).is_ok()
            && let Some(name) = content.lines().next()
        {
            warn!(
                "the init before this one was cut off while hook {name:?} (initialize) ran; see \
                 what it waits for, or lower its \"timeout_ms\""
            );
        }
        Self(opened.ok())
    }

    /// Writes the name of the hook that starts now.
    pub fn set_hook(&self, name: &str) {
        if let Some(file) = &self.0 {
            let _ = file.write_all_at(format!("{name}\n").as_bytes(), 0);
        }
    }
}

impl Drop for InitMarker {
    fn drop(&mut self) {
        if self.0.is_some() {
            let _ = fs::remove_file(INITIALIZE);
        }
    }
}
