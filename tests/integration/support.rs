//! Builds one run of foreword and compares all of its output, so that silence is asserted too. Each
//! run has a directory of its own as `LAMBDA_TASK_ROOT` and working directory, and only the
//! environment that the test sets. Tests share nothing, and no process outlives its test.

pub mod client;
#[cfg(feature = "real-parts")]
mod emulator;
pub mod extension;
mod gate;
pub mod lambda;
mod output;
mod played;
pub mod process;
#[cfg(feature = "real-parts")]
mod restoring_proxy;
mod runtime_api;
pub mod sandbox;
pub mod server;
pub mod snap_start;
mod test_directory;
#[cfg(feature = "tool")]
pub mod timeline;
#[cfg(feature = "tool")]
pub mod zip;

pub use client::Client;
#[cfg(feature = "real-parts")]
pub use emulator::{Answer, Emulator, real_part};
pub use gate::Gate;
pub use played::Played;
pub use process::wait_until;
#[cfg(feature = "real-parts")]
pub use restoring_proxy::RestoringProxy;
pub use runtime_api::{REFUSED, Reaction, RuntimeApi};
pub use test_directory::TestDirectory;

use nix::unistd::Pid;
pub use output::normalise;
use output::{difference, replace, text};
use process::Process;
use sandbox::Sandbox;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Stands for the test's directory in what a test gives or expects.
pub const DIRECTORY: &str = "<folder>";

/// An interpreter that runs nothing: it prints its command line and its environment, byte for byte,
/// each entry followed by a NUL, with a line break between the two. The kernel puts `/bin/sh` and
/// the script in place of `argv[0]`.
pub const DUMP: &str = "#!/bin/sh\n/bin/cat /proc/$$/cmdline\necho\n/bin/cat /proc/$$/environ\n";

/// A test that takes longer than this hangs.
pub const LIMIT: Duration = Duration::from_mins(1);

/// The time that a busy machine may add to a limit of Lambda's or foreword's.
pub const BUSY: Duration = Duration::from_secs(2);

/// The machine's own directories of programs.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns the foreword to test: `FOREWORD_UNDER_TEST`, such as a program that starts another
/// architecture's foreword under an emulator, or else the one that was built with the tests.
pub fn foreword() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        std::env::var("FOREWORD_UNDER_TEST")
            .unwrap_or_else(|_| env!("CARGO_BIN_EXE_foreword").to_owned())
    });
    &PATH
}

/// One run: its files, command and environment, and the expected output.
pub struct Test {
    directory: TestDirectory,
    /// A command that executes the program.
    parent: Vec<OsString>,
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<OsString>,
    sandbox: Sandbox,
    stdin: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    status: i32,
}

/// What a run left whose output was as expected. The directory is removed when this is dropped.
pub struct Finished {
    pub directory: TestDirectory,
}

/// A run that goes on until it is told to end. When it is dropped, it ends with everything that it
/// started.
pub struct Running {
    process: Process,
    /// What the run will leave.
    pub finished: Finished,
}

/// The output of a run, not normalized, for tests that compare two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub status: i32,
}

impl Test {
    pub fn new() -> Self {
        let directory = TestDirectory::new();
        let mut test = Self {
            parent: Vec::new(),
            program: foreword().into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            sandbox: Sandbox::default(),
            stdin: Vec::new(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            status: 0,
            directory,
        };
        test = test.env("PATH", PATH).env("LAMBDA_TASK_ROOT", DIRECTORY);
        test.env("FOREWORD_DROPIN_DIR", "<folder>/foreword.d")
    }

    /// Sets a variable; an existing one keeps its place. Names and values may have any bytes.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let (name, value) = (name.as_ref().as_bytes(), self.directory.resolve(value.as_ref()));
        let entry = OsString::from_vec([name, b"=", value.as_bytes()].concat());
        let mut known = self.environment.iter_mut();
        match known.find(|entry| is_named(entry, name)) {
            Some(place) => *place = entry,
            None => self.environment.push(entry),
        }
        self
    }

    pub fn env_remove(mut self, name: &str) -> Self {
        self.environment.retain(|entry| !is_named(entry, name.as_bytes()));
        self
    }

