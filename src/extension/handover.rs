//! What the wrapper tells the extension, so that pre_stop hooks see what the runtime saw: over a
//! Unix socket that only processes of the same user may use. Nothing of it is written anywhere.

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

/// How long the wrapper waits for an extension that does not listen to it, and the extension for
/// one who says nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait after something that went wrong.
const PAUSE: Duration = Duration::from_millis(10);

/// Two environments of the largest size that a process can be given, and a little more.
const LONGEST: u64 = 16 << 20;

/// What the wrapper knows when the runtime starts.
pub struct Handover<'h> {
    /// Lambda's identifier of the runtime.
    pub runtime: &'h str,
    /// The pre_stop hooks that apply, in the order in which they run.
    pub hooks: Vec<Hook<'h>>,
    pub received: Environ<'h>,
    /// What the runtime is given.
    pub environ: Environ<'h>,
}

/// Tells the extension of this environment.
///
/// # Errors
/// When there is none.
pub fn hand_over(
    hooks: &[&Hook],
    context: &LambdaContext,
    environ: &Environ,
    address: &str,
) -> io::Result<()> {
    let mut items = Writer::with_room(0);
    items.put(context.runtime.as_bytes());
    items.put_list(hooks, |items, hook| put_hook(items, hook));
    let mut bytes = items.bytes;
    context.environ.encode(&mut bytes);
    environ.encode(&mut bytes);
    let mut extension = find(address)?;
    extension.set_write_timeout(Some(PATIENCE))?;
    extension.set_read_timeout(Some(PATIENCE))?;
    extension.write_all(&bytes)?;
    extension.shutdown(Shutdown::Write)?;
    // An environment can end as soon as its runtime has begun.
    extension.read_exact(&mut [0])
}

/// Lets the extension know that there is a wrapper, which reports what is wrong with the
/// configuration.
pub fn meet(address: &str) {
    // Without an extension, nobody has to know.
    drop(find(address));
}

/// Connects to the extension, wherever it listens.
fn find(address: &str) -> io::Result<UnixStream> {
    let connected = SocketAddr::from_abstract_name(name(address))
        .and_then(|name| UnixStream::connect_addr(&name));
    let of_this_user = |extension: UnixStream| match process::is_of_this_user(&extension) {
        true => Ok(extension),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    };
    let found = connected.and_then(of_this_user);
    found.or_else(|refused| {
        // Most often there is no extension at all, and then the first answer says so.
        let connected = UnixStream::connect(directory(address).join(SOCKET)).map_err(|_| refused);
        connected.and_then(of_this_user)
    })
}

impl<'h> Handover<'h> {
    /// Understands what `hand_over` wrote; nothing when it is something else.
    pub fn decode(mut bytes: &'h [u8]) -> Option<Self> {
        let mut items = Reader(bytes);
        let (runtime, hooks) = (items.take_str()?, items.take_list(take_hook)?);
        bytes = items.0;
        let (received, environ) = (Environ::decode(&mut bytes)?, Environ::decode(&mut bytes)?);
        Some(Self { runtime, hooks, received, environ })
    }
}

/// Listens to the wrapper.
pub struct Listener {
    socket: UnixListener,
    /// A directory that is there for the socket alone, where the socket has to be a file.
    directory: Option<PathBuf>,
    last: Mutex<Option<Arc<Vec<u8>>>>,
    has_met_wrapper: AtomicBool,
}

impl Listener {
    /// Listens at a name in no directory, or else in a directory of its own.
    ///
    /// # Errors
    /// When it can do neither.
    pub fn new(address: &str) -> io::Result<Self> {
        let in_no_directory = SocketAddr::from_abstract_name(name(address))
            .and_then(|name| UnixListener::bind_addr(&name));
        let (socket, directory) = match in_no_directory {
            Ok(socket) => (socket, None),
            Err(_) => {
                let directory = directory(address);
                (bind_in(&directory)?, Some(directory))
            }
        };
        Ok(Self {
            socket,
            directory,
            last: Mutex::new(None),
            has_met_wrapper: AtomicBool::new(false),
        })
    }

    /// Removes what it has made, for a process that ends without dropping it.
    pub fn remove(&self) {
        if let Some(directory) = &self.directory {
            let _ = fs::remove_file(directory.join(SOCKET));
            let _ = fs::remove_dir(directory);
        }
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
        self.has_met_wrapper.store(true, Ordering::Relaxed);
        wrapper.set_read_timeout(Some(PATIENCE))?;
        let mut bytes = Vec::new();
        (&wrapper).take(LONGEST).read_to_end(&mut bytes)?;
        if Handover::decode(&bytes).is_none() {
            return Ok(());
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(bytes));
        wrapper.write_all(&[0])
    }

    /// Whether a wrapper came, be it one that had nothing to hand over.
    pub fn has_met_wrapper(&self) -> bool {
        self.has_met_wrapper.load(Ordering::Relaxed)
    }

    /// What came last.
    pub fn last(&self) -> Option<Arc<Vec<u8>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Binds a socket in a directory that nobody else can enter. What an extension that was killed has
/// left is taken over.
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

/// The name of the socket, another one for each environment: where one machine has several of them,
/// their Runtime APIs have several addresses.
fn name(address: &str) -> String {
    format!("foreword/{address}")
}

/// Where the socket is when it has to be a file, which needs a directory that wrapper and extension
/// can both write to: `/tmp`, on Lambda.
fn directory(address: &str) -> PathBuf {
    Path::new("/tmp").join(format!(".{}", name(address).replace('/', "-")))
}

/// What the file is called.
const SOCKET: &str = "socket";
