//! foreword as an extension: beside a Lambda that the test itself plays, or in an `/opt` of the
//! run's own.

use super::lambda::{Call, Lambda, Request, Settings};
use super::sandbox::take_name_of_extension;
use super::{Running, Test, normalise, text};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use std::path::Path;

/// What the platform calls the extension: the name of its file.
pub const NAME: &str = "foreword";

/// A Lambda that has started this one extension.
pub fn lambda() -> Lambda {
    Lambda::new(Settings {
        snap_start: false,
        extensions: vec![NAME.to_owned()],
        ..Settings::default()
    })
}

impl Test {
    /// Runs foreword as Lambda runs an extension.
    pub fn extension(self, lambda: &Lambda) -> Self {
        take_name_of_extension(lambda.address());
        self.named("extensions/foreword").runtime_api(lambda)
    }

    /// Gives these pre_stop hooks as the whole configuration.
    pub fn pre_stop(self, hooks: Value) -> Self {
        self.config(&json!({"hooks": {"pre_stop": hooks}}).to_string())
    }

    /// Starts an extension; comes back when it waits for its first event.
    #[track_caller]
    pub fn waits(self, lambda: &Lambda) -> Running {
        let run = self.extension(lambda).start();
        waits(lambda, 1);
        run
    }

    /// Makes a link in the test's directory.
    pub fn linked(self, name: &str, target: &Path) -> Self {
        self.directory.link(name, target);
        self
    }
}

/// A hook that writes its name.
pub fn echo(name: &str) -> Value {
    json!({"name": name, "command": ["/bin/echo", name]})
}

/// The line that a hook is worth which did what it should.
pub fn succeeded(name: &str) -> String {
    format!("foreword: hook \"{name}\" (pre_stop) succeeded after N ms\n")
}

/// Waits until an event has been asked for so often; gives the last request.
#[track_caller]
pub fn waits(lambda: &Lambda, nth: usize) -> Request {
    lambda
        .wait("a request for an event", |seen| seen.of(Call::ExtensionNext).nth(nth - 1).cloned())
        .unwrap()
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("unable to send a signal");
    }

    /// Waits for an end with exit status 0, and compares.
    #[track_caller]
    pub fn ends(&self, stdout: &str, stderr: &str) {
        let captured = self.finish();
        let [found_out, found_err] = [&captured.stdout, &captured.stderr]
            .map(|output| text(&normalise(output, &self.finished.directory)));
        assert_eq!((found_out.as_str(), found_err.as_str(), captured.status), (stdout, stderr, 0));
        assert!(self.finished.is_alone());
    }
}
