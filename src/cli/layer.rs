//! Layers as Lambda lays them over each other under /opt, read from directories or zips. Only
//! looks: `check` says what is wrong with a file in one.

mod zip;

use crate::lambda::strip_layers;
use crate::process;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Most links that lead from one to the next; the kernel follows as many.
const MOST_LINKS: usize = 40;

/// Folders that layers have at their root (AWS's documentation, "Packaging your layer content").
const FOLDERS: [&str; 8] =
    ["bin", "extensions", "java", "lib", "nodejs", "python", "ruby", "dotnet"];

pub struct Layer {
    /// As the user named it.
    name: String,
    /// By their paths, relative to /opt.
    entries: BTreeMap<String, LayerEntry>,
    /// The permission bits of directories, as far as the layer has them.
    directories: BTreeMap<String, u32>,
    /// The whole zip, if it is one.
    packed: Vec<u8>,
}

struct LayerEntry {
    /// The permission bits; of a zip that has none, none.
    mode: u32,
    kind: EntryKind,
}

enum EntryKind {
    /// A file of a folder.
    File(PathBuf),
    /// A file of a zip.
    Packed(zip::ZipContent),
    /// To what it leads.
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
        let is_folder =
            fs::metadata(path).map_err(|error| unable(&process::cause(&error)))?.is_dir();
        let mut layer = Self {
            name: name.trim_end_matches('/').to_owned(),
            entries: BTreeMap::new(),
            directories: BTreeMap::new(),
            packed: Vec::new(),
        };
        if is_folder {
            layer.add_folder(path, "").map_err(|error| unable(&process::cause(&error)))?;
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

    fn add_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let about = entry.metadata()?;
            let kind = if about.is_dir() {
                self.add_folder(&entry.path(), &format!("{path}/"))?;
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
    /// As messages name it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.layer.name, self.path)
    }

    pub fn layer(&self) -> &'l str {
        &self.layer.name
    }

    pub fn has_run_bit(&self) -> bool {
        self.entry.mode & 0o111 != 0
    }

    /// The permission bits; none when the zip has no Unix modes.
    pub fn mode(&self) -> Option<u32> {
        Some(self.entry.mode & 0o7777).filter(|&mode| mode != 0)
    }

    /// The first directory on the way to it that another user than its owner and group cannot pass,
    /// and its mode.
    pub fn closed_directory(&self) -> Option<(String, u32)> {
        let ends = self.path.match_indices('/').map(|(at, _)| &self.path[..at]);
        let modes =
            ends.filter_map(|path| Some((path, self.layer.directories.get(path)? & 0o7777)));
        let mut closed = modes.filter(|(_, mode)| *mode != 0 && mode & 0o001 == 0);
        closed.next().map(|(path, mode)| (format!("{}/{path}", self.layer.name), mode))
    }

    /// What is in it; a link has its target.
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

/// What is at a path below /opt.
pub enum LayerLookup<'l> {
    File(LayerFile<'l>),
    Directory,
    /// A link leads out of the layers, to this path.
    Outside(String),
    Nothing,
}

/// All layers of a function.
pub struct MergedLayers {
    layers: Vec<Layer>,
}

impl MergedLayers {
    pub fn new(layers: Vec<Layer>) -> Self {
        Self { layers }
    }

    /// The files as the function sees them: of those with one path, that of the last layer.
    pub fn files(&self) -> Vec<LayerFile<'_>> {
        let mut files = BTreeMap::new();
        for layer in &self.layers {
            files.extend(
                layer
                    .entries
                    .iter()
                    .map(|(path, entry)| (path.as_str(), LayerFile { layer, path, entry })),
            );
        }
        files.into_values().collect()
    }

    pub fn count(&self) -> usize {
        self.layers.len()
    }

    /// What is at a path as the function knows it, at the end of all links.
    pub fn look_up(&self, path: &str) -> LayerLookup<'_> {
        let Some(mut inside) = strip_layers(path).and_then(normal) else {
            return LayerLookup::Nothing;
        };
        for _ in 0..MOST_LINKS {
            // A folder on the way may be a link, too.
            let ends = inside.match_indices('/').map(|(at, _)| at).chain([inside.len()]);
            let link = ends.filter_map(|end| self.at(&inside[..end])).find_map(|file| match &file
                .entry
                .kind
            {
                EntryKind::Link(target) => Some((file, target)),
                EntryKind::File(_) | EntryKind::Packed(_) => None,
            });
            let Some((link, target)) = link else { return self.at_end(&inside) };
            let rest = &inside[link.path.len()..];
            let next = match (strip_layers(target), target.starts_with('/')) {
                (Some(target), _) => normal(&format!("{target}{rest}")),
                (None, true) => return LayerLookup::Outside(format!("{target}{rest}")),
                (None, false) => normal(&format!("{}/../{target}{rest}", link.path)),
            };
            let Some(next) = next else { return LayerLookup::Nothing };
            inside = next;
        }
        LayerLookup::Nothing
    }

    /// What is at a path relative to /opt on which there are no links.
    fn at_end(&self, path: &str) -> LayerLookup<'_> {
        let is_in_it =
            |other: &String| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        let is_directory = |layer: &Layer| {
            layer.directories.contains_key(path) || layer.entries.keys().any(is_in_it)
        };
        match self.at(path) {
            Some(file) => LayerLookup::File(file),
            None if self.layers.iter().any(is_directory) => LayerLookup::Directory,
            None => LayerLookup::Nothing,
        }
    }

    /// The file or link at a path relative to /opt.
    fn at(&self, path: &str) -> Option<LayerFile<'_>> {
        self.layers.iter().rev().find_map(|layer| layer.file(path))
    }

    /// The files that another layer's of the same path hides, each with that one.
    pub fn hidden(&self) -> Vec<(LayerFile<'_>, LayerFile<'_>)> {
        let mut hidden = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            for (path, entry) in &layer.entries {
                let above = self.layers[index + 1..].iter().find_map(|layer| layer.file(path));
                hidden.extend(above.map(|above| (LayerFile { layer, path, entry }, above)));
            }
        }
        hidden
    }

    /// The file that would be at a path if a layer had not a folder too many around everything.
    pub fn nested_one_deeper(&self, path: &str) -> Option<LayerFile<'_>> {
        let inside = strip_layers(path)?;
        let is_one_deeper = |file: &LayerFile| {
            file.path
                .split_once('/')
                .is_some_and(|(folder, rest)| rest == inside && !FOLDERS.contains(&folder))
        };
        self.files().into_iter().find(is_one_deeper)
    }
}

/// A path without `.`, `..` and empty parts; none for a folder or what leads out of /opt.
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
