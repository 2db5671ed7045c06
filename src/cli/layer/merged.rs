//! The layers of a function merged under /opt, with lookups that follow symlinks as the kernel
//! does.

use super::{EntryKind, Layer, LayerFile, normal};
use crate::lambda::strip_layers;
use std::collections::BTreeMap;

/// Longest chain of symlinks; the kernel has the same limit
/// (<https://man7.org/linux/man-pages/man7/path_resolution.7.html>).
const MOST_LINKS: usize = 40;

/// Directories at the root of layers
/// (<https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html>).
const LAYER_DIRECTORIES: [&str; 8] =
    ["bin", "extensions", "java", "lib", "nodejs", "python", "ruby", "dotnet"];

/// The result of a lookup below /opt.
pub enum LayerLookup<'l> {
    File(LayerFile<'l>),
    Directory,
    /// A symlink leads out of the layers, to this path.
    Outside(String),
    Nothing,
}

/// The layers of a function, merged: a later layer hides files of earlier ones.
pub struct MergedLayers {
    layers: Vec<Layer>,
}

impl MergedLayers {
    pub fn new(layers: Vec<Layer>) -> Self {
        Self { layers }
    }

    /// Returns the files that the function sees.
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

    /// Looks a path up, following symlinks.
    pub fn look_up(&self, path: &str) -> LayerLookup<'_> {
        let Some(mut inside) = strip_layers(path).and_then(normal) else {
            return LayerLookup::Nothing;
        };
        for _ in 0..MOST_LINKS {
            // Each directory of the path can be a symlink, too.
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

    /// Looks up a path relative to /opt without symlinks in it.
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

    /// Returns the file or symlink at a path relative to /opt.
    fn at(&self, path: &str) -> Option<LayerFile<'_>> {
        self.layers.iter().rev().find_map(|layer| layer.file(path))
    }

    /// Returns the files that a later layer hides, each with the file that hides it.
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

    /// Returns the file that would be at a path if its layer had no extra directory around
    /// everything.
    pub fn nested_one_deeper(&self, path: &str) -> Option<LayerFile<'_>> {
        let inside = strip_layers(path)?;
        let is_one_deeper = |file: &LayerFile| {
            file.path.split_once('/').is_some_and(|(directory, rest)| {
                rest == inside && !LAYER_DIRECTORIES.contains(&directory)
            })
        };
        self.files().into_iter().find(is_one_deeper)
    }
}
