//! The folder of one test: made empty, gone with the test, and with it every process that still belongs to it.

use super::FOLDER;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(TempDir::with_prefix("foreword-").expect("unable to make a folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.path().as_os_str().as_bytes()
    }

    pub fn write(&self, name: &str, content: &[u8], mode: u32) {
        let path = self.make_way(name);
        let _writing = super::process::no_start();
        fs::write(&path, content).expect("unable to write a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("unable to set a file's mode");
    }

    pub fn link(&self, name: &str, target: &Path) {
        symlink(target, self.make_way(name)).expect("unable to make a link");
    }

    /// Puts the folder's path where a text says `<folder>`.
    pub fn resolve(&self, text: &OsStr) -> OsString {
        OsString::from_vec(super::replace(text.as_bytes(), FOLDER.as_bytes(), self.as_bytes()))
    }

    fn make_way(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a name in the folder")).expect("unable to make a folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        super::process::end_all(&super::task_root(self));
    }
}
