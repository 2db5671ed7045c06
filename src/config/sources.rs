//! The sources of a configuration: the drop-in directory, `foreword.json` beside the code, and
//! `FOREWORD_CONFIG`. Finds and reads the files; does not parse them.

use super::{Invalid, json_hints};
use crate::environ::Environ;
use crate::json::Problem;
use crate::lambda::{HANDLER, TASK_ROOT, TASK_ROOT_VARIABLE};
use crate::position::LineColumn;
use crate::process;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The variable that holds JSON or the path of a file. Messages about its JSON name it in the place
/// of a file.
pub const CONFIG_VARIABLE: &str = "FOREWORD_CONFIG";

/// The directory in which layers put their configurations, unless `FOREWORD_DROPIN_DIR` names
/// another one.
const DROPIN_DIR: &str = "/opt/foreword.d";

/// One configuration file, or the JSON in `FOREWORD_CONFIG`.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The file's path, or the variable's name.
    pub name: String,
    pub text: String,
}

impl Source {
    /// Formats the place of a byte of the text, as `FILE:LINE:COLUMN`.
    pub fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.name, LineColumn::of(&self.text, offset))
    }

    /// Decodes the bytes of a configuration, without their byte order mark.
    pub fn from_bytes(name: String, mut text: Vec<u8>) -> SourceResult {
        text.drain(..text.len() - without_mark(&text).len());
        String::from_utf8(text).map(|text| Self { name: name.clone(), text }).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            UnreadableSource::NotUtf8(
                Self { name, text },
                Problem { offset, message: "this is not UTF-8".into() },
            )
        })
    }

    /// Formats a problem, with its place.
    pub fn invalid(&self, problem: &Problem) -> Invalid {
        Invalid::new(format!("{}: {}", self.place(problem.offset), problem.message))
    }
}

/// Returns the directory of the function's code, which has `foreword.json`, and from which relative
/// globs of `when.file` lead.
pub fn task_root<'e>(environ: &'e Environ) -> &'e Path {
    Path::new(environ.non_empty(TASK_ROOT_VARIABLE).unwrap_or(OsStr::new(TASK_ROOT)))
}

/// Returns the path of the function's executable on an OS-only runtime: `Handler` names it, in the
/// directory of the code ("Building a custom runtime",
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>).
pub fn handler_path(environ: &Environ) -> Option<OsString> {
    let handler = environ.non_empty(HANDLER)?;
    Some([task_root(environ).as_os_str(), OsStr::new("/"), handler].into_iter().collect())
}

/// Translates a path in a function to this machine, which has the code in `root`.
#[cfg(feature = "tool")]
pub fn local_path(named: &OsStr, root: &Path) -> PathBuf {
    let path = Path::new(named);
    match path.strip_prefix(TASK_ROOT) {
        Ok(inside) if !path.exists() => root.join(inside),
        _ => path.to_owned(),
    }
}

/// Returns the directory of the layers' configurations.
pub fn dropin_dir<'e>(environ: &'e Environ) -> &'e Path {
    Path::new(environ.non_empty("FOREWORD_DROPIN_DIR").unwrap_or(OsStr::new(DROPIN_DIR)))
}

/// Reads all sources that exist, in the order in which they apply. Reads a file that two of them
/// name only once.
///
/// # Errors
/// Reports the first source that cannot be read, or is not UTF-8.
pub fn read_sources(environ: &Environ) -> Result<Vec<Source>, Invalid> {
    let mut sources = Sources::default();
    sources.add_directory(dropin_dir(environ));
    sources.add(environ, environ.value(CONFIG_VARIABLE).unwrap_or_default());
    sources.into_readable()
}

/// A source, or the reason why it cannot be read.
pub type SourceResult = Result<Source, UnreadableSource>;

/// A source that cannot be read.
pub enum UnreadableSource {
    /// The file cannot be read; the message says why.
    File(String),
    /// The file is not UTF-8. The source has U+FFFD in the place of each wrong byte.
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

/// Sources in the order in which they apply; one that cannot be read stays in its place.
#[derive(Default)]
pub struct Sources {
    pub list: Vec<SourceResult>,
    /// The device and inode of each file that was read.
    read: Vec<(u64, u64)>,
}

impl Sources {
    /// Adds the files of a directory that match `*.json`, in the order of their names. The
    /// directory need not exist.
    pub fn add_directory(&mut self, directory: &Path) {
        match json_files(directory) {
            Ok(paths) => paths.iter().for_each(|path| self.add_file(path)),
            Err(message) => self.push_unreadable(message),
        }
    }

