//! What `check` is asked to look at: files, directories that hold a function's code, or what a
//! function here would load. Knows where the code lies that goes with each of them.

use super::files::CodeDirectory;
use super::program_file::unreadable;
use crate::cli::finding::{Finding, Severity};
use crate::cli::layer::MergedLayers;
use crate::config::{self, Source, SourceResult, Sources, UnreadableSource};
use crate::environ::Environ;
use crate::lambda::{LAYERS, TASK_ROOT_VARIABLE};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file beside the code.
const BESIDE_CODE: &str = "foreword.json";

pub struct Targets<'o> {
    files: Vec<PathBuf>,
    /// The environment that says what is loaded besides, unless files were named.
    environ: Option<Environ<'o>>,
    opt: Option<&'o MergedLayers>,
    /// The folder of drop-ins.
    dropins: PathBuf,
    /// Where the code lies that goes with everything that does not lie beside it.
    code: CodeDirectory,
}

impl<'o> Targets<'o> {
    pub fn new(files: &[PathBuf], opt: Option<&'o MergedLayers>, own: &Environ<'o>) -> Self {
        let dropins = config::dropin_dir(own).to_owned();
        let named_root = own.non_empty(TASK_ROOT_VARIABLE).map(PathBuf::from);
        let root = match files {
            [] => Some(named_root.clone().unwrap_or_else(|| ".".into())),
            [only] if only.is_dir() => Some(only.clone()),
            _ => None,
        };
        if let Some(root) = root {
            let mut environ = own.clone();
            environ.set(TASK_ROOT_VARIABLE, root.as_os_str());
            let is_certain =
                !files.is_empty() || named_root.is_some() || root.join(BESIDE_CODE).is_file();
            return Self {
                files: Vec::new(),
                environ: Some(environ),
                opt,
                dropins,
                code: CodeDirectory { root, is_certain },
            };
        }
        let named =
            |file: &PathBuf| if file.is_dir() { file.join(BESIDE_CODE) } else { file.clone() };
        let files: Vec<_> = files.iter().map(named).collect();
        let beside = files.iter().find_map(|file| root_of(file));
        let code = CodeDirectory {
            is_certain: beside.is_some(),
            root: beside.or(named_root).unwrap_or_else(|| ".".into()),
        };
        Self { files, environ: None, opt, dropins, code }
    }

    /// The sources in the order in which they apply: the layers' drop-ins, or else those of this
    /// machine, come first.
    pub fn sources(&self) -> Vec<SourceResult> {
        let mut sources = Sources::default();
        match (self.opt, self.dropins.strip_prefix(LAYERS)) {
            (Some(opt), Ok(inside)) => sources.list.extend(of_layers(opt, inside)),
            _ if self.environ.is_some() => sources.add_directory(&self.dropins),
            _ => {}
        }
        self.environ.iter().for_each(|environ| sources.add_function(environ));
        self.files.iter().for_each(|file| sources.add_file(file));
        sources.list
    }

    /// What is said when there are none.
    pub fn nothing_found_message(&self) -> String {
        format!(
            "there is nothing to check: {} does not exist, there are no drop-ins, and \
             FOREWORD_CONFIG is not set; name the files",
            self.code.name_of(BESIDE_CODE)
        )
    }

    /// The code that goes with a source.
    pub fn code_of(&self, source: &str) -> CodeDirectory {
        let file = self
            .files
            .iter()
            .find(|file| file.as_os_str() == source)
            .and_then(|file| root_of(file));
        file.map_or_else(|| self.code.clone(), |root| CodeDirectory { root, is_certain: true })
    }

    pub fn code(&self) -> &CodeDirectory {
        &self.code
    }

    /// The configurations that the function's user cannot read.
    pub fn unreadable(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let (Some(opt), Ok(inside)) = (self.opt, self.dropins.strip_prefix(LAYERS)) {
            for file in dropins_of(opt, inside) {
                let wrong =
                    file.mode().filter(|mode| mode & 0o004 == 0 && !file.is_link()).map(unreadable);
                let closed =
                    file.closed_directory().map(|(directory, mode)| closed(&directory, mode));
                let wrong = wrong.into_iter().chain(closed);
                findings.extend(
                    wrong.map(|message| Finding::about(Severity::Error, &file.name(), message)),
                );
            }
        }
        let beside =
            self.environ.iter().map(|_| (self.code.root.join(BESIDE_CODE), Severity::Error));
        let named = self.files.iter().map(|file| {
            let severity =
                if root_of(file).is_some() { Severity::Error } else { Severity::Warning };
            (file.clone(), severity)
        });
        for (file, severity) in beside.chain(named) {
            let Ok(about) = fs::metadata(&file) else { continue };
            let mode = about.permissions().mode() & 0o7777;
            if about.is_file() && mode & 0o004 == 0 {
                findings.push(Finding::about(
                    severity,
                    &file.display().to_string(),
                    unreadable(mode),
                ));
            }
        }
        findings
    }
}

/// Where the code lies that a configuration belongs to by its name.
fn root_of(file: &Path) -> Option<PathBuf> {
    let root = file.parent().filter(|_| file.file_name() == Some(OsStr::new(BESIDE_CODE)))?;
    Some(if root.as_os_str().is_empty() { ".".into() } else { root.to_owned() })
}

fn closed(directory: &str, mode: u32) -> String {
    format!(
        "the directory {directory} has the mode {mode:04o}, and a function runs as another user \
         than its owner, who cannot pass it; chmod a+rx it before it is zipped"
    )
}

fn of_layers<'o>(
    opt: &'o MergedLayers,
    folder: &'o Path,
) -> impl Iterator<Item = SourceResult> + 'o {
    dropins_of(opt, folder).map(|file| {
        let content = file.content().map_err(|cause| {
            UnreadableSource::File(format!("unable to read {}: {cause}", file.name()))
        });
        content.and_then(|content| Source::from_bytes(file.name(), content.into_owned()))
    })
}

fn dropins_of<'o>(
    opt: &'o MergedLayers,
    folder: &'o Path,
) -> impl Iterator<Item = crate::cli::layer::LayerFile<'o>> + 'o {
    let is_dropin = move |path: &Path| {
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        path.parent() == Some(folder) && path.extension() == Some(OsStr::new("json")) && !is_hidden
    };
    opt.files().into_iter().filter(move |file| is_dropin(Path::new(file.path)))
}
