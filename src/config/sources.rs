//! Where a configuration comes from: the drop-in folder, `foreword.json` beside the code,
//! `FOREWORD_CONFIG`. Reads files, and understands nothing of what they say.

use super::{Invalid, json_hints};
use crate::environ::Environ;
use crate::json::Problem;
use crate::lambda::{HANDLER, TASK_ROOT, TASK_ROOT_VARIABLE};
use crate::position::LineColumn;
use crate::process;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The variable that names a file or holds JSON; inline JSON is called so in messages.
pub const CONFIG_VARIABLE: &str = "FOREWORD_CONFIG";

/// Where layers put their configurations.
const DROPIN_DIR: &str = "/opt/foreword.d";

/// One configuration file, or the JSON in `FOREWORD_CONFIG`.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its path, for messages.
    pub name: String,
    pub text: String,
}

impl Source {
    /// `FILE:LINE:COLUMN` of a byte of the text.
    pub fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.name, LineColumn::of(&self.text, offset))
    }

    /// Decodes the bytes of a configuration, without their byte order mark.
    pub fn from_bytes(name: String, mut text: Vec<u8>) -> SourceResult {
        text.drain(..text.len() - behind_mark(&text).len());
        String::from_utf8(text).map(|text| Self { name: name.clone(), text }).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            UnreadableSource::NotUtf8(
                Self { name, text },
                Problem { offset, message: "this is not UTF-8".into() },
            )
        })
    }

    pub fn invalid(&self, problem: &Problem) -> Invalid {
        Invalid::new(format!("{}: {}", self.place(problem.offset), problem.message))
    }
}

/// The folder that relative `when.file` globs and `foreword.json` are looked up in.
pub fn task_root<'e>(environ: &'e Environ) -> &'e Path {
    Path::new(environ.non_empty(TASK_ROOT_VARIABLE).unwrap_or(OsStr::new(TASK_ROOT)))
}

/// The function's executable, on runtimes that leave it to the function to bring one: `Handler`
/// names it.
pub fn handler_path(environ: &Environ) -> Option<OsString> {
    let handler = environ.non_empty(HANDLER)?;
    Some([task_root(environ).as_os_str(), OsStr::new("/"), handler].into_iter().collect())
}

/// Where a path of the function's leads on a machine that has the code elsewhere.
#[cfg(feature = "tool")]
pub fn local_path(named: &OsStr, root: &Path) -> PathBuf {
    let path = Path::new(named);
    match path.strip_prefix(TASK_ROOT) {
        Ok(inside) if !path.exists() => root.join(inside),
        _ => path.to_owned(),
    }
}

/// The folder of layers' configurations.
pub fn dropin_dir<'e>(environ: &'e Environ) -> &'e Path {
    Path::new(environ.non_empty("FOREWORD_DROPIN_DIR").unwrap_or(OsStr::new(DROPIN_DIR)))
}

/// All sources that exist, in the order in which they apply; a file that two of them name comes
/// once.
pub fn read_sources(environ: &Environ) -> Result<Vec<Source>, Invalid> {
    let mut sources = Sources::default();
    sources.add_directory(dropin_dir(environ));
    sources.add(environ, environ.value(CONFIG_VARIABLE).unwrap_or_default());
    sources.readable()
}

/// A source, or why what was to be one is none.
pub type SourceResult = Result<Source, UnreadableSource>;

pub enum UnreadableSource {
    File(String),
    /// The source has something in the place of what is no text.
    NotUtf8(Source, Problem),
}

impl UnreadableSource {
    fn invalid(self) -> Invalid {
        match self {
            UnreadableSource::File(message) => Invalid::new(message),
            UnreadableSource::NotUtf8(source, problem) => source.invalid(&problem),
        }
    }
}

/// Sources in the order in which they apply, with all that cannot be read in its place.
#[derive(Default)]
pub struct Sources {
    pub list: Vec<SourceResult>,
    /// Device and inode of the files read.
    read: Vec<(u64, u64)>,
}

impl Sources {
    /// Adds what the shell's `*.json` would give in a folder, which need not exist.
    pub fn add_directory(&mut self, folder: &Path) {
        match json_files(folder) {
            Ok(paths) => paths.iter().for_each(|path| self.add_file(path)),
            Err(message) => self.refuse(message),
        }
    }

    /// Adds what a function would bring that is not started here: a relative path leads from its
    /// code, where functions are started (AWS's documentation, "Lambda execution environment").
    #[cfg(feature = "tool")]
    pub fn add_function(&mut self, environ: &Environ) {
        let named = environ.value(CONFIG_VARIABLE).unwrap_or_default();
        let root = task_root(environ);
        let is_path = !matches!(behind_mark(named.as_bytes()).trim_ascii_start(), [] | [b'{', ..]);
        let path = match is_path {
            true if Path::new(named).is_relative() && root != Path::new(".") => root.join(named),
            true => local_path(named, root),
            false => PathBuf::from(named),
        };
        self.add(environ, path.as_os_str());
    }

