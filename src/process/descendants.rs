//! Starts commands for the tool and kills all of their descendants in the end. As a subreaper
//! (`PR_SET_CHILD_SUBREAPER`, <https://man7.org/linux/man-pages/man2/prctl.2.html>) this process
//! adopts orphans, so that it finds them in `/proc`.

use super::child::CommandEnd;
use super::file_identity;
use super::raw::Disposition;
use super::stat::Stat;
use crate::environ::Environ;
use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// How often to poll for the end of killed processes.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// A started command, which leads a process group of its own.
pub struct SpawnedCommand {
    pid: Pid,
    /// How it ended, once it has.
    end: Arc<(Mutex<Option<CommandEnd>>, Condvar)>,
}

/// The descendants of this process that started after it began to adopt orphans.
pub struct Descendants {
    /// The descendants from before, which a parent may have left.
    before: Vec<Pid>,
}

/// Lets this process adopt orphaned descendants. Also ignores SIGPIPE, so that writing to a closed
/// pipe is an error instead of this process's end.
///
/// # Errors
/// When the kernel refuses a system call.
pub fn adopt_descendants() -> io::Result<Descendants> {
    // Some parents leave SIGCHLD ignored; the kernel would then discard exit statuses.
    Disposition::default_for(Signal::SIGCHLD)?.keep();
    Disposition::ignore(Signal::SIGPIPE)?.keep();
    set_child_subreaper(true)?;
    Ok(Descendants { before: descendants(&[]) })
}

impl SpawnedCommand {
    /// Starts a program with these words as `argv`, `/dev/null` as standard input and `output` as
    /// standard output and standard error. Calls `at_end` from another thread after the command has
    /// ended.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn new(
        program: &OsStr,
        words: &[OsString],
        environ: &Environ,
        output: impl AsFd,
        at_end: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let words = words
            .iter()
            .map(|word| CString::new(word.as_bytes()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut files = PosixSpawnFileActions::init()?;
        let null = File::open("/dev/null")?;
        files.add_dup2(null.as_raw_fd(), 0)?;
        for stream in [1, 2] {
            files.add_dup2(output.as_fd().as_raw_fd(), stream)?;
        }
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_pgroup(Pid::from_raw(0))?;
        attributes.set_sigdefault(&SigSet::all())?;
        attributes.set_sigmask(&SigSet::empty())?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
        )?;
        let pid = posix_spawn(Path::new(program), &files, &attributes, &words, &environ.entries())?;
        let end = Arc::new((Mutex::new(None), Condvar::new()));
        let command = Self { pid, end: Arc::clone(&end) };
        spawn(move || {
            *lock(&end.0) = Some(wait_for(pid));
            end.1.notify_all();
            at_end();
        });
        Ok(command)
    }

    /// Returns how the command ended, or `None` while it runs.
    pub fn end(&self) -> Option<CommandEnd> {
        *lock(&self.end.0)
    }

    /// Waits until a time for the command to end; reports whether it did.
    pub fn wait_for_end(&self, until: Instant) -> bool {
        let mut end = lock(&self.end.0);
        while end.is_none() {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            end = self.end.1.wait_timeout(end, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Sends a signal to the command's process group, unless the command has ended.
    pub fn signal(&self, signal: Signal) {
        if self.end().is_none() {
            let _ = killpg(self.pid, signal);
        }
    }
}

/// Waits for a child to end and reaps it.
fn wait_for(pid: Pid) -> CommandEnd {
    loop {
        match waitid(Id::Pid(pid), WaitPidFlag::WEXITED) {
            Ok(WaitStatus::Exited(_, status)) => return CommandEnd::Exited(status),
            Ok(WaitStatus::Signaled(_, signal, _)) => return CommandEnd::Killed(Some(signal)),
            Ok(_) | Err(Errno::EINTR) => {}
            // nix has no name for real-time signals.
            Err(_) => return CommandEnd::Killed(None),
        }
    }
}

impl Descendants {
    /// Reports whether a descendant that runs this executable, or the one at `wrapper`, has a
    /// running child.
    pub fn has_wrapper_with_child(&self, wrapper: &Path) -> bool {
        let wrappers = [file_identity(Path::new("/proc/self/exe")), file_identity(wrapper)];
        let is_wrapper = |pid: &Pid| {
            let executable = file_identity(&Path::new("/proc").join(pid.to_string()).join("exe"));
            executable.is_some() && wrappers.contains(&executable)
        };
        let running = processes();
        let has_child = |pid: &Pid| running.iter().any(|(_, parent)| parent == pid);
        descendants(&self.before).iter().any(|pid| is_wrapper(pid) && has_child(pid))
    }

    /// Kills all descendants and waits until a time for their end; returns how many are left.
    pub fn kill(&self, until: Instant) -> usize {
        loop {
            let left = descendants(&self.before);
            for &pid in &left {
                let _ = kill(pid, Signal::SIGKILL);
            }
            if left.is_empty() || Instant::now() >= until {
                return left.len();
            }
            sleep(POLL_INTERVAL);
        }
    }
}

/// Returns the process ids of all running processes, each with its parent's.
fn processes() -> Vec<(Pid, Pid)> {
    let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = listed.filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let stat = Stat::parse(&fs::read(process.path().join("stat")).ok()?)
            .filter(|stat| stat.is_alive)?;
        Some((Pid::from_raw(pid), Pid::from_raw(stat.parent)))
    });
    processes.collect()
}

/// Returns the running descendants of this process, without the excluded ones and what descends
/// from them.
fn descendants(excluded: &[Pid]) -> Vec<Pid> {
    let mut others: Vec<_> =
        processes().into_iter().filter(|(pid, _)| !excluded.contains(pid)).collect();
    let (mut found, mut parents) = (Vec::new(), vec![Pid::this()]);
    while let Some(current) = parents.pop() {
        let (children, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|&(_, parent)| parent == current);
        parents.extend(children.iter().map(|&(pid, _)| pid));
        found.extend(children.iter().map(|&(pid, _)| pid));
        others = rest;
    }
    found
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
