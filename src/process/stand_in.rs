//! The stand-in, a shim: a symlink to foreword that is named like an interpreter. A wrapper of the
//! chain that executes it takes it for the interpreter, and foreword gets the process back.

use super::diagnosis::cause;
use super::{raw, this_program};
use nix::unistd::{AccessFlags, access, mkdtemp};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;

/// The directory beside foreword with a symlink for each program that Lambda's runtimes start. It
/// works in environments in which nothing can be written.
const SHIPPED: &str = "stand-in";

/// The directories in which to create a symlink of another name, after the one that `TMPDIR` names;
/// the first that is writable counts.
const TEMPORARY: [&str; 3] = ["/tmp", "/dev/shm", "/var/tmp"];

/// The name of the new directory for a symlink, before six random characters.
const PREFIX: &str = "foreword-stand-in-";

/// A symlink to foreword that is named like an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    pub path: OsString,
    /// The process id of the process that created the symlink and its directory, and has to remove
    /// both; `None` for a symlink that was there before.
    pub maker: Option<u32>,
}

impl StandIn {
    /// Finds or creates a stand-in of a name; `tmpdir` is the first directory to create it in.
    ///
    /// # Errors
    /// With a message and its way out when there is none and none can be created.
    pub fn find_or_create(name: &OsStr, tmpdir: Option<&OsStr>) -> Result<Self, String> {
        // Lambda executes foreword by its path in the layer. Reading /proc/self/exe would cost more
        // than everything else here.
        let executed = raw::executed_path().filter(|path| path.is_absolute());
        if let Some(symlink) = executed.and_then(|path| find_symlink_to(path, name)) {
            return Ok(Self { path: symlink.into(), maker: None });
        }
        let foreword = this_program()?;
        let shipped = shipped_path(&foreword, name);
        if access(&shipped, AccessFlags::X_OK).is_ok() {
            return Ok(Self { path: shipped.into(), maker: None });
        }
        let mut refusals = Vec::new();
        // A wrapper may change the working directory, so a relative path would not do.
        let tmpdir = tmpdir.map(Path::new).filter(|directory| directory.is_absolute());
        for directory in tmpdir.into_iter().chain(TEMPORARY.map(Path::new)) {
            match create(directory, name, &foreword) {
                Ok(path) => return Ok(Self { path: path.into(), maker: Some(process::id()) }),
                Err(error) => refusals.push(format!("{} ({})", directory.display(), cause(&error))),
            }
        }
        Err(format!(
            "unable to make a symlink {name:?} for wrappers to execute in {}; make {shipped:?} a \
             symlink to foreword beforehand",
            refusals.join(", ")
        ))
    }

    /// Returns the path by which this process was executed, whatever its `argv[0]`, if that is a
    /// stand-in's.
    pub fn executed() -> Option<OsString> {
        raw::executed_path()
            .map(Path::as_os_str)
            .filter(|path| Self::is_at(path))
            .map(OsStr::to_owned)
    }

    /// Reports whether a path looks like a stand-in's: its directory has the name of one of
    /// foreword's.
    pub fn is_at(path: &OsStr) -> bool {
        let directory = path.as_bytes().rsplit(|&byte| byte == b'/').nth(1).unwrap_or_default();
        directory == SHIPPED.as_bytes() || directory.starts_with(PREFIX.as_bytes())
    }

    /// Removes the symlink, if this process created it. In a child that a wrapper started, other
    /// processes may still need it.
    pub fn remove(&self) {
        let path = Path::new(&self.path);
        let is_own = || self.maker.is_some_and(|maker| maker == process::id());
        if let Some(directory) = path.parent().filter(|_| is_own()) {
            // A symlink that stays does no harm.
            let _ = fs::remove_file(path);
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Returns the path of a shipped stand-in, whether it exists or not.
fn shipped_path(foreword: &Path, name: &OsStr) -> PathBuf {
    foreword.with_file_name(SHIPPED).join(name)
}

/// Finds a shipped stand-in beside the path by which foreword was executed. That path may be a
/// symlink, and the files beside it may have nothing to do with foreword: only `../NAME` counts,
/// which leads back to the path.
fn find_symlink_to(executed: &Path, name: &OsStr) -> Option<PathBuf> {
    let symlink = shipped_path(executed, name);
    let target = fs::read_link(&symlink).ok()?;
    (target.parent() == Some(Path::new("..")) && target.file_name() == executed.file_name())
        .then_some(symlink)
}

/// Creates a stand-in in a new directory that no other user can write to.
fn create(directory: &Path, name: &OsStr, foreword: &Path) -> io::Result<PathBuf> {
    let directory = mkdtemp(&directory.join([PREFIX, "XXXXXX"].concat()))?;
    let path = directory.join(name);
    let created = symlink(foreword, &path).and_then(|()| Ok(access(&path, AccessFlags::X_OK)?));
    created.map(|()| path.clone()).inspect_err(|_| {
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir(&directory);
    })
}
