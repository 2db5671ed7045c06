//! Folders of a test that lie over others of the machine, for its run alone. What is executed keeps its process id.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Mounts the pairs in front of `--` and becomes what is behind it.
const MOUNT: &str = r#"while [ "$1" != -- ]; do mount --rbind "$1" "$2" || exit; shift 2; done; shift; exec "$@""#;

#[derive(Default)]
pub struct Mounts(Vec<(PathBuf, PathBuf)>);

impl Mounts {
    pub fn push(&mut self, folder: PathBuf, place: PathBuf) {
        self.0.push((folder, place));
    }

    /// The command that mounts and then becomes this one. Whoever is not root is it in a namespace of its own.
    pub fn around(&self, command: impl Iterator<Item = OsString>) -> Vec<OsString> {
        let mut whole: Vec<OsString> = Vec::new();
        if !self.0.is_empty() {
            whole.extend(["/usr/bin/unshare", "--mount"].map(OsString::from));
            if fs::metadata("/proc/self").expect("this process").uid() != 0 {
                whole.push("--map-root-user".into());
            }
            whole.extend(["/bin/sh", "-c", MOUNT, "mount"].map(OsString::from));
            whole.extend(self.0.iter().flat_map(|(folder, place)| [folder.into(), place.into()]));
            whole.push("--".into());
        }
        whole.extend(command);
        whole
    }
}
