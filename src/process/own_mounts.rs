//! Mounts that only this process and what it starts can see.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Gives this process mounts of its own. For a process with one thread only. Whoever may not mount may it in a user namespace
/// of its own, where it stays the user that it is.
///
/// # Errors
/// When the kernel or its settings do not let it.
pub fn own_mounts() -> io::Result<()> {
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        let this = fs::metadata("/proc/self")?;
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        // Without it nobody may map groups (user_namespaces(7)).
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{0} {0} 1", this.uid()))?;
        fs::write("/proc/self/gid_map", format!("{0} {0} 1", this.gid()))?;
    }
    let nothing = None::<&str>;
    Ok(mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?)
}

/// Lays an empty folder in memory over this one.
///
/// # Errors
/// When the folder is not there, and when the mount is refused.
pub fn cover(folder: &Path) -> io::Result<()> {
    let kind = Some("tmpfs");
    Ok(mount(kind, folder, kind, MsFlags::MS_NODEV | MsFlags::MS_NOSUID, Some("mode=0755"))?)
}

/// Makes a folder that was laid over another one read-only.
///
/// # Errors
/// When the mount is refused.
pub fn seal(folder: &Path) -> io::Result<()> {
    let nothing = None::<&str>;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    Ok(mount(nothing, folder, nothing, flags, nothing)?)
}
