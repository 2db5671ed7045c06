//! The directory of one test: made empty, gone with the test, and with it every process that still
//! belongs to it.

use super::{DIRECTORY, sandbox};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct TestDirectory {
    temporary: TempDir,
    /// Under whom the test's command runs, who owns the directories, and nothing of what is in
    /// them beforehand.
    user: u32,
}

impl TestDirectory {
    pub fn new() -> Self {
        let test = Self {
            temporary: TempDir::with_prefix("foreword-").expect("unable to make a directory"),
            user: sandbox::user(),
        };
        test.own(test.temporary.path());
        test
    }

    pub fn user(&self) -> u32 {
        self.user
    }

    /// Gives all directories to another user.
    pub fn set_user(&mut self, user: u32) {
        self.user = user;
        let mut directories = vec![self.temporary.path().to_owned()];
        while let Some(directory) = directories.pop() {
            self.own(&directory);
            let entries = fs::read_dir(directory).expect("unable to read a directory").flatten();
            let is_directory =
                |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
            directories.extend(entries.filter(is_directory).map(|entry| entry.path()));
        }
    }

    /// Makes something the user's own, as far as this process may.
    pub fn own(&self, path: &Path) {
        if sandbox::is_root() {
            lchown(path, Some(self.user), Some(self.user)).expect("unable to change an owner");
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.temporary.path().as_os_str().as_bytes()
    }

    pub fn write(&self, name: &str, content: &[u8], mode: u32) {
        let path = self.make_way(name);
        let _writing = super::process::no_start();
        fs::write(&path, content).expect("unable to write a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .expect("unable to set a file's mode");
    }

    pub fn link(&self, name: &str, target: &Path) {
        symlink(target, self.make_way(name)).expect("unable to make a link");
    }

    /// Puts the directory's path where a text says `<folder>`.
    pub fn resolve(&self, text: &OsStr) -> OsString {
        OsString::from_vec(super::replace(text.as_bytes(), DIRECTORY.as_bytes(), self.as_bytes()))
    }

    fn make_way(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let directory = path.parent().expect("a name in the directory");
        fs::create_dir_all(directory).expect("unable to make a directory");
        for made in directory.ancestors().take_while(|made| made.starts_with(self.temporary.path()))
        {
            self.own(made);
        }
        path
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        super::process::end_all(&super::task_root(self));
    }
}