    /// Adds what the function itself brings: the file beside its code, and what its variable has or
    /// names.
    fn add(&mut self, environ: &Environ, named: &OsStr) {
        let beside_the_code = task_root(environ).join("foreword.json");
        if let Err(error) = self.read(&beside_the_code)
            && error.kind() != io::ErrorKind::NotFound
        {
            self.refuse(unreadable(&beside_the_code, &error));
        }
        match behind_mark(named.as_bytes()).trim_ascii_start() {
            b"" => {}
            json if json.starts_with(b"{") => self
                .list
                .push(Source::from_bytes(CONFIG_VARIABLE.into(), named.as_bytes().to_vec())),
            _ => {
                if let Err(error) = self.read(Path::new(named)) {
                    self.refuse(unreadable_name(named, &error));
                }
            }
        }
    }

    /// All of them, or why the first that cannot be read cannot.
    pub fn readable(self) -> Result<Vec<Source>, Invalid> {
        self.list.into_iter().collect::<Result<_, _>>().map_err(UnreadableSource::invalid)
    }

    pub fn add_file(&mut self, path: &Path) {
        if let Err(error) = self.read(path) {
            self.refuse(unreadable(path, &error));
        }
    }

    fn refuse(&mut self, message: String) {
        self.list.push(Err(UnreadableSource::File(message)));
    }

    /// Reads a file, unless it was read already.
    fn read(&mut self, path: &Path) -> io::Result<()> {
        // A FIFO that nobody writes to must not hold up the start.
        let mut file = File::options().read(true).custom_flags(process::O_NONBLOCK).open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !about.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let identity = (about.dev(), about.ino());
        if self.read.contains(&identity) {
            return Ok(());
        }
        self.read.push(identity);
        // One byte more than there is, so that one read sees the end, too.
        let mut text = vec![0; usize::try_from(about.len()).unwrap_or(0) + 1];
        let mut length = 0;
        loop {
            let room = text.len() - length;
            let taken = file.read(&mut text[length..])?;
            length += taken;
            if taken < room {
                break;
            }
            text.resize(2 * text.len(), 0);
        }
        text.truncate(length);
        // What formats a path is the longer way, and every start would take it.
        let name = path.to_str().map_or_else(|| path.display().to_string(), str::to_owned);
        self.list.push(Source::from_bytes(name, text));
        Ok(())
    }
}

/// What follows a byte order mark.
fn behind_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
    };
    let entries = listed.map_err(|error| unreadable(folder, &error))?;
    let mut names: Vec<_> = entries.into_iter().map(|entry| entry.file_name()).collect();
    names.retain(|name| name.as_bytes().ends_with(b".json") && !name.as_bytes().starts_with(b"."));
    names.sort();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// What `FOREWORD_CONFIG` names is quoted only when it looks like a path: it may be a whole
/// configuration, wrongly quoted.
fn unreadable_name(named: &OsStr, error: &io::Error) -> String {
    let text = named.to_string_lossy();
    let is_path = text.len() < 256
        && !text.bytes().any(|byte| b"{}[]\"\n".contains(&byte))
        && !text.contains(": ");
    match (is_path, error.kind()) {
        (false, _) => {
            let is_quoted = matches!(
                text.trim_ascii_start().as_bytes(),
                [b'\'' | b'"' | b'`', ..] | [0xe2, 0x80, ..]
            );
            let way_out = match (is_quoted, json_hints::other_language(&text)) {
                (true, _) => "; remove the quotes around it",
                (_, language) => language.unwrap_or_default(),
            };
            format!(
                "{CONFIG_VARIABLE} is neither the path of a file nor a JSON object, which begins with \
                 {{{way_out}"
            )
        }
        (true, io::ErrorKind::NotFound) => {
            let is_windows = matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
                || text.contains('\\');
            let way_out = match is_windows {
                true => {
                    "; a function's paths are like /var/task/x.json (MSYS_NO_PATHCONV=1 keeps Git \
                     Bash from changing them)"
                }
                false => "",
            };
            format!("{CONFIG_VARIABLE} names {text:?}, and there is no such file{way_out}")
        }
        (true, _) => {
            format!("unable to read {text:?} ({CONFIG_VARIABLE}): {}", process::cause(error))
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("unable to read {}: {}", path.display(), process::cause(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn folders_that_nothing_names_are_those_of_lambda() {
        for (entries, expected) in [
            (&[] as &[&CStr], ("/opt/foreword.d", "/var/task")),
            (&[c"FOREWORD_DROPIN_DIR=", c"LAMBDA_TASK_ROOT="], ("/opt/foreword.d", "/var/task")),
            (&[c"FOREWORD_DROPIN_DIR=/a", c"LAMBDA_TASK_ROOT=/b"], ("/a", "/b")),
        ] {
            let environ = Environ::from_entries(entries.iter().copied());
            assert_eq!(
                (dropin_dir(&environ), task_root(&environ)),
                (Path::new(expected.0), Path::new(expected.1))
            );
        }
    }
}
