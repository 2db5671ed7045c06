//! The operating system: becoming another program, running one in a process group of its own, and
//! saying in plain words why that did not work. Decides nothing; the only user of nix.

mod child;
#[cfg(feature = "tool")]
mod descendants;
mod detach;
mod diagnosis;
mod execute;
mod latch;
#[cfg(feature = "tool")]
mod mounts;
mod raw;
mod stand_in;
mod stat;
mod streams;
mod wait;
mod watch;

pub use child::{CommandEnd, Job};
#[cfg(feature = "tool")]
pub use descendants::{Descendants, SpawnedCommand, adopt_descendants};
pub use detach::{Fork, Process, double_fork, fill_standard_streams};
pub use diagnosis::cause;
#[cfg(feature = "tool")]
pub use execute::is_in_path;
pub use execute::{Program, execute, would_start_this_program};
pub use latch::Latch;
#[cfg(feature = "tool")]
pub use mounts::{
    bind_mount, mount_tmpfs, mount_writable_tmpfs, remount_bind_read_only, remount_tmpfs_read_only,
    unshare_mounts,
};
pub use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
pub use nix::sys::signal::Signal;
pub use stand_in::StandIn;
pub use streams::OrphanOutput;
pub use wait::{PEER_CLOSED, PollFd, PollFlags, connect, is_ready, sleep, wait};

pub use watch::{Wake, Watch, end_by_signal};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{Linger, PeerCredentials};
use nix::sys::socket::{getsockopt, setsockopt};
use nix::unistd::write;
use raw::Disposition;
pub use raw::{Strings, arena::Arena};
use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Lets what is written for nobody be lost, in a process that stays and has several threads that
/// write.
pub fn ignore_broken_pipes() {
    if let Ok(disposition) = Disposition::ignore(Signal::SIGPIPE) {
        disposition.forget();
    }
}

/// Writes a line to standard error. One that cannot be written is lost: neither a reader that went
/// away nor a full disk may keep the runtime from starting.
pub fn write_to_standard_error(line: &[u8]) {
    let _ignored = Disposition::ignore(Signal::SIGPIPE);
    let mut rest = line;
    while !rest.is_empty() {
        match write(io::stderr(), rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Ends a connection with a reset, so that the other side does not take what came for all there is.
pub fn reset(connection: TcpStream) {
    let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    let _ = setsockopt(&connection, Linger, &at_once);
}

/// Whether the process at the other end of a connection is of the same user as this one.
pub fn is_of_this_user(connection: &UnixStream) -> bool {
    let this = fs::metadata("/proc/self").map(|about| about.uid());
    let other = getsockopt(connection, PeerCredentials).map(|of| of.uid());
    this.is_ok_and(|this| other == Ok(this))
}

/// Whether a path leads to the program that is running.
pub fn is_this_program(path: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino())).ok();
    let this = identity(Path::new("/proc/self/exe"));
    this.is_some() && this == identity(path)
}
