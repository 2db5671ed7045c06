//! The sandbox of a simulation: layers under /opt, a /tmp of its own, and read-only code, all in
//! mounts that no other process sees. Where mounts are not permitted, simulations share the
//! machine's /tmp, one after the other.

use crate::cli::layer::MergedLayers;
use crate::environ::{Environ, split_entry};
use crate::lambda::LAYERS;
use crate::marker::RESTORED;
use crate::process;
use crate::secrets;
use std::env::set_current_dir;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const TMP: &str = "/tmp";

/// The default size of /tmp on Lambda
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html>).
const TMP_SIZE: u64 = 512 << 20;

/// Variables that name a directory for temporary files.
const TEMPORARY_DIRECTORY_VARIABLES: [&str; 3] = ["TMPDIR", "TMP", "TEMP"];

/// The names of an environment for itself
/// (<https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html>).
const HOSTS: &str = "/etc/hosts";
const SANDBOX_HOSTS: &str = "127.0.0.1 sandbox.localdomain sandbox.local sandbox\n";

/// The mounts and locks that last until this is dropped.
pub struct Sandbox {
    /// Locked, if /tmp is shared.
    _lock: Option<File>,
    /// True if there may be a mark of a restored environment to remove.
    leaves_restored_mark: bool,
    /// True if /tmp is that of the simulation.
    has_own_tmp: bool,
}

impl Sandbox {
    /// Prepares the sandbox in a process with a single thread; returns a note for the user as well.
    ///
    /// # Errors
    /// When layers cannot be laid under /opt, or a mark of an earlier environment is there to stay;
    /// says why.
    pub fn prepare(
        snap_start: bool,
        layers: Option<&MergedLayers>,
        root: &Path,
        command: &[OsString],
        environ: &Environ,
    ) -> Result<(Self, Option<String>), String> {
        let own = process::unshare_mounts();
        if let Some(opt) = layers {
            let laid = own.as_ref().map_err(process::cause).and_then(|()| mount_layers(opt));
            laid.map_err(|cause| {
                let way_out = "a mount needs root or user namespaces, and a directory /opt";
                format!("unable to lay the layers under {LAYERS}: {cause}; {way_out}")
            })?;
        }
        let own_tmp = own
            .as_ref()
            .map_err(process::cause)
            .and_then(|()| mount_own_tmp(root, command, environ));
        let entered = set_current_dir(root).map_err(|error| process::cause(&error));
        entered
            .map_err(|cause| format!("unable to enter the code in {}: {cause}", root.display()))?;
        let mut sandbox =
            Self { _lock: None, leaves_restored_mark: snap_start, has_own_tmp: own_tmp.is_ok() };
        let Err(refused) = own_tmp else { return Ok((sandbox, None)) };
        let common = format!(
            "unable to mount a {TMP} for this simulation: {refused}; it shares that of the \
             machine, and the code is writable"
        );
        if !snap_start {
            return Ok((sandbox, Some(common)));
        }
        let directory = Path::new(RESTORED).parent().expect("it is in a directory");
        let unable = |error: io::Error| {
            format!("unable to prepare {}: {}", directory.display(), process::cause(&error))
        };
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unable(error)),
            _ => {}
        }
        let shared = File::open(directory).map_err(unable)?;
        shared.lock().map_err(unable)?;
        sandbox._lock = Some(shared);
        sandbox.remove_restored_mark()?;
        let note = format!(
            "{common}; {RESTORED} is removed before and after it, and simulations wait for each \
             other"
        );
        Ok((sandbox, Some(note)))
    }

    /// Returns a directory of this simulation's own.
    pub fn directory(&self) -> io::Result<PathBuf> {
        if !self.has_own_tmp {
            return Err(io::Error::other("there is no /tmp of the simulation's own"));
        }
        let directory = Path::new(TMP).join(".foreword-simulate");
        match fs::create_dir(&directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(directory),
        }
    }

    /// Removes the mark that an environment was restored.
    pub fn remove_restored_mark(&self) -> Result<(), String> {
        match fs::remove_file(RESTORED) {
            Err(error) if self.leaves_restored_mark && error.kind() != ErrorKind::NotFound => {
                Err(format!("unable to remove {RESTORED}: {}", process::cause(&error)))
            }
            _ => Ok(()),
        }
    }
}

