//! The sandbox of a simulation: layers under /opt, a /tmp of its own, and the code, which cannot
//! be written to. All of them are mounts that nobody else sees; where there can be none,
//! simulations share the machine's /tmp and wait for each other.

use crate::cli::layer::MergedLayers;
use crate::environ::{Environ, split_entry};
use crate::lambda::LAYERS;
use crate::marker::RESTORED;
use crate::process;
use std::env::set_current_dir;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const TMP: &str = "/tmp";

/// What Lambda gives a function of /tmp unless it is told otherwise (AWS's documentation,
/// "Configure ephemeral storage").
const TMP_SIZE: u64 = 512 << 20;

/// Variables that name a directory to write to.
const TEMPORARY_DIRECTORY_VARIABLES: [&str; 3] = ["TMPDIR", "TMP", "TEMP"];

/// Where an environment knows itself by name (AWS's documentation, "Lambda Telemetry API
/// reference").
const HOSTS: &str = "/etc/hosts";
const SANDBOX_HOSTS: &str = "127.0.0.1 sandbox.localdomain sandbox.local sandbox\n";

/// What holds as long as this lives.
pub struct Sandbox {
    /// Locked, where the folder is that of the machine.
    _lock: Option<File>,
    /// Whether there may be a mark of a restored environment to remove.
    leaves_restored_mark: bool,
    /// Whether /tmp is that of the simulation.
    has_own_tmp: bool,
}

impl Sandbox {
    /// For a process with one thread only. Comes with what the user should know about it.
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
                let way_out = "mounts of one's own need root or user namespaces, and a folder /opt";
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
            "this machine lets nobody mount {TMP} for one simulation ({refused}): {TMP} is that \
             of the machine, and the code can be written to"
        );
        if !snap_start {
            return Ok((sandbox, Some(common)));
        }
        let folder = Path::new(RESTORED).parent().expect("it is in a folder");
        let unable = |error: io::Error| {
            format!("unable to prepare {}: {}", folder.display(), process::cause(&error))
        };
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unable(error)),
            _ => {}
        }
        let shared = File::open(folder).map_err(unable)?;
        shared.lock().map_err(unable)?;
        sandbox._lock = Some(shared);
        sandbox.remove_restored_mark()?;
        let note = format!(
            "{common}; {RESTORED} is removed before and after it, and simulations wait for each \
             other"
        );
        Ok((sandbox, Some(note)))
    }

    /// A directory of this simulation's own.
    pub fn directory(&self) -> io::Result<PathBuf> {
        if !self.has_own_tmp {
            return Err(io::Error::other("there is no /tmp of the simulation's own"));
        }
        let folder = Path::new(TMP).join(".foreword-simulate");
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(folder),
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

/// Lays an empty /tmp over the machine's, in which only what the command line and the environment
/// name stays, and makes the code and all that stays read-only.
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
    for folder in TEMPORARY_DIRECTORY_VARIABLES
        .iter()
        .filter_map(|name| environ.non_empty(name))
        .map(Path::new)
    {
        if folder.starts_with(tmp) {
            // What it named cannot be had any more; that it is not there is what programs find out
            // themselves.
            let _ = fs::create_dir_all(folder)
                .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o1777)));
        }
    }
    // An extension may listen at these names; where they cannot be had, addresses serve as well.
    let _ = mount_hosts(tmp);
    Ok(())
}

/// Lets this machine know itself by the names that Lambda's environments have.
fn mount_hosts(tmp: &Path) -> io::Result<()> {
    let file = tmp.join(".foreword-hosts");
    let known = fs::read(HOSTS).unwrap_or_default();
    fs::write(&file, [&known[..], b"\n", SANDBOX_HOSTS.as_bytes()].concat())?;
    let shown = File::open(&file).and_then(|opened| process::bind_mount(&opened, Path::new(HOSTS)));
    fs::remove_file(&file)?;
    shown
}

/// Makes an empty file or directory for what is to be shown there.
fn create_mount_point(path: &Path, opened: &File) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if opened.metadata()?.is_dir() { fs::create_dir(path) } else { File::create(path).map(drop) }
}

/// What lies in /tmp of all that the command line and the environment name: the code, programs,
/// configurations, paths for programs and libraries. The shortest come first, and what lies in one
/// of them does not come.
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
    // Text with spaces is a command, or JSON, and what it names may be there to be written to.
    let whole = texts.iter().filter(|text| !text.contains(&b' ') && !text.starts_with(b"{"));
    let parts = whole.flat_map(|text| text.split(|byte| b":=,".contains(byte)));
    let mut paths: Vec<_> = parts.filter_map(in_tmp).collect();
    // The root may have spaces.
    paths.extend(in_tmp(root.as_os_str().as_bytes()));
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

/// Puts the layers' files into a folder in memory over /opt, which nobody can write to.
fn mount_layers(opt: &MergedLayers) -> Result<(), String> {
    let unable = |error: io::Error| process::cause(&error);
    let root = Path::new(LAYERS);
    process::mount_tmpfs(root).map_err(unable)?;
    for file in opt.files() {
        let path = root.join(file.path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).map_err(unable)?;
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