    /// Adds an entry of the environment as it is, even a duplicate or one without `=`.
    pub fn raw_env(mut self, entry: impl AsRef<OsStr>) -> Self {
        self.environment.push(entry.as_ref().to_owned());
        self
    }

    /// Sets the configuration inline, in `FOREWORD_CONFIG`.
    pub fn config(self, json: &str) -> Self {
        self.env("FOREWORD_CONFIG", json)
    }

    /// Sets these initialize hooks as the whole configuration; hooks that succeed are not logged.
    pub fn hooks(self, list: serde_json::Value) -> Self {
        let config = serde_json::json!({"hooks": {"initialize": list}});
        self.config(&config.to_string()).env("FOREWORD_LOG", "warn")
    }

    /// Writes a file into the test's directory, and makes its parents.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.directory.write(name, content.as_ref(), 0o644);
        self
    }

    /// Writes an executable file.
    pub fn script(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.directory.write(name, content.as_ref(), 0o755);
        self
    }

    /// Sets the arguments of foreword, or the whole command with `without_foreword`.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        let resolved =
            arguments.into_iter().map(|argument| self.directory.resolve(argument.as_ref()));
        self.arguments = resolved.collect();
        // `simulate` makes an environment of its own, on a developer's machine.
        if self.arguments.first().is_some_and(|first| first == "simulate") {
            return self.on_the_machine();
        }
        self
    }

    /// Runs foreword under another name (`bootstrap`, `extensions/foreword`), by a symlink in the
    /// test's directory.
    pub fn named(mut self, name: &str) -> Self {
        self.directory.link(name, Path::new(foreword()));
        self.program = self.directory.path(name).into();
        self
    }

    /// Runs a copy of foreword in the test's directory, so that other files can lie beside it.
    pub fn copied(mut self, name: &str) -> Self {
        let foreword = std::fs::read(foreword()).expect("foreword");
        self.directory.write(name, &foreword, 0o755);
        self.program = self.directory.path(name).into();
        self
    }

    /// Puts a command before the whole, such as a parent that prepares something.
    pub fn within<A: AsRef<OsStr>>(mut self, command: impl IntoIterator<Item = A>) -> Self {
        self.parent =
            command.into_iter().map(|word| self.directory.resolve(word.as_ref())).collect();
        self
    }

    /// Runs the arguments themselves as the command, for comparison.
    pub fn without_foreword(mut self) -> Self {
        self.program = OsString::new();
        self
    }

    pub fn runtime_api(self, address: impl AsRef<OsStr>) -> Self {
        self.env("AWS_LAMBDA_RUNTIME_API", address)
    }

    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// Expects this on standard output, after `normalise`.
    pub fn stdout(mut self, expected: impl AsRef<[u8]>) -> Self {
        self.stdout = expected.as_ref().to_vec();
        self
    }

    /// Expects this on standard error, after `normalise`.
    pub fn stderr(mut self, expected: impl AsRef<[u8]>) -> Self {
        self.stderr = expected.as_ref().to_vec();
        self
    }

    /// Expects this exit status; a process killed by signal n has 128 + n.
    pub fn status(mut self, expected: i32) -> Self {
        self.status = expected;
        self
    }

    /// Returns a path in the test's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path(name)
    }

    /// Shares the environment of another run of this test: the same `/tmp`.
    pub fn beside(mut self, other: &mut Self) -> Self {
        let tmp = other.path("tmp");
        std::fs::create_dir_all(&tmp).expect("unable to make a directory");
        other.directory.own(&tmp);
        for sandbox in [&mut self.sandbox, &mut other.sandbox] {
            sandbox.view(tmp.clone(), "/tmp".into());
        }
        self
    }

    /// Runs as another user than all other runs of this test.
    pub fn of_another_user(mut self) -> Self {
        self.directory.set_user(sandbox::next_user());
        self
    }

    /// Allows a system call that Lambda refuses, to test its use.
    pub fn allowing(mut self, call: &'static str) -> Self {
        self.sandbox.allow(call);
        self
    }

    /// Refuses one more system call, such as `close_range=ENOSYS`.
    pub fn refusing(mut self, call: &str) -> Self {
        self.sandbox.refuse(call);
        self
    }

    /// Runs outside of the sandbox: for commands of a developer's machine, and for what only root
    /// can do.
    pub fn on_the_machine(mut self) -> Self {
        self.sandbox.turn_off();
        self.directory.set_user(sandbox::this_user());
        self
    }

    /// Runs and compares.
    #[track_caller]
    pub fn run(self) -> Finished {
        let captured = self.capture();
        let expected = (text(&self.stdout), text(&self.stderr), self.status);
        let stdout = normalise(&captured.stdout, &self.directory);
        let stderr = normalise(&captured.stderr, &self.directory);
        let found = (text(&stdout), text(&stderr), captured.status);
        assert!(
            (&stdout, &stderr, captured.status) == (&self.stdout, &self.stderr, self.status),
            "\n{:?}\n{}",
            self.arguments,
            difference(&expected, &found)
        );
        Finished { directory: self.directory }
    }

    /// Runs, and returns the output for the caller to compare. May be called again; the directory
    /// stays.
    #[track_caller]
    pub fn capture(&self) -> Captured {
        let process =
            Process::start(&self.directory, &self.command(), &self.environment, &self.stdin);
        let status = process.finish(LIMIT);
        Captured { stdout: process.stdout(), stderr: process.stderr(), status }
    }

    /// Returns what earlier runs left.
    pub fn finished(self) -> Finished {
        Finished { directory: self.directory }
    }

    /// Starts a run that the caller ends.
    pub fn start(self) -> Running {
        let process =
            Process::start(&self.directory, &self.command(), &self.environment, &self.stdin);
        Running { process, finished: Finished { directory: self.directory } }
    }

    /// Runs under AWS's emulator, which sets `_HANDLER` to the last argument.
    #[cfg(feature = "real-parts")]
    pub fn emulate(self) -> Emulator {
        let words: Vec<_> = self.words().collect();
        Emulator::start(self.directory, &words, self.environment, &self.sandbox)
    }

    fn command(&self) -> Vec<OsString> {
        self.sandbox.around(&self.directory, self.words())
    }

    fn words(&self) -> impl Iterator<Item = OsString> {
        let program = Some(self.program.clone()).filter(|program| !program.is_empty());
        let command = program.into_iter().chain(self.arguments.iter().cloned());
        self.parent.iter().cloned().chain(command)
    }
}

