//! What a run under SnapStart needs beyond any other: the initialization type, the Runtime API,
//! hooks of both kinds and a place of its own for what foreword leaves on the machine.

use super::Test;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where foreword keeps what has to outlive a reset of the environment. All runs of the machine
/// share it.
const KEPT: &str = "/tmp/.foreword";

/// What lies in its place, in the test's directory.
const KEPT_HERE: &str = "kept";

impl Test {
    /// A run under SnapStart.
    pub fn snap_start(self, lambda: impl AsRef<OsStr>) -> Self {
        let mut private = fs::DirBuilder::new();
        // Outside of the sandbox, a mount needs a place.
        private
            .mode(0o700)
            .recursive(true)
            .create(KEPT)
            .expect("unable to make a place for the mount");
        private.create(self.path(KEPT_HERE)).expect("unable to make a directory");
        self.over(KEPT_HERE, KEPT)
            .runtime_api(lambda)
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    }

    /// Lays a directory of the test over one of the machine, for this run alone. The directory comes with
    /// what is below it.
    pub fn over(mut self, directory: &str, place: impl AsRef<Path>) -> Self {
        let directory = self.path(directory);
        fs::create_dir_all(&directory).expect("unable to make a directory");
        self.directory.own(&directory);
        self.sandbox.view(directory, place.as_ref().to_owned());
        self
    }

    /// Gives these hooks as the whole configuration; those that succeed are not logged.
    pub fn snapshot_hooks(self, before_snapshot: Value, after_restore: Value) -> Self {
        let hooks = json!({"before_snapshot": before_snapshot, "after_restore": after_restore});
        self.config(&json!({"hooks": hooks}).to_string()).env("FOREWORD_LOG", "warn")
    }

    /// The file that says that the environment was restored from a snapshot.
    pub fn marker(&self) -> PathBuf {
        self.path(KEPT_HERE).join("restored")
    }
}

/// A hook that writes its phase and its name into the file `order`.
pub fn noting(phase: &str, name: &str) -> Value {
    json!({"name": name, "command": format!("echo {phase} {name} >>order")})
}

/// A hook that does the same and then waits until a `Gate` of this name is opened.
pub fn waiting(phase: &str, name: &str) -> Value {
    json!({"name": name, "command": format!("echo {phase} {name} >>order; read -r go <{name}")})
}
