//! Mounts in a mount namespace of this process's own, which only it and its descendants see
//! (<https://man7.org/linux/man-pages/man7/mount_namespaces.7.html>).

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Moves this process, which must have only one thread, into a mount namespace of its own. Without
/// the privilege for that, moves it into a user namespace of its own too, in which it stays the
/// user that it is.
///
/// # Errors
/// When the kernel or its settings forbid both.
pub fn unshare_mounts() -> io::Result<()> {
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        let this = fs::metadata("/proc/self")?;
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        // An unprivileged process may map groups only after this
        // (<https://man7.org/linux/man-pages/man7/user_namespaces.7.html>).
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{0} {0} 1", this.uid()))?;
        fs::write("/proc/self/gid_map", format!("{0} {0} 1", this.gid()))?;
    }
    let none = None::<&str>;
    Ok(mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?)
}

/// Mounts an empty tmpfs on a directory.
///
/// # Errors
/// When the directory does not exist or the kernel refuses the mount.
pub fn mount_tmpfs(directory: &Path) -> io::Result<()> {
    let kind = Some("tmpfs");
    Ok(mount(kind, directory, kind, MsFlags::MS_NODEV | MsFlags::MS_NOSUID, Some("mode=0755"))?)
}

/// Makes a tmpfs of [`mount_tmpfs`] read-only.
///
/// # Errors
/// When the kernel refuses the mount.
pub fn remount_tmpfs_read_only(directory: &Path) -> io::Result<()> {
    let none = None::<&str>;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    Ok(mount(none, directory, none, flags, none)?)
}

/// Mounts an empty tmpfs of a size in bytes on a directory, with the permissions of `/tmp`.
///
/// # Errors
/// When the directory does not exist or the kernel refuses the mount.
pub fn mount_writable_tmpfs(directory: &Path, size: u64) -> io::Result<()> {
    let kind = Some("tmpfs");
    let data = format!("mode=1777,size={size}");
    Ok(mount(kind, directory, kind, MsFlags::MS_NODEV | MsFlags::MS_NOSUID, Some(data.as_str()))?)
}

/// Bind-mounts an open file or directory, with everything mounted in it, at an existing path.
///
/// # Errors
/// When the path does not exist or the kernel refuses the mount.
pub fn bind_mount(opened: &File, at: &Path) -> io::Result<()> {
    let none = None::<&str>;
    let source = format!("/proc/self/fd/{}", opened.as_raw_fd());
    Ok(mount(Some(source.as_str()), at, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?)
}

/// Makes a bind mount of [`bind_mount`] read-only.
///
/// # Errors
/// When the kernel refuses the mount.
pub fn remount_bind_read_only(path: &Path) -> io::Result<()> {
    let none = None::<&str>;
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    // In a user namespace, a remount must keep the flags that are locked on the mount.
    let current = statvfs(path)?.flags();
    for (flag, kept) in [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        flags.set(kept, current.contains(flag));
    }
    Ok(mount(none, path, none, flags, none)?)
}
