//! The stand-in: a path that ends in the name of another program and leads to foreword.

use super::diagnosis::cause;
use super::raw;
use nix::unistd::{AccessFlags, access, mkdtemp};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;

/// The folder beside foreword that has a link for each program that Lambda's runtimes start, for
/// where nothing can be written.
const FOLDER: &str = "stand-in";

/// Where a link of another name is made: in the first of these that can be written, after the
/// folder that `TMPDIR` names.
const PLACES: [&str; 3] = ["/tmp", "/dev/shm", "/var/tmp"];

/// What the folder that is made there is called, with six letters behind it.
const MADE: &str = "foreword-stand-in-";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    pub path: OsString,
    /// The process that made the link, in a folder of its own, and is to remove both.
    pub maker: Option<u32>,
}

impl StandIn {
    /// Finds or makes a link of that name; `tmpdir` is where to make it, if that can be.
    ///
    /// # Errors
    /// When there is no link of that name and none can be made; says what helps.
    pub fn named(name: &OsStr, tmpdir: Option<&OsStr>) -> Result<Self, String> {
        // Lambda starts foreword by the path in the layer. To ask /proc instead costs more than all
        // the rest here.
        let executed = raw::executed_path().filter(|path| path.is_absolute());
        if let Some(link) = executed.and_then(|path| leading_back(path, name)) {
            return Ok(Self { path: link.into(), maker: None });
        }
        let foreword = fs::read_link("/proc/self/exe")
            .map_err(|error| format!("unable to find foreword's own file: {}", cause(&error)))?;
        if let Some(shipped) = shipped(&foreword, name) {
            return Ok(Self { path: shipped.into(), maker: None });
        }
        let mut refusals = Vec::new();
        // A wrapper may change the working directory.
        let tmpdir = tmpdir.map(Path::new).filter(|folder| folder.is_absolute());
        for place in tmpdir.into_iter().chain(PLACES.map(Path::new)) {
            match make(place, name, &foreword) {
                Ok(path) => return Ok(Self { path: path.into(), maker: Some(process::id()) }),
                Err(error) => refusals.push(format!("{} ({})", place.display(), cause(&error))),
            }
        }
        Err(format!(
            "unable to make a link {name:?} for wrappers to execute in {}; make {:?} a link to \
             foreword beforehand",
            refusals.join(", "),
            beside(&foreword, name)
        ))
    }

    /// The path by which this process was executed, if it is a stand-in's, whatever name it was
    /// given.
    pub fn executed() -> Option<OsString> {
        raw::executed_path()
            .map(Path::as_os_str)
            .filter(|path| Self::is_at(path))
            .map(OsStr::to_owned)
    }

    /// Whether a path is that of a stand-in, as far as its words tell.
    pub fn is_at(path: &OsStr) -> bool {
        let folder = path.as_bytes().rsplit(|&byte| byte == b'/').nth(1).unwrap_or_default();
        folder == FOLDER.as_bytes() || folder.starts_with(MADE.as_bytes())
    }

    /// Removes the link, if this process made it: one that a wrapper started may not be the last to
    /// need it.
    pub fn remove(&self) {
        let path = Path::new(&self.path);
        let is_ours = || self.maker.is_some_and(|maker| maker == process::id());
        if let Some(folder) = path.parent().filter(|_| is_ours()) {
            // What cannot be removed does no harm.
            let _ = fs::remove_file(path);
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Where a link of that name is shipped with foreword's file.
fn beside(foreword: &Path, name: &OsStr) -> PathBuf {
    foreword.with_file_name(FOLDER).join(name)
}

/// The link, if there is one.
fn shipped(foreword: &Path, name: &OsStr) -> Option<PathBuf> {
    Some(beside(foreword, name)).filter(|link| access(link, AccessFlags::X_OK).is_ok())
}

/// The link that leads back to a path by which foreword was executed. That path may itself be a
/// link from elsewhere, and what lies beside it somebody else's.
fn leading_back(executed: &Path, name: &OsStr) -> Option<PathBuf> {
    let link = beside(executed, name);
    let target = fs::read_link(&link).ok()?;
    (target.parent() == Some(Path::new("..")) && target.file_name() == executed.file_name())
        .then_some(link)
}

/// Makes a link in a new folder that nobody else can write to.
fn make(place: &Path, name: &OsStr, foreword: &Path) -> io::Result<PathBuf> {
    let folder = mkdtemp(&place.join([MADE, "XXXXXX"].concat()))?;
    let path = folder.join(name);
    let made = symlink(foreword, &path).and_then(|()| Ok(access(&path, AccessFlags::X_OK)?));
    made.map(|()| path.clone()).inspect_err(|_| {
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir(&folder);
    })
}