impl Running {
    /// Returns the environment that the process got by its last `exec`.
    pub fn environment(&self) -> Vec<OsString> {
        let environment = self.process.environment();
        let entries = environment.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        entries.map(|entry| OsString::from_vec(entry.to_owned())).collect()
    }

    /// Sends SIGTERM to the process, and waits for its end.
    #[track_caller]
    pub fn terminate(&self) -> Captured {
        self.process.terminate();
        self.finish()
    }

    /// Waits for the end.
    #[track_caller]
    pub fn finish(&self) -> Captured {
        let status = self.process.finish(LIMIT);
        Captured { stdout: self.process.stdout(), stderr: self.process.stderr(), status }
    }

    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Returns what it has written to standard output so far.
    pub fn stdout(&self) -> Vec<u8> {
        self.process.stdout()
    }

    /// Returns what it has written to standard error so far.
    pub fn stderr(&self) -> Vec<u8> {
        self.process.stderr()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the run's output:\n{}",
                text(&[self.process.stdout(), self.process.stderr()].concat())
            );
        }
    }
}

impl Finished {
    /// Waits for the end of all processes that the run started, and reports whether they ended.
    pub fn is_alone(&self) -> bool {
        wait_until(LIMIT, || process::having(&task_root(&self.directory)).is_empty())
    }

    /// Returns the text of a file that the run left in its directory.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        let path = self.directory.path(name);
        std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("unable to read {}: {error}", path.display()))
    }
}

/// Returns the time in milliseconds since 1970, as in Lambda's deadlines.
pub fn epoch_milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
    now.as_millis().try_into().expect("a time of these days")
}

/// Returns the environment entry that identifies the processes of a test.
fn task_root(directory: &TestDirectory) -> Vec<u8> {
    [b"LAMBDA_TASK_ROOT=", directory.as_bytes()].concat()
}

fn is_named(entry: &OsStr, name: &[u8]) -> bool {
    entry.as_bytes().strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="))
}