/// Mounts an empty /tmp, in which only what the command line and the environment name stays
/// visible, and makes the code and all that stays read-only.
fn mount_own_tmp(root: &Path, command: &[OsString], environ: &Environ) -> Result<(), String> {
    let unable =
        |what: &Path, error: io::Error| format!("{}: {}", what.display(), process::cause(&error));
    let tmp = Path::new(TMP);
    if tmp.starts_with(root) {
        return Err(format!("the code lies in {}, which {TMP} is a part of", root.display()));
    }
    let mut kept = Vec::new();
    for path in paths_in_tmp(root, command, environ) {
        if let Ok(opened) = File::open(&path) {
            kept.push((path, opened));
        }
    }
    let opened = File::open(root).map_err(|error| unable(root, error))?;
    if !root.starts_with(tmp) {
        process::bind_mount(&opened, root)
            .and_then(|()| process::remount_bind_read_only(root))
            .map_err(|error| unable(root, error))?;
    }
    process::mount_writable_tmpfs(tmp, TMP_SIZE).map_err(|error| unable(tmp, error))?;
    for (path, opened) in kept {
        let shown =
            create_mount_point(&path, &opened).and_then(|()| process::bind_mount(&opened, &path));
        shown
            .and_then(|()| process::remount_bind_read_only(&path))
            .map_err(|error| unable(&path, error))?;
    }
    for directory in TEMPORARY_DIRECTORY_VARIABLES
        .iter()
        .filter_map(|name| environ.non_empty(name))
        .map(Path::new)
    {
        if directory.starts_with(tmp) {
            // The directory that it named is hidden. A program that cannot write finds that out
            // itself.
            let _ = fs::create_dir_all(directory)
                .and_then(|()| fs::set_permissions(directory, Permissions::from_mode(0o1777)));
        }
    }
    // An extension may listen at these names. Without them, it is reached by its address.
    let _ = mount_hosts(tmp);
    Ok(())
}

/// Adds the names of Lambda's environments to the hosts file.
fn mount_hosts(tmp: &Path) -> io::Result<()> {
    let file = tmp.join(".foreword-hosts");
    let known = fs::read(HOSTS).unwrap_or_default();
    fs::write(&file, [&known[..], b"\n", SANDBOX_HOSTS.as_bytes()].concat())?;
    let shown = File::open(&file).and_then(|opened| process::bind_mount(&opened, Path::new(HOSTS)));
    fs::remove_file(&file)?;
    shown
}

/// Creates an empty file or directory as a mount point.
fn create_mount_point(path: &Path, opened: &File) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if opened.metadata()?.is_dir() { fs::create_dir(path) } else { File::create(path).map(drop) }
}

/// Returns the paths in /tmp that the command line and the environment name: the code, programs,
/// configurations, search paths; and the program that resolves secrets. A path inside another one
/// is left out.
fn paths_in_tmp(root: &Path, command: &[OsString], environ: &Environ) -> Vec<PathBuf> {
    let mut texts: Vec<Vec<u8>> = vec![root.as_os_str().as_bytes().to_vec()];
    texts.extend(command.iter().map(|word| word.as_bytes().to_vec()));
    for entry in environ.entries() {
        let (name, value) = split_entry(entry.to_bytes());
        let is_for_writing =
            TEMPORARY_DIRECTORY_VARIABLES.iter().any(|known| known.as_bytes() == name);
        if !is_for_writing && let Some(value) = value {
            texts.push(value.to_vec());
        }
    }
    let in_tmp = |part: &[u8]| {
        let path = PathBuf::from(OsString::from_vec(part.to_vec()));
        (path.starts_with(TMP) && path != Path::new(TMP) && path.exists()).then_some(path)
    };
    // A text with spaces is a command or JSON; the paths in it may be outputs.
    let whole = texts.iter().filter(|text| !text.contains(&b' ') && !text.starts_with(b"{"));
    let parts = whole.flat_map(|text| text.split(|byte| b":=,".contains(byte)));
    let mut paths: Vec<_> = parts.filter_map(in_tmp).collect();
    // The root may have spaces in its path.
    paths.extend(in_tmp(root.as_os_str().as_bytes()));
    // Whatever starts foreword again finds that by /proc/self/exe, but not what lies beside it.
    paths.extend(secrets::program_path().ok().and_then(|path| in_tmp(path.as_os_str().as_bytes())));
    paths.sort();
    paths.dedup();
    let mut outermost: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !outermost.iter().any(|known| path.starts_with(known)) {
            outermost.push(path);
        }
    }
    outermost
}

/// Writes the layers' files into a read-only file system in memory, mounted over /opt.
fn mount_layers(opt: &MergedLayers) -> Result<(), String> {
    let unable = |error: io::Error| process::cause(&error);
    let root = Path::new(LAYERS);
    process::mount_tmpfs(root).map_err(unable)?;
    for file in opt.files() {
        let path = root.join(file.path);
        fs::create_dir_all(path.parent().expect("it is in a directory")).map_err(unable)?;
        let content = file.content().map_err(|cause| format!("{}: {cause}", file.name()))?;
        if file.is_link() {
            symlink(String::from_utf8_lossy(&content).as_ref(), &path).map_err(unable)?;
            continue;
        }
        let mut options = OpenOptions::new();
        let mut written = options.write(true).create_new(true).open(&path).map_err(unable)?;
        written.write_all(&content).map_err(unable)?;
        let mode = if file.has_run_bit() { 0o755 } else { 0o644 };
        written.set_permissions(Permissions::from_mode(mode)).map_err(unable)?;
    }
    process::remount_tmpfs_read_only(root).map_err(unable)
}
