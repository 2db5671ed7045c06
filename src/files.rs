//! Which files a glob names: wildcards stay inside one path segment and skip a leading dot, as in a
//! shell. Only looks; what cannot be looked into holds no match.

use crate::glob::{Case, Glob};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Whether at least one file exists that the glob names; a relative one is looked up in `root`.
pub fn has_match(glob: &Glob, root: &Path) -> bool {
    let start = if glob.starts_with(b'/') { Path::new("/") } else { root };
    match glob.literal() {
        // An unset variable names no file; it must not come to mean the folder.
        Some(path) if path.is_empty() => false,
        Some(path) => root.join(OsString::from_vec(path)).exists(),
        None => has_match_below(start.to_owned(), &glob.segments()),
    }
}

fn has_match_below(folder: PathBuf, segments: &[Glob]) -> bool {
    let Some((segment, rest)) = segments.split_first() else { return folder.exists() };
    if let Some(name) = segment.literal() {
        return has_match_below(folder.join(OsString::from_vec(name)), rest);
    }
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| {
        let hidden = name.as_bytes().starts_with(b".") && !segment.starts_with(b'.');
        !hidden
            && segment.matches(name.as_bytes(), Case::Sensitive)
            && has_match_below(folder.join(&name), rest)
    })
}
