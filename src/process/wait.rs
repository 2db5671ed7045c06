//! Waits for file descriptors and connections until a deadline, and sleeps. Replaces functions of
//! the standard library that fail where a sandbox refuses `restart_syscall`
//! (<https://man7.org/linux/man-pages/man2/restart_syscall.2.html>), as after a thaw.

use nix::errno::Errno;
use nix::poll::ppoll;
use nix::sys::signal::SigSet;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6};
use nix::sys::time::TimeSpec;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

pub use nix::poll::{PollFd, PollFlags};

/// The peer has shut down its writing half of a connection
/// (<https://man7.org/linux/man-pages/man2/poll.2.html>); nix has no name for it.
pub const PEER_CLOSED: PollFlags = PollFlags::from_bits_retain(nix::libc::POLLRDHUP);

/// Reports whether `poll` returned an event for a file descriptor: one that it was watched for, an
/// error or a hangup.
pub fn is_ready(watched: &PollFd) -> bool {
    // nix returns `None` for events that it has no name for.
    watched.any() != Some(false)
}

/// Waits until one of the file descriptors is ready, or the time comes. May return earlier.
///
/// # Errors
/// When the kernel refuses to wait, such as for lack of memory.
pub fn wait(watched: &mut [PollFd], until: Option<Instant>) -> nix::Result<()> {
    wait_with(watched, until, None)
}

/// Does the same under this signal mask; a signal that arrives ends the wait.
pub(super) fn wait_with(
    watched: &mut [PollFd],
    until: Option<Instant>,
    mask: Option<SigSet>,
) -> nix::Result<()> {
    let left =
        until.map(|until| TimeSpec::from_duration(until.saturating_duration_since(Instant::now())));
    match ppoll(watched, left, mask) {
        // In a sandbox that refuses `restart_syscall`, as Lambda's did until 2019, a wait across a
        // thaw ends with EPERM.
        Ok(_) | Err(Errno::EINTR | Errno::EPERM) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Connects to an address until a time. `TcpStream::connect_timeout` fails when its wait is
/// interrupted and a sandbox refuses `restart_syscall`.
///
/// # Errors
/// When the connection is refused, or not accepted in time (`TimedOut`).
pub fn connect(target: &SocketAddr, until: Instant) -> io::Result<TcpStream> {
    let family = match target {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = TcpStream::from(socket::socket(family, SockType::Stream, flags, None)?);
    let begun = match target {
        SocketAddr::V4(target) => socket::connect(stream.as_raw_fd(), &SockaddrIn::from(*target)),
        SocketAddr::V6(target) => socket::connect(stream.as_raw_fd(), &SockaddrIn6::from(*target)),
    };
    match begun {
        Ok(()) => {}
        Err(Errno::EINPROGRESS) => {
            let mut watched = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
            loop {
                wait(&mut watched, Some(until))?;
                if is_ready(&watched[0]) {
                    break;
                }
                if Instant::now() >= until {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            stream.take_error()?.map_or(Ok(()), Err)?;
        }
        Err(errno) => return Err(errno.into()),
    }
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Sleeps for a duration. `std::thread::sleep` panics where a sandbox refuses `restart_syscall`.
pub fn sleep(duration: Duration) {
    let until = Instant::now() + duration;
    while Instant::now() < until && wait(&mut [], Some(until)).is_ok() {}
}
