//! A named pipe that a process reads a line from, and so waits until the test opens it.

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

pub struct Gate(File);

impl Gate {
    pub fn new(path: &Path) -> Self {
        mkfifo(path, Mode::from_bits_truncate(0o644)).expect("unable to make a pipe");
        // Opened for reading and writing, a pipe needs nobody at its other end.
        Self(OpenOptions::new().read(true).write(true).open(path).expect("unable to open a pipe"))
    }

    /// Lets one process go on: the one that waits, or the next one that will.
    pub fn open(&mut self) {
        self.0.write_all(b"\n").expect("unable to open a gate");
    }
}
