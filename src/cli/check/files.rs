//! The files of a function as it sees them: its code below /var/task, its layers below /opt. Knows
//! where they lie on this machine; judges none of them.

use crate::cli::layer::{LayerLookup, MergedLayers, normal};
use crate::lambda::{self, LAYERS, TASK_ROOT};
use crate::process;
use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Most links that lead from one to the next; the kernel follows as many.
const MOST_LINKS: usize = 40;

/// What begins the paths of what every function has besides its code and its layers.
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

/// A file of the function's, wherever it lies here.
pub struct FunctionFile<'f> {
    /// As messages name it.
    pub name: String,
    /// As the function names it.
    pub path: String,
    /// The permission bits; none when an archive has none.
    pub mode: Option<u32>,
    /// A directory on the way that other users cannot pass, and its mode.
    pub closed: Option<(String, u32)>,
    pub content: Result<Cow<'f, [u8]>, String>,
}

/// What is at a path of the function's.
pub enum Lookup<'f> {
    File(Box<FunctionFile<'f>>),
    Directory,
    /// Nothing is there; where was looked.
    Nothing(SearchedLocation),
    /// It lies where nobody can look from here.
    Unknown,
    /// It lies in a layer, and no layer was named.
    NoLayers,
    /// A symlink leads to nothing that is deployed; what is said of it.
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
    /// Whether it is known that the code lies here, so that what is missing here is missing.
    pub is_certain: bool,
}

/// A function's files: the code beside one configuration, and all layers.
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
    /// What is at an absolute path of the function's, at the end of all links.
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

/// Whether an absolute path lies where the image or Lambda may well have something.
fn is_in_image(path: &str) -> bool {
    let inside = path.trim_start_matches('/');
    IMAGE.iter().any(|start| inside.starts_with(start))
}

enum PathStep<'f> {
    There(Lookup<'f>),
    /// A link leads to a path of the function's.
    Link {
        name: String,
        /// What the link holds.
        written: String,
        target: String,
    },
}

impl CodeDirectory {
    /// Walks down to a path below the root, up to the first link.
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
                let folder = inside[..end].rsplit_once('/').map_or("", |(folder, _)| folder);
                let target = match written.starts_with('/') {
                    true => format!("{written}{rest}"),
                    false => format!("{TASK_ROOT}/{folder}/{written}{rest}"),
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

    /// How messages name a file of it.
    pub fn name_of(&self, inside: &str) -> String {
        shown(&self.root.join(inside))
    }
}

fn shown(path: &Path) -> String {
    let path = path.display().to_string();
    path.strip_prefix("./").map_or(path.clone(), str::to_owned)
}
