//! What the tool starts and has to end again, to the last descendant: whoever loses its parent
//! becomes a child of this process, so that everything that comes of a command can be found.

use super::child::CommandEnd;
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
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// How often to look whether processes that were killed are gone.
const LOOK: Duration = Duration::from_millis(2);

/// A command that was started, in a process group of its own.
pub struct SpawnedCommand {
    pid: Pid,
    ended: Arc<(Mutex<Option<CommandEnd>>, Condvar)>,
}

/// Those that come to be while it lives.
pub struct Descendants {
    /// Not of this one's making: they were there when it began.
    before: Vec<Pid>,
}

/// Makes this process the one that descendants without a parent come to, and lets output that
/// nobody reads any more be an error in the place of its end.
///
/// # Errors
/// When the kernel refuses one of these.
pub fn adopt_descendants() -> io::Result<Descendants> {
    // Ignored, as some parents leave it, SIGCHLD would let the kernel throw exit statuses away.
    Disposition::default_for(Signal::SIGCHLD)?.forget();
    Disposition::ignore(Signal::SIGPIPE)?.forget();
    set_child_subreaper(true)?;
    Ok(Descendants { before: descendants(&[]) })
}

impl SpawnedCommand {
    /// Starts a program with these words, without anything to read and with this for all that it
    /// writes. `at_end` is called when it has ended, and how is known by then.
    ///
    /// # Errors
    /// When it cannot be started.
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
        let nothing = File::open("/dev/null")?;
        files.add_dup2(nothing.as_raw_fd(), 0)?;
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
        let ended = Arc::new((Mutex::new(None), Condvar::new()));
        let told = Arc::clone(&ended);
        spawn(move || {
            *lock(&told.0) = Some(end_of(pid));
            told.1.notify_all();
            at_end();
        });
        Ok(Self { pid, ended })
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<CommandEnd> {
        *lock(&self.ended.0)
    }

    /// Waits for its end until then.
    pub fn ends_before(&self, until: Instant) -> bool {
        let mut status = lock(&self.ended.0);
        while status.is_none() {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            status =
                self.ended.1.wait_timeout(status, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Gives its group a signal, as long as it has not ended.
    pub fn signal(&self, signal: Signal) {
        if self.end().is_none() {
            let _ = killpg(self.pid, signal);
        }
    }
}

/// Waits for it.
fn end_of(pid: Pid) -> CommandEnd {
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
    /// Whether one of them that is this program, or the one at this path, has started something
    /// that still lives.
    pub fn has_wrapper_with_child(&self, other: &Path) -> bool {
        let identity =
            |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino())).ok();
        let programs = [identity(Path::new("/proc/self/exe")), identity(other)];
        let is_one = |pid: &Pid| {
            let program = identity(&Path::new("/proc").join(pid.to_string()).join("exe"));
            program.is_some() && programs.contains(&program)
        };
        let living = processes();
        let has_child = |pid: &Pid| living.iter().any(|(_, parent)| parent == pid);
        descendants(&self.before).iter().any(|pid| is_one(pid) && has_child(pid))
    }

    /// Kills all of them; says how many are still there at the end of the time.
    pub fn kill(&self, until: Instant) -> usize {
        loop {
            let left = descendants(&self.before);
            for &pid in &left {
                let _ = kill(pid, Signal::SIGKILL);
            }
            if left.is_empty() || Instant::now() >= until {
                return left.len();
            }
            sleep(LOOK);
        }
    }
}

/// All processes that live, each with its parent.
fn processes() -> Vec<(Pid, Pid)> {
    let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = listed.filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let stat =
            Stat::of(&fs::read(process.path().join("stat")).ok()?).filter(|stat| stat.lives)?;
        Some((Pid::from_raw(pid), Pid::from_raw(stat.parent)))
    });
    processes.collect()
}

fn descendants(but: &[Pid]) -> Vec<Pid> {
    let mut others: Vec<_> =
        processes().into_iter().filter(|(pid, _)| !but.contains(pid)).collect();
    let (mut found, mut parents) = (Vec::new(), vec![Pid::this()]);
    while let Some(of) = parents.pop() {
        let (children, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|&(_, parent)| parent == of);
        parents.extend(children.iter().map(|&(pid, _)| pid));
        found.extend(children.iter().map(|&(pid, _)| pid));
        others = rest;
    }
    found
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
