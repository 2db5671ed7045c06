//! Mounts that only this process and what it starts can see.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Gives this process mounts of its own. For a process with one thread only. Whoever may not mount
/// may it in a user namespace of its own, where it stays the user that it is.
///
/// # Errors
/// When the kernel or its settings do not let it.
pub fn unshare_mounts() -> io::Result<()> {
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
pub fn mount_tmpfs(folder: &Path) -> io::Result<()> {
    let kind = Some("tmpfs");
    Ok(mount(kind, folder, kind, MsFlags::MS_NODEV | MsFlags::MS_NOSUID, Some("mode=0755"))?)
}

/// Makes a folder that was laid over another one read-only.
///
/// # Errors
/// When the mount is refused.
pub fn remount_tmpfs_read_only(folder: &Path) -> io::Result<()> {
    let nothing = None::<&str>;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    Ok(mount(nothing, folder, nothing, flags, nothing)?)
}

/// Lays an empty directory in memory over this one, in which everybody may write up to so many
/// bytes.
///
/// # Errors
/// When the directory is not there, and when the mount is refused.
pub fn mount_writable_tmpfs(directory: &Path, most_bytes: u64) -> io::Result<()> {
    let kind = Some("tmpfs");
    let data = format!("mode=1777,size={most_bytes}");
    Ok(mount(kind, directory, kind, MsFlags::MS_NODEV | MsFlags::MS_NOSUID, Some(data.as_str()))?)
}

/// Shows at this path, which has to be there, the file or directory that was opened, with all that
/// is mounted in it.
///
/// # Errors
/// When the mount is refused.
pub fn bind_mount(opened: &File, at: &Path) -> io::Result<()> {
    let nothing = None::<&str>;
    let source = format!("/proc/self/fd/{}", opened.as_raw_fd());
    Ok(mount(Some(source.as_str()), at, nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing)?)
}

/// Makes what is shown at a path read-only.
///
/// # Errors
/// When the mount is refused.
pub fn remount_bind_read_only(path: &Path) -> io::Result<()> {
    let nothing = None::<&str>;
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    // A user namespace may not take away what the mount had (mount_namespaces(7)).
    let had = statvfs(path)?.flags();
    for (has, keeps) in [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        flags.set(keeps, had.contains(has));
    }
    Ok(mount(nothing, path, nothing, flags, nothing)?)
}