    /// Adds the sources of a function that is not started on this machine. A relative path in
    /// `FOREWORD_CONFIG` leads from its code, which is a function's working directory
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
    #[cfg(feature = "tool")]
    pub fn add_function(&mut self, environ: &Environ) {
        let named = environ.value(CONFIG_VARIABLE).unwrap_or_default();
        let root = task_root(environ);
        let is_path = !matches!(without_mark(named.as_bytes()).trim_ascii_start(), [] | [b'{', ..]);
        let path = match is_path {
            true if Path::new(named).is_relative() && root != Path::new(".") => root.join(named),
            true => local_path(named, root),
            false => PathBuf::from(named),
        };
        self.add(environ, path.as_os_str());
    }

    /// Adds the function's own sources: the file beside its code, and the JSON or the file in
    /// `FOREWORD_CONFIG`, whose value is `named`.
    fn add(&mut self, environ: &Environ, named: &OsStr) {
        let beside_the_code = task_root(environ).join("foreword.json");
        if let Err(error) = self.read(&beside_the_code)
            && error.kind() != io::ErrorKind::NotFound
        {
            self.push_unreadable(unreadable(&beside_the_code, &error));
        }
        match without_mark(named.as_bytes()).trim_ascii_start() {
            b"" => {}
            json if json.starts_with(b"{") => self
                .list
                .push(Source::from_bytes(CONFIG_VARIABLE.into(), named.as_bytes().to_vec())),
            _ => {
                if let Err(error) = self.read(Path::new(named)) {
                    self.push_unreadable(unreadable_name(named, &error));
                }
            }
        }
    }

    /// Returns all sources.
    ///
    /// # Errors
    /// Reports the first that cannot be read.
    pub fn into_readable(self) -> Result<Vec<Source>, Invalid> {
        self.list.into_iter().collect::<Result<_, _>>().map_err(UnreadableSource::invalid)
    }

    /// Adds a file.
    pub fn add_file(&mut self, path: &Path) {
        if let Err(error) = self.read(path) {
            self.push_unreadable(unreadable(path, &error));
        }
    }

    fn push_unreadable(&mut self, message: String) {
        self.list.push(Err(UnreadableSource::File(message)));
    }

    /// Reads a file, unless it was read already.
    fn read(&mut self, path: &Path) -> io::Result<()> {
        // Opening a FIFO without a writer would block (fifo(7)).
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
        // One byte more than the file has, so that the first read also finds its end.
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
        // Formatting the path takes longer, and every start reads files.
        let name = path.to_str().map_or_else(|| path.display().to_string(), str::to_owned);
        self.list.push(Source::from_bytes(name, text));
        Ok(())
    }
}

/// Returns the text without its byte order mark.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Lists the files of a directory that the shell's `*.json` matches, in the order of their names.
fn json_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut names = match process::file_names(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(|error| unreadable(directory, &error))?,
    };
    names.retain(|name| name.as_bytes().ends_with(b".json") && !name.as_bytes().starts_with(b"."));
    names.sort_unstable();
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}

/// Returns the message about a value of `FOREWORD_CONFIG` that names no file that can be read.
/// Quotes the value only when it looks like a path: it may be a whole configuration in wrong
/// quotes, which may hold secrets.
fn unreadable_name(named: &OsStr, error: &io::Error) -> String {
    let text = named.to_string_lossy();
    let is_path = text.len() < 256 && !text.contains(['{', '}', '[', ']', '"', '\n']);
    if !is_path || text.contains(": ") {
        let way_out = match text.trim_ascii_start().as_bytes() {
            [b'\'' | b'"' | b'`', ..] | [0xe2, 0x80, ..] => "; remove the quotes around it",
            _ => json_hints::other_language(&text).unwrap_or_default(),
        };
        return format!(
            "{CONFIG_VARIABLE} is neither the path of a file nor a JSON object, which begins with \
             {{{way_out}"
        );
    }
    if error.kind() != io::ErrorKind::NotFound {
        return format!("unable to read {text:?} ({CONFIG_VARIABLE}): {}", process::cause(error));
    }
    let has_drive = matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let way_out = match has_drive || text.contains('\\') {
        true => {
            "; a function's paths are like /var/task/x.json (MSYS_NO_PATHCONV=1 keeps Git Bash \
             from changing them)"
        }
        false => "",
    };
    format!("{CONFIG_VARIABLE} names {text:?}, and there is no such file{way_out}")
}

/// Returns the message about a file that cannot be read.
fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("unable to read {}: {}", path.display(), process::cause(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn directories_without_a_variable_are_those_of_lambda() {
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
