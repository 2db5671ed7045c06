//! The operating system: becomes another program, runs one in a process group of its own, and
//! explains why that failed. Decides nothing; the only user of nix.

mod child;
#[cfg(feature = "tool")]
mod descendants;
mod detach;
mod diagnosis;
mod directory;
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

pub use child::{CommandEnd, Finished, Job};
#[cfg(feature = "tool")]
pub use descendants::{Descendants, SpawnedCommand, adopt_descendants};
pub use detach::{Fork, Process, double_fork, fill_standard_streams};
pub use diagnosis::cause;
pub use directory::file_names;
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
pub use raw::{Strings, arena::Arena};
pub use stand_in::StandIn;
pub use streams::{OrphanOutput, StandardErrors};
pub use wait::{PEER_CLOSED, PollFd, PollFlags, connect, is_ready, sleep, wait};
pub use watch::{Wake, Watch, end_by_signal};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{Linger, PeerCredentials};
use nix::sys::socket::{getsockopt, setsockopt};
use nix::unistd::write;
use raw::Disposition;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Ignores SIGPIPE for the rest of the process, in which several threads may write.
pub fn ignore_broken_pipes() {
    if let Ok(disposition) = Disposition::ignore(Signal::SIGPIPE) {
        disposition.keep();
    }
}

/// Writes a line to standard error. Drops it on any error: neither a closed pipe nor a full disk
/// may keep the runtime from starting.
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

/// Closes a connection with a TCP reset, so that the peer does not take a truncated message for a
/// complete one.
#[expect(clippy::needless_pass_by_value, reason = "dropping the connection closes it")]
pub fn reset(connection: TcpStream) {
    let no_linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    let _ = setsockopt(&connection, Linger, &no_linger);
}

/// Reports whether the process at the other end of a connection runs as the same user as this one.
pub fn is_of_this_user(connection: &UnixStream) -> bool {
    let own = fs::metadata("/proc/self").map(|metadata| metadata.uid());
    let peer = getsockopt(connection, PeerCredentials).map(|credentials| credentials.uid());
    own.is_ok_and(|own| peer == Ok(own))
}

/// Reports whether a path leads to the executable of this process.
pub fn is_this_program(path: &Path) -> bool {
    let this = file_identity(Path::new("/proc/self/exe"));
    this.is_some() && this == file_identity(path)
}

/// Returns the path of the executable of this process.
///
/// # Errors
/// With a message when the kernel does not tell.
pub fn this_program() -> Result<PathBuf, String> {
    fs::read_link("/proc/self/exe")
        .map_err(|error| format!("unable to find foreword's own file: {}", cause(&error)))
}

/// Returns the device and inode of the file that a path leads to; equal pairs mean the same file.
fn file_identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok()
}
