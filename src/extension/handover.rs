//! What the wrapper tells the extension, so that pre_stop hooks see what the runtime saw: over a socket that is no file and
//! that only processes of the same user may use. Nothing of it is written anywhere.

use crate::environ::Environ;
use crate::hooks::Received;
use crate::process;
use std::ffi::CStr;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

/// How long the wrapper waits for an extension that does not listen to it, and the extension for one who says nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait after something that went wrong.
const PAUSE: Duration = Duration::from_millis(10);

/// Two environments of the largest size that a process can be given, and a little more.
const LONGEST: u64 = 16 << 20;

/// What the wrapper knows when the runtime starts.
pub struct Handover<'h> {
    /// Lambda's identifier of the runtime.
    pub runtime: String,
    /// The places of the pre_stop hooks that apply.
    pub hooks: Vec<String>,
    pub received: Environ<'h>,
    /// What the runtime is given.
    pub environ: Environ<'h>,
}

/// Tells the extension of this environment.
///
/// # Errors
/// When there is none.
pub fn hand_over(
    hooks: impl Iterator<Item = String>,
    received: &Received,
    environ: &Environ,
    address: &str,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    for text in [received.runtime.to_owned()].into_iter().chain(hooks).chain([String::new()]) {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    received.environ.encode(&mut bytes);
    environ.encode(&mut bytes);
    let mut extension = UnixStream::connect_addr(&name(address)?)?;
    if !process::is_of_this_user(&extension) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    extension.set_write_timeout(Some(PATIENCE))?;
    extension.set_read_timeout(Some(PATIENCE))?;
    extension.write_all(&bytes)?;
    extension.shutdown(Shutdown::Write)?;
    // An environment can end as soon as its runtime has begun.
    extension.read_exact(&mut [0])
}

impl<'h> Handover<'h> {
    /// Understands what `hand_over` wrote; nothing when it is something else.
    pub fn decode(mut bytes: &'h [u8]) -> Option<Self> {
        let mut text = || {
            let text = CStr::from_bytes_until_nul(bytes).ok()?;
            bytes = &bytes[text.count_bytes() + 1..];
            text.to_str().ok().map(str::to_owned)
        };
        let runtime = text()?;
        let mut hooks = Vec::new();
        loop {
            match text()? {
                end if end.is_empty() => break,
                place => hooks.push(place),
            }
        }
        let (received, environ) = (Environ::decode(&mut bytes)?, Environ::decode(&mut bytes)?);
        Some(Self { runtime, hooks, received, environ })
    }
}

/// Listens to the wrapper.
pub struct Listener {
    socket: UnixListener,
    last: Mutex<Option<Arc<Vec<u8>>>>,
}

impl Listener {
    pub fn new(address: &str) -> io::Result<Self> {
        Ok(Self { socket: UnixListener::bind_addr(&name(address)?)?, last: Mutex::new(None) })
    }

    /// Takes whatever comes: a runtime that is started anew is told of anew.
    pub fn listen(&self) {
        loop {
            if self.socket.accept().and_then(|(wrapper, _)| self.take(wrapper)).is_err() {
                // Some errors come at once, and again at once.
                sleep(PAUSE);
            }
        }
    }

    /// Takes all that one of the same user says, and says that it was understood.
    fn take(&self, mut wrapper: UnixStream) -> io::Result<()> {
        if !process::is_of_this_user(&wrapper) {
            return Ok(());
        }
        wrapper.set_read_timeout(Some(PATIENCE))?;
        let mut bytes = Vec::new();
        (&wrapper).take(LONGEST).read_to_end(&mut bytes)?;
        if Handover::decode(&bytes).is_none() {
            return Ok(());
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(bytes));
        wrapper.write_all(&[0])
    }

    /// What came last.
    pub fn last(&self) -> Option<Arc<Vec<u8>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A name in no folder, and another one for each environment: where one machine has several of them, their
/// Runtime APIs have several addresses.
fn name(address: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("foreword/{address}"))
}
