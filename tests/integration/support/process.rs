//! Starts a command with exactly the environment that a test says: order, duplicates and entries
//! without `=` included, which `std::process::Command` would tidy up. Standard streams are files in
//! the test's directory.

use super::TestDirectory;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A started command, leader of a process group of its own.
pub struct Process {
    pid: Pid,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// `env -C` is what changes the working directory: it hands the environment on as it is.
    pub fn start(
        directory: &TestDirectory,
        command: &[OsString],
        environment: &[OsString],
        stdin: &[u8],
    ) -> Self {
        let stream = |name: &str| directory.path(&format!(".{name}"));
        let (input, stdout, stderr) = (stream("stdin"), stream("stdout"), stream("stderr"));
        fs::write(&input, stdin).expect("unable to write standard input");

        let streams = [File::open(&input), File::create(&stdout), File::create(&stderr)]
            .map(|file| file.expect("unable to open"));
        for stream in [&input, &stdout, &stderr] {
            // Who opens /dev/stdout opens the file behind it anew.
            directory.own(stream);
        }
        let mut files = PosixSpawnFileActions::init().unwrap();
        for (descriptor, file) in streams.iter().enumerate() {
            files.add_dup2(file.as_raw_fd(), descriptor as i32).unwrap();
        }
        // Whoever started the tests may have left descriptors open for them: none of the command's
        // business.
        for descriptor in open_descriptors().filter(|descriptor| *descriptor > 2) {
            files.add_close(descriptor).unwrap();
        }
        let mut attributes = PosixSpawnAttr::init().unwrap();
        attributes.set_pgroup(Pid::from_raw(0)).unwrap();
        // Rust's own standard library ignores SIGPIPE in the test process; Lambda's init does not.
        attributes.set_sigdefault(&SigSet::all()).unwrap();
        attributes
            .set_flags(
                PosixSpawnFlags::POSIX_SPAWN_SETPGROUP | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
            )
            .unwrap();

        let change_directory = ["env", "-C"]
            .map(OsStr::new)
            .into_iter()
            .chain([directory.path("").as_os_str()])
            .map(c_string)
            .collect::<Vec<_>>();
        let arguments =
            change_directory.into_iter().chain(command.iter().map(|argument| c_string(argument)));
        let environment: Vec<_> = environment.iter().map(|entry| c_string(entry)).collect();
        let _starting = no_start();
        let pid = posix_spawn(
            "/usr/bin/env",
            &files,
            &attributes,
            &arguments.collect::<Vec<_>>(),
            &environment,
        )
        .expect("unable to start env");
        Self { pid, stdout, stderr }
    }

    /// Waits for the end and returns the exit status as a shell has it: a death by signal n is 128
    /// + n. Panics when the limit has passed.
    #[track_caller]
    pub fn finish(&self, limit: Duration) -> i32 {
        let mut status = None;
        let finished = wait_until(limit, || {
            status = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).unwrap() {
                WaitStatus::Exited(_, code) => Some(code),
                WaitStatus::Signaled(_, signal, _) => Some(128 + signal as i32),
                _ => None,
            };
            status.is_some()
        });
        if !finished {
            let _ = killpg(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
        status.unwrap_or_else(|| {
            let stderr = String::from_utf8_lossy(&self.stderr()).into_owned();
            panic!("still running after {limit:?}, standard error so far:\n{stderr}")
        })
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    pub fn terminate(&self) {
        let _ = kill(self.pid, Signal::SIGTERM);
    }

    pub fn environment(&self) -> Vec<u8> {
        fs::read(format!("/proc/{}/environ", self.pid)).expect("unable to read the environment")
    }

    pub fn stdout(&self) -> Vec<u8> {
        fs::read(&self.stdout).expect("unable to read standard output")
    }

    pub fn stderr(&self) -> Vec<u8> {
        fs::read(&self.stderr).expect("unable to read standard error")
    }
}

/// Polls a condition until it holds; says whether it did within the limit.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(1));
    }
}

/// While the guard lives, no test starts a process. One that is being started holds, until its
/// `exec`, whatever file another test is writing, and the kernel executes no file that someone may
/// write to (`ETXTBSY`).
pub fn no_start() -> MutexGuard<'static, ()> {
    static STARTING: Mutex<()> = Mutex::new(());
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills every process whose initial environment has this entry, whatever its group or session,
/// until none is left.
pub fn end_all(entry: &[u8]) {
    wait_until(Duration::from_secs(10), || {
        let left = having(entry);
        for pid in &left {
            let _ = kill(*pid, Signal::SIGKILL);
        }
        left.is_empty()
    });
}

pub fn having(entry: &[u8]) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").expect("unable to list processes").flatten();
    let has = |process: &fs::DirEntry| {
        // One that has ended in the meantime, or is not ours to read, is none of the test's.
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|known| known == entry)
    };
    let pid = |process: fs::DirEntry| process.file_name().to_str()?.parse().ok().map(Pid::from_raw);
    processes.filter(has).filter_map(pid).collect()
}

/// Where a process belongs, as /proc/PID/stat has it; nothing when it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `R`, `S`, `T` when stopped, `Z` for one that has ended and that its parent has not seen.
    pub state: char,
    pub parent: Pid,
    pub group: Pid,
    pub session: Pid,
}

impl Stat {
    pub fn of(pid: Pid) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // A name can hold anything; what follows it cannot.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.chars().next()?;
        let mut pid = || fields.next()?.parse().ok().map(Pid::from_raw);
        Some(Self { state, parent: pid()?, group: pid()?, session: pid()? })
    }
}

/// Whether a process has ended, and whoever started it has seen that. One without a parent is the
/// machine's to bury.
pub fn is_gone(pid: Pid) -> bool {
    Stat::of(pid).is_none_or(|stat| stat.state == 'Z' && stat.parent == Pid::from_raw(1))
}

/// What a process has started and whose status it has not asked for.
pub fn children(pid: Pid) -> Vec<Pid> {
    let listed = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists =
        listed.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| {
            list.split_whitespace().flat_map(str::parse).map(Pid::from_raw).collect::<Vec<_>>()
        })
        .collect()
}

/// The descriptors of a process and what each stands for, as /proc/PID/fd shows it.
pub fn descriptors(pid: Pid) -> BTreeMap<i32, String> {
    let listed =
        fs::read_dir(format!("/proc/{pid}/fd")).expect("unable to list descriptors").flatten();
    let target = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
        Some((entry.file_name().to_str()?.parse().ok()?, target))
    };
    listed.filter_map(target).collect()
}

fn open_descriptors() -> impl Iterator<Item = i32> {
    let listed = fs::read_dir("/proc/self/fd").expect("unable to list descriptors").flatten();
    listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn c_string(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).expect("no text of the kernel's holds a NUL")
}
