//! Where a simulation takes place: layers under /opt, and a folder of its own for what foreword leaves in an environment
//! that was restored. Both are mounts that nobody else sees; where there can be none, simulations wait for each other.

use crate::cli::layer::Opt;
use crate::plan::RESTORED;
use crate::process;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

const OPT: &str = "/opt";

/// What holds as long as this lives.
pub struct Place {
    /// Locked, where the folder is that of the machine.
    _shared: Option<File>,
    /// Whether there may be a mark of a restored environment to remove.
    is_marked: bool,
}

impl Place {
    /// For a process with one thread only. Comes with what the user should know of the place.
    ///
    /// # Errors
    /// When layers cannot be laid under /opt, or a mark of an earlier environment is there to stay; says why.
    pub fn prepare(snap_start: bool, layers: Option<&Opt>) -> Result<(Self, Option<String>), String> {
        let mut place = Self { _shared: None, is_marked: snap_start };
        if !snap_start && layers.is_none() {
            return Ok((place, None));
        }
        let own = process::own_mounts();
        if let Some(opt) = layers {
            let laid = own.as_ref().map_err(process::cause).and_then(|()| lay(opt));
            laid.map_err(|cause| {
                let way_out = "mounts of one's own need root or user namespaces, and a folder /opt";
                format!("unable to lay the layers under {OPT}: {cause}; {way_out}")
            })?;
        }
        if !snap_start {
            return Ok((place, None));
        }
        let folder = Path::new(RESTORED).parent().expect("it is in a folder");
        let unable = |error: io::Error| format!("unable to prepare {}: {}", folder.display(), process::cause(&error));
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unable(error)),
            _ => {}
        }
        let Err(refused) = own.and_then(|()| process::cover(folder)) else { return Ok((place, None)) };
        let shared = File::open(folder).map_err(unable)?;
        shared.lock().map_err(unable)?;
        place._shared = Some(shared);
        place.forget()?;
        let note = format!(
            "this machine lets nobody mount {} for one simulation ({}): {RESTORED} is removed before and after it, \
             and simulations wait for each other",
            folder.display(),
            process::cause(&refused)
        );
        Ok((place, Some(note)))
    }

    /// Removes the mark that an environment was restored.
    pub fn forget(&self) -> Result<(), String> {
        match fs::remove_file(RESTORED) {
            Err(error) if self.is_marked && error.kind() != ErrorKind::NotFound => {
                Err(format!("unable to remove {RESTORED}: {}", process::cause(&error)))
            }
            _ => Ok(()),
        }
    }
}

/// Puts the layers' files into a folder in memory over /opt, which nobody can write to.
fn lay(opt: &Opt) -> Result<(), String> {
    let unable = |error: io::Error| process::cause(&error);
    let root = Path::new(OPT);
    process::cover(root).map_err(unable)?;
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
    process::seal(root).map_err(unable)
}
