//! The files of a function at its own paths: its code below /var/task, its layers below /opt. Finds
//! them on this machine, and judges none of them.

use crate::cli::layer::{LayerLookup, MergedLayers, normal};
use crate::lambda::{self, LAYERS, TASK_ROOT};
use crate::process;
use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Longest chain of symlinks; the kernel has the same limit
/// (<https://man7.org/linux/man-pages/man7/path_resolution.7.html>).
const MOST_LINKS: usize = 40;

/// Prefixes of paths that every function's image has.
const IMAGE: [&str; 16] = [
    "bin/",
    "dev/",
    "etc/",
    "lib/",
    "lib64/",
    "mnt/",
    "proc/",
    "run/",
    "sbin/",
    "sys/",
    "tmp/",
    "usr/",
    "var/lang/",
    "var/rapid/",
    "var/run/",
    "var/runtime/",
];

/// A file of the function, wherever it is on this machine.
pub struct FunctionFile<'f> {
    /// The name for messages.
    pub name: String,
    /// The path in the function.
    pub path: String,
    /// The permission bits; `None` for a zip without Unix modes.
    pub mode: Option<u32>,
    /// A directory of its path that other users cannot enter, and its mode.
    pub closed: Option<(String, u32)>,
    pub content: Result<Cow<'f, [u8]>, String>,
}

/// The result of looking up a path of the function.
pub enum Lookup<'f> {
    File(Box<FunctionFile<'f>>),
    Directory,
    /// There is nothing at the places that were searched.
    Nothing(SearchedLocation),
    /// The place is not visible from this machine.
    Unknown,
    /// The path is below /opt, and no layer was given.
    NoLayers,
    /// A symlink leads to nothing that is deployed; with the message.
    Astray(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchedLocation {
    Layers,
    Code(String),
}

/// The code of a function on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeDirectory {
    pub root: PathBuf,
    /// True if the code is known to be here, so that a file that is missing here is missing.
    pub is_certain: bool,
}

/// The files of a function: the code that belongs to one configuration, and all layers.
#[derive(Clone, Copy)]
pub struct FunctionFiles<'f> {
    pub code: &'f CodeDirectory,
    pub opt: Option<&'f MergedLayers>,
}

impl<'f> FunctionFile<'f> {
    pub fn of_layer(file: &crate::cli::layer::LayerFile<'f>) -> Self {
        Self {
            name: file.name(),
            path: format!("{LAYERS}/{}", file.path),
            mode: file.mode(),
            closed: file.closed_directory(),
            content: file.content(),
        }
    }
}

impl<'f> FunctionFiles<'f> {
    /// Looks an absolute path up, following symlinks.
    pub fn look_up(&self, path: &str) -> Lookup<'f> {
        let mut path = path.to_owned();
        let mut link: Option<(String, String)> = None;
        for _ in 0..MOST_LINKS {
            if link.is_some()
                && let Some(normal) = normal(&path)
            {
                path = format!("/{normal}");
            }
            if lambda::strip_layers(&path).is_some() {
                let Some(opt) = self.opt else { return Lookup::NoLayers };
                match opt.look_up(&path) {
                    LayerLookup::File(file) => {
                        return Lookup::File(Box::new(FunctionFile::of_layer(&file)));
                    }
                    LayerLookup::Directory => return Lookup::Directory,
                    LayerLookup::Nothing => return Lookup::Nothing(SearchedLocation::Layers),
                    LayerLookup::Outside(target) => path = target,
                }
                continue;
            }
            if path == TASK_ROOT {
                return Lookup::Directory;
            }
            let inside = lambda::strip_task_root(&path).and_then(normal);
            let Some(inside) = inside else {
                return match link {
                    Some((name, target)) if !is_in_image(&path) => Lookup::Astray(format!(
                        "the symlink {name} leads to {target:?}, out of the code's directory, to \
                         what is not deployed with it; put the file itself in the symlink's place"
                    )),
                    _ => Lookup::Unknown,
                };
            };
            match self.code.step(&inside) {
                PathStep::There(place) => return place,
                PathStep::Link { name, written, target } => {
                    path = target;
                    link = Some((name, written));
                }
            }
        }
        match link {
            Some((name, _)) => Lookup::Astray(format!(
                "the symlink {name} leads back to itself, so that nothing can open it; put the \
                 file in its place"
            )),
            None => Lookup::Unknown,
        }
    }
}

/// Returns whether an absolute path is in a directory of the image or of Lambda.
fn is_in_image(path: &str) -> bool {
    let inside = path.trim_start_matches('/');
    IMAGE.iter().any(|start| inside.starts_with(start))
}

enum PathStep<'f> {
    There(Lookup<'f>),
    /// A symlink leads to this path of the function.
    Link {
        name: String,
        /// The target as the symlink has it.
        written: String,
        target: String,
    },
}

impl CodeDirectory {
    /// Walks down to a path below the root, up to the first symlink.
    fn step<'f>(&self, inside: &str) -> PathStep<'f> {
        let mut closed = None;
        let ends: Vec<_> =
            inside.match_indices('/').map(|(at, _)| at).chain([inside.len()]).collect();
        for (index, &end) in ends.iter().enumerate() {
            let here = self.root.join(&inside[..end]);
            let name = shown(&here);
            let Ok(about) = fs::symlink_metadata(&here) else {
                let missing = match self.is_certain {
                    true => Lookup::Nothing(SearchedLocation::Code(shown(&self.root.join(inside)))),
                    false => Lookup::Unknown,
                };
                return PathStep::There(missing);
            };
            let mode = about.permissions().mode() & 0o7777;
            if about.is_symlink() {
                let Ok(target) = fs::read_link(&here) else {
                    return PathStep::There(Lookup::Unknown);
                };
                let (written, rest) = (target.to_string_lossy().into_owned(), &inside[end..]);
                let directory =
                    inside[..end].rsplit_once('/').map_or("", |(directory, _)| directory);
                let target = match written.starts_with('/') {
                    true => format!("{written}{rest}"),
                    false => format!("{TASK_ROOT}/{directory}/{written}{rest}"),
                };
                return PathStep::Link { name, written, target };
            }
            if index + 1 < ends.len() {
                closed = closed.or((mode & 0o001 == 0).then_some((name, mode)));
                continue;
            }
            if about.is_dir() {
                return PathStep::There(Lookup::Directory);
            }
            if !about.is_file() {
                return PathStep::There(Lookup::Unknown);
            }
            let content = fs::read(&here).map(Cow::Owned).map_err(|error| process::cause(&error));
            let path = format!("{TASK_ROOT}/{inside}");
            return PathStep::There(Lookup::File(Box::new(FunctionFile {
                name,
                path,
                mode: Some(mode),
                closed,
                content,
            })));
        }
        PathStep::There(Lookup::Unknown)
    }

    /// Returns the name of a file for messages.
    pub fn name_of(&self, inside: &str) -> String {
        shown(&self.root.join(inside))
    }
}

fn shown(path: &Path) -> String {
    let path = path.display().to_string();
    path.strip_prefix("./").map_or(path.clone(), str::to_owned)
}
