//! Where a test's command runs: in a sandbox like Lambda's (`scripts/sandbox`), with directories of
//! the test that lie over others of the machine, for its run alone. What is executed keeps its
//! process ID.

use super::TestDirectory;
use std::ffi::OsString;
use std::fs;
use std::mem;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Says what happens where the machine lets nobody make a sandbox: with `required`, tests fail.
const POLICY: &str = "FOREWORD_TEST_SANDBOX";

/// Names system calls that are refused beyond those that Lambda is known to refuse, such as
/// `close_range=ENOSYS`.
const REFUSED: &str = "FOREWORD_TEST_REFUSED";

/// Stands there for what no filter of system calls can refuse: Unix sockets with a name in no
/// directory.
const ABSTRACT_SOCKETS: &str = "abstract-sockets";

/// Mounts the pairs in front of `--` and becomes what is behind it.
const MOUNT: &str =
    r#"while [ "$1" != -- ]; do mount --rbind "$1" "$2" || exit; shift 2; done; shift; exec "$@""#;

#[derive(Default)]
pub struct Sandbox {
    /// Directories of the test, and where they lie.
    views: Vec<(PathBuf, PathBuf)>,
    /// System calls that are not refused although Lambda refuses them.
    allowed: Vec<&'static str>,
    /// The other way round, each with its error.
    refused: Vec<String>,
    is_off: bool,
}

impl Sandbox {
    pub fn view(&mut self, directory: PathBuf, place: PathBuf) {
        self.views.push((directory, place));
    }

    pub fn allow(&mut self, call: &'static str) {
        self.allowed.push(call);
    }

    pub fn refuse(&mut self, call: &str) {
        self.refused.push(call.to_owned());
    }

    pub fn turn_off(&mut self) {
        self.is_off = true;
    }

    /// The command that makes all this and then becomes the given one.
    pub fn around(
        &self,
        directory: &TestDirectory,
        command: impl Iterator<Item = OsString>,
    ) -> Vec<OsString> {
        let sandbox = if self.is_off { None } else { PROGRAM.as_deref() };
        let mut whole = match sandbox {
            Some(program) => self.in_sandbox(program, directory),
            None => self.on_the_machine(),
        };
        whole.extend(command);
        whole
    }

    fn in_sandbox(&self, program: &Path, directory: &TestDirectory) -> Vec<OsString> {
        let mut whole: Vec<OsString> = vec![program.into()];
        let mut option = |words: &[&dyn AsRef<std::ffi::OsStr>]| {
            whole.extend(words.iter().map(|word| word.as_ref().to_owned()));
        };
        for (directory, place) in &self.views {
            // All that Lambda lets a function write to.
            let kind = if place.starts_with("/tmp") { "--writable-at" } else { "--bind" };
            option(&[&kind, directory, place]);
        }
        // Behind the views: one may lie over /tmp, where the directory is.
        option(&[&"--writable", &directory.path("")]);
        for shown in SHOWN.iter() {
            option(&[&"--show", shown]);
        }
        for call in &self.allowed {
            option(&[&"--allow", call]);
        }
        let refused_to_all = refused_to_all();
        let calls = refused_to_all.split_whitespace().filter(|&call| call != ABSTRACT_SOCKETS);
        for call in calls.chain(self.refused.iter().map(String::as_str)) {
            option(&[&"--refuse", &call]);
        }
        option(&[&"--user", &directory.user().to_string(), &"--"]);
        whole
    }

    /// Whoever is not root is it in a namespace of its own.
    fn on_the_machine(&self) -> Vec<OsString> {
        let mut whole: Vec<OsString> = Vec::new();
        if !self.views.is_empty() {
            whole.extend(["/usr/bin/unshare", "--mount"].map(OsString::from));
            if !is_root() {
                whole.push("--map-root-user".into());
            }
            whole.extend(["/bin/sh", "-c", MOUNT, "mount"].map(OsString::from));
            whole.extend(
                self.views.iter().flat_map(|(directory, place)| [directory.into(), place.into()]),
            );
            whole.push("--".into());
        }
        whole
    }
}

thread_local! {
    /// The user of the test that this thread runs.
    static USER: u32 = next_user();
}

/// The user of this test: one of its own, because Lambda's limit for processes counts all that a
/// user has.
pub fn user() -> u32 {
    if is_root() { USER.with(|&user| user) } else { this_user() }
}

/// Another one.
pub fn next_user() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let of_this_run = std::process::id() % 10_000 * 1_000;
    100_000 + of_this_run + COUNT.fetch_add(1, Ordering::Relaxed) % 1_000
}

/// The user of the tests' own process.
pub fn this_user() -> u32 {
    fs::metadata("/proc/self").expect("this process").uid()
}

/// Whether tests run in a sandbox.
pub fn is_available() -> bool {
    PROGRAM.is_some()
}

fn refused_to_all() -> String {
    std::env::var(REFUSED).unwrap_or_default()
}

/// Takes the name at which the extension beside this Runtime API would listen, if it is to do
/// without: as another user, so that neither extension nor wrapper has any use for it.
pub fn take_name_of_extension(address: &str) {
    if refused_to_all().split_whitespace().any(|call| call == ABSTRACT_SOCKETS) && is_root() {
        let name = SocketAddr::from_abstract_name(format!("foreword/{address}")).expect("a name");
        // It is taken as long as the tests run. One that was taken before stays so.
        if let Ok(listener) = UnixListener::bind_addr(&name) {
            mem::forget(listener);
        }
    }
}

pub fn is_root() -> bool {
    this_user() == 0
}

/// The program that makes the sandbox; none where it cannot.
static PROGRAM: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/sandbox");
    let built = Command::new(script).arg("--path").env_remove("CARGO_TARGET_DIR").output();
    let attempt = built.map_err(|error| error.to_string()).and_then(|built| {
        let said = |output: &[u8]| String::from_utf8_lossy(output).trim().to_owned();
        if !built.status.success() {
            return Err(said(&built.stderr));
        }
        let program = PathBuf::from(said(&built.stdout));
        let tried = Command::new(&program).args(["--", "/bin/true"]).current_dir("/").output();
        let tried = tried.map_err(|error| error.to_string())?;
        if tried.status.success() { Ok(program) } else { Err(said(&tried.stderr)) }
    });
    let is_required = std::env::var(POLICY).is_ok_and(|policy| policy == "required");
    attempt
        .inspect_err(|cause| {
            assert!(!is_required, "{cause}");
            eprintln!("these tests do not run in a sandbox like Lambda's: {cause}");
        })
        .ok()
});

/// What tests execute may lie below a directory that only its owner may search, such as root's
/// home.
static SHOWN: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let mut shown = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
    shown.extend(Path::new(super::foreword()).parent().map(Path::to_owned));
    #[cfg(feature = "real-parts")]
    {
        let python = super::real_part("python/bin/python3").canonicalize().unwrap_or_default();
        // The installation, with its library, is above its directory of programs.
        shown.extend(
            python
                .ancestors()
                .nth(2)
                .filter(|prefix| prefix.parent().is_some())
                .map(Path::to_owned),
        );
    }
    let is_new = |at: &usize| !(0..*at).any(|before| shown[*at].starts_with(&shown[before]));
    (0..shown.len()).filter(is_new).map(|at| shown[at].clone()).collect()
});
