//! Searches for files that a glob matches. As in a shell, a wildcard matches no `/` and no leading
//! dot (<https://man7.org/linux/man-pages/man7/glob.7.html>). Changes nothing; an unreadable
//! directory has no matches.

use crate::glob::{Case, Glob};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Reports whether a file exists that the glob matches; a relative glob starts in `root`.
pub fn has_match(glob: &Glob, root: &Path) -> bool {
    let start = if glob.starts_with(b'/') { Path::new("/") } else { root };
    match glob.literal() {
        // A glob that is empty because a variable is unset must not match `root`.
        Some(path) if path.is_empty() => false,
        Some(path) => root.join(OsString::from_vec(path)).exists(),
        None => has_match_below(start, &glob.segments()),
    }
}

/// Reports whether the segments match a path below a directory.
fn has_match_below(directory: &Path, segments: &[Glob]) -> bool {
    let Some((segment, rest)) = segments.split_first() else { return directory.exists() };
    if let Some(name) = segment.literal() {
        return has_match_below(&directory.join(OsString::from_vec(name)), rest);
    }
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| {
        let is_hidden = name.as_bytes().starts_with(b".") && !segment.starts_with(b'.');
        !is_hidden
            && segment.matches(name.as_bytes(), Case::Sensitive)
            && has_match_below(&directory.join(&name), rest)
    })
}
