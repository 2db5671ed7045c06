//! The message from the wrapper to the extension, over a Unix socket: the `pre_stop` hooks, and the
//! environment of the runtime for them. Only processes of the same user are listened to, and
//! nothing is written to a file: the environment has secrets.

use crate::config::Hook;
use crate::config::encode::{put_hook, take_hook};
use crate::environ::Environ;
use crate::lambda::LambdaContext;
use crate::process::{self, sleep};
use crate::wire::{Reader, Writer};
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The timeout of the wrapper for an extension that does not read, and of the extension for a peer
/// that does not write.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The pause after a failed connection.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// Most bytes of a message: two environments of the largest size that execve(2) accepts (6 MiB),
/// and the hooks.
const MAX_MESSAGE: u64 = 16 << 20;

/// The name of the socket where it is a file.
const SOCKET: &str = "socket";

/// A message.
pub struct Handover<'h> {
    /// Lambda's identifier of the runtime.
    pub runtime: &'h str,
    /// The `pre_stop` hooks that apply, in the order in which they run.
    pub hooks: Vec<Hook<'h>>,
    /// The environment as Lambda gave it.
    pub received: Environ<'h>,
    /// The environment of the runtime.
    pub environ: Environ<'h>,
}

impl<'h> Handover<'h> {
    /// Decodes a message of [`hand_over`]; returns `None` for anything else.
    pub fn decode(mut bytes: &'h [u8]) -> Option<Self> {
        let mut items = Reader(bytes);
        let (runtime, hooks) = (items.take_str()?, items.take_list(take_hook)?);
        bytes = items.0;
        let (received, environ) = (Environ::decode(&mut bytes)?, Environ::decode(&mut bytes)?);
        Some(Self { runtime, hooks, received, environ })
    }
}

/// Sends a message to the extension of this environment, and waits until it was received.
///
/// # Errors
/// When there is no extension, or none that receives the message.
pub fn hand_over(
    hooks: &[&Hook],
    context: &LambdaContext,
    environ: &Environ,
    address: &str,
) -> io::Result<()> {
    let mut items = Writer::with_capacity(0);
    items.put(context.runtime.as_bytes());
    items.put_list(hooks, |items, hook| put_hook(items, hook));
    let mut bytes = items.bytes;
    context.environ.encode(&mut bytes);
    environ.encode(&mut bytes);
    let mut extension = connect(address)?;
    extension.set_write_timeout(Some(TIMEOUT))?;
    extension.set_read_timeout(Some(TIMEOUT))?;
    extension.write_all(&bytes)?;
    extension.shutdown(Shutdown::Write)?;
    // The environment can end as soon as the runtime has started.
    extension.read_exact(&mut [0])
}

/// Connects to the extension and sends nothing, which tells it that the wrapper reports the mistake
/// in the configuration.
pub fn announce_wrapper(address: &str) {
    // Without an extension, there is nothing to do.
    drop(connect(address));
}

/// Connects to the extension, at its abstract address or else at its file.
fn connect(address: &str) -> io::Result<UnixStream> {
    let require_same_user = |extension: UnixStream| {
        if process::is_of_this_user(&extension) {
            Ok(extension)
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    };
    let connected = SocketAddr::from_abstract_name(socket_name(address))
        .and_then(|name| UnixStream::connect_addr(&name));
    connected.and_then(require_same_user).or_else(|error| {
        // Where neither exists, the first error says that there is no extension.
        let path = socket_directory(address).join(SOCKET);
        let connected = UnixStream::connect(path).map_err(|_| error);
        connected.and_then(require_same_user)
    })
}

/// A socket that receives messages from the wrapper.
pub struct Listener {
    socket: UnixListener,
    /// The directory of the socket, if the socket is a file.
    directory: Option<PathBuf>,
    last: Mutex<Option<Arc<Vec<u8>>>>,
    has_met_wrapper: AtomicBool,
}

impl Listener {
    /// Listens at an abstract address (unix(7)), or else at a file in a directory of its own.
    ///
    /// # Errors
    /// When neither can be bound.
    pub fn new(address: &str) -> io::Result<Self> {
        let abstract_socket = SocketAddr::from_abstract_name(socket_name(address))
            .and_then(|name| UnixListener::bind_addr(&name));
        let (socket, directory) = if let Ok(socket) = abstract_socket {
            (socket, None)
        } else {
            let directory = socket_directory(address);
            (bind_in(&directory)?, Some(directory))
        };
        Ok(Self {
            socket,
            directory,
            last: Mutex::new(None),
            has_met_wrapper: AtomicBool::new(false),
        })
    }

    /// Removes the socket's file and directory, for a process that ends without dropping the
    /// listener.
    pub fn remove(&self) {
        if let Some(directory) = &self.directory {
            let _ = fs::remove_file(directory.join(SOCKET));
            let _ = fs::remove_dir(directory);
        }
    }

    /// Receives messages for ever, since each start of the runtime in this environment sends one.
    pub fn listen(&self) {
        loop {
            if self.socket.accept().and_then(|(wrapper, _)| self.receive(wrapper)).is_err() {
                // Without a pause, an error that repeats at once would take the processor.
                sleep(ERROR_PAUSE);
            }
        }
    }

    /// Receives a message from a process of the same user, and acknowledges it with one byte.
    fn receive(&self, mut wrapper: UnixStream) -> io::Result<()> {
        if !process::is_of_this_user(&wrapper) {
            return Ok(());
        }
        self.has_met_wrapper.store(true, Ordering::Relaxed);
        wrapper.set_read_timeout(Some(TIMEOUT))?;
        let mut bytes = Vec::new();
        (&wrapper).take(MAX_MESSAGE).read_to_end(&mut bytes)?;
        if Handover::decode(&bytes).is_none() {
            return Ok(());
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(bytes));
        wrapper.write_all(&[0])
    }

    /// Tells whether a wrapper has connected, with a message or without.
    pub fn has_met_wrapper(&self) -> bool {
        self.has_met_wrapper.load(Ordering::Relaxed)
    }

    /// Returns the last message.
    pub fn last(&self) -> Option<Arc<Vec<u8>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Binds a socket in a directory that only this user can enter. Replaces the socket of an extension
/// that was killed.
fn bind_in(directory: &Path) -> io::Result<UnixListener> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let (about, this) = (fs::symlink_metadata(directory)?, fs::metadata("/proc/self")?);
    if !about.is_dir() || about.uid() != this.uid() || about.mode() & 0o077 != 0 {
        return Err(io::Error::other(format!("{} is not this user's own", directory.display())));
    }
    let socket = directory.join(SOCKET);
    let _ = fs::remove_file(&socket);
    UnixListener::bind(socket)
}

/// Returns the abstract name of the socket. It has the address of the Runtime API, which is another
/// one for each environment on the same machine.
fn socket_name(address: &str) -> String {
    format!("foreword/{address}")
}

/// Returns the directory of the socket's file: in `/tmp`, to which wrapper and extension can write.
fn socket_directory(address: &str) -> PathBuf {
    Path::new("/tmp").join(format!(".{}", socket_name(address).replace('/', "-")))
}
