//! Waiting for descriptors and connections, until something happens or a time comes.

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

/// The other side has ended its half of a connection (`poll(2)`), which nix has no name for.
pub const PEER_CLOSED: PollFlags = PollFlags::from_bits_retain(nix::libc::POLLRDHUP);

/// Whether what a descriptor was watched for has is_ready, or an error or end came in its place.
pub fn is_ready(watched: &PollFd) -> bool {
    // nix gives nothing for events that it has no name for.
    watched.any() != Some(false)
}

/// Sleeps until something happens to one of the descriptors, or the time comes; it may come back
/// for nothing.
///
/// # Errors
/// When the kernel has no memory for it.
pub fn wait(watched: &mut [PollFd], until: Option<Instant>) -> nix::Result<()> {
    wait_with(watched, until, None)
}

/// The same, with this mask of blocked signals meanwhile; a signal that arrives ends the sleep.
pub(super) fn wait_with(
    watched: &mut [PollFd],
    until: Option<Instant>,
    mask: Option<SigSet>,
) -> nix::Result<()> {
    let left =
        until.map(|until| TimeSpec::from_duration(until.saturating_duration_since(Instant::now())));
    match ppoll(watched, left, mask) {
        // After a thaw, sandboxes that refuse `restart_syscall` let a sleep end with EPERM (Lambda
        // did so until 2019).
        Ok(_) | Err(Errno::EINTR | Errno::EPERM) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Connects until a time. The standard library's function takes a wait that was only interrupted
/// for a failure where `restart_syscall` is refused.
///
/// # Errors
/// When nobody accepts the connection, or not in time (`TimedOut`).
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

/// Sleeps for that long. The standard library's function panics where `restart_syscall` is refused.
pub fn sleep(duration: Duration) {
    let until = Instant::now() + duration;
    while Instant::now() < until && wait(&mut [], Some(until)).is_ok() {}
}
