//! Layers, read from directories or zips, and merged under /opt as Lambda does. `check` judges
//! their files.

mod merged;
mod zip;

pub use merged::{LayerLookup, MergedLayers};

use crate::process;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub struct Layer {
    /// The path that the user gave.
    name: String,
    /// By path, relative to /opt.
    entries: BTreeMap<String, LayerEntry>,
    /// The permission bits of directories, if the layer has them.
    directories: BTreeMap<String, u32>,
    /// The zip, if it is one.
    packed: Vec<u8>,
}

struct LayerEntry {
    /// The permission bits; 0 for a zip without Unix modes.
    mode: u32,
    kind: EntryKind,
}

enum EntryKind {
    /// A file in a directory.
    File(PathBuf),
    /// A file of a zip.
    Packed(zip::ZipContent),
    /// A symlink, with its target.
    Link(String),
}

/// A file of a layer.
#[derive(Clone, Copy)]
pub struct LayerFile<'l> {
    layer: &'l Layer,
    pub path: &'l str,
    entry: &'l LayerEntry,
}

impl Layer {
    pub fn open(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let unable = |cause: &str| format!("unable to read the layer {name}: {cause}");
        let is_directory =
            fs::metadata(path).map_err(|error| unable(&process::cause(&error)))?.is_dir();
        let mut layer = Self {
            name: name.trim_end_matches('/').to_owned(),
            entries: BTreeMap::new(),
            directories: BTreeMap::new(),
            packed: Vec::new(),
        };
        if is_directory {
            layer.add_directory(path, "").map_err(|error| unable(&process::cause(&error)))?;
        } else {
            layer.packed = fs::read(path).map_err(|error| unable(&process::cause(&error)))?;
            layer
                .add_packed()
                .map_err(|cause| unable(&format!("{cause}; files come before --layer")))?;
        }
        Ok(layer)
    }

    fn file(&self, path: &str) -> Option<LayerFile<'_>> {
        let (path, entry) = self.entries.get_key_value(path)?;
        Some(LayerFile { layer: self, path, entry })
    }

    fn add_directory(&mut self, directory: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let about = entry.metadata()?;
            let kind = if about.is_dir() {
                self.add_directory(&entry.path(), &format!("{path}/"))?;
                self.directories.insert(path, about.permissions().mode());
                continue;
            } else if about.is_symlink() {
                EntryKind::Link(fs::read_link(entry.path())?.to_string_lossy().into_owned())
            } else {
                EntryKind::File(entry.path())
            };
            self.entries.insert(path, LayerEntry { mode: about.permissions().mode(), kind });
        }
        Ok(())
    }

    fn add_packed(&mut self) -> Result<(), String> {
        for member in zip::members(&self.packed)? {
            if let Some(path) = member.name.strip_suffix('/').and_then(normal) {
                self.directories.insert(path, member.mode);
                continue;
            }
            let Some(path) = normal(&member.name) else { continue };
            let is_link = member.mode & 0o170_000 == 0o120_000;
            let kind = match is_link {
                true => EntryKind::Link(
                    String::from_utf8_lossy(&member.content.read(&self.packed)?).into_owned(),
                ),
                false => EntryKind::Packed(member.content),
            };
            self.entries.insert(path, LayerEntry { mode: member.mode, kind });
        }
        Ok(())
    }
}

impl<'l> LayerFile<'l> {
    /// Returns the name for messages.
    pub fn name(&self) -> String {
        format!("{}/{}", self.layer.name, self.path)
    }

    pub fn layer(&self) -> &'l str {
        &self.layer.name
    }

    pub fn has_run_bit(&self) -> bool {
        self.entry.mode & 0o111 != 0
    }

    /// Returns the permission bits; `None` for a zip without Unix modes.
    pub fn mode(&self) -> Option<u32> {
        Some(self.entry.mode & 0o7777).filter(|&mode| mode != 0)
    }

    /// Returns the first directory of its path that only owner and group can enter, and its mode.
    pub fn closed_directory(&self) -> Option<(String, u32)> {
        let ends = self.path.match_indices('/').map(|(at, _)| &self.path[..at]);
        let modes =
            ends.filter_map(|path| Some((path, self.layer.directories.get(path)? & 0o7777)));
        let mut closed = modes.filter(|(_, mode)| *mode != 0 && mode & 0o001 == 0);
        closed.next().map(|(path, mode)| (format!("{}/{path}", self.layer.name), mode))
    }

    /// Returns the content; for a symlink, its target.
    pub fn content(&self) -> Result<Cow<'l, [u8]>, String> {
        match &self.entry.kind {
            EntryKind::File(path) => {
                fs::read(path).map(Cow::Owned).map_err(|error| process::cause(&error))
            }
            EntryKind::Packed(content) => content.read(&self.layer.packed),
            EntryKind::Link(target) => Ok(Cow::Borrowed(target.as_bytes())),
        }
    }

    pub fn is_link(&self) -> bool {
        matches!(self.entry.kind, EntryKind::Link(_))
    }
}

/// Normalizes a path: without `.`, `..` and empty parts; `None` for a directory, or a path out of
/// /opt.
pub fn normal(path: &str) -> Option<String> {
    if path.ends_with('/') {
        return None;
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_by_their_parts() {
        for (path, expected) in [
            ("bin/x", Some("bin/x")),
            ("./bin//x", Some("bin/x")),
            ("bin/stand-in/node/../../foreword", Some("bin/foreword")),
            ("bin/", None),
            ("../x", None),
            ("", None),
        ] {
            assert_eq!(normal(path).as_deref(), expected, "{path}");
        }
    }
}
