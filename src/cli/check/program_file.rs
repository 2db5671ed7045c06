//! Faults of a file that keep it from being executed in a function, or make it depend on more than
//! the function has.

mod binary;
mod permissions;

pub use binary::lambda_machine;
pub use permissions::unreadable;

use super::files::{FunctionFile, FunctionFiles, Lookup};
use super::references::FileUse;
use super::runtimes::CandidateRuntimes;
use super::shebang;
use crate::cli::finding::{Finding, Severity};
use crate::cli::layer::normal;
use crate::config::Source;

/// The architecture that programs have to be for, and the reason.
pub struct ExpectedArchitecture {
    pub name: &'static str,
    pub because: &'static str,
    /// The severity of a mismatch: an error if the architecture is certain.
    pub severity: Severity,
}

/// The one who executes a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Executor {
    /// The configuration, at this place.
    Configuration(String, FileUse),
    /// Lambda, which executes every file in the directory of extensions.
    Extensions,
    /// Lambda, as the bootstrap of an OS-only runtime.
    Bootstrap,
    /// Nobody known.
    Unknown,
}

/// A file to check, and its context.
pub struct ProgramCheck<'f> {
    pub file: &'f FunctionFile<'f>,
    pub files: FunctionFiles<'f>,
    pub user: &'f Executor,
    pub expected: &'f ExpectedArchitecture,
    pub runtimes: &'f CandidateRuntimes,
}

/// A fault of a file.
pub struct ProgramFault {
    severity: Severity,
    /// The faulty line, and the byte in it.
    line: Option<(String, usize)>,
    message: String,
}

/// Longest target of a symlink (`PATH_MAX`,
/// <https://man7.org/linux/man-pages/man7/symlink.7.html>).
const LONGEST_LINK: usize = 4096;

/// The start of a pointer file, which Git LFS leaves where it has not fetched the content
/// (<https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>).
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The first bytes of other systems' programs, and the system.
const FOREIGN: [(&[u8], &str); 6] = [
    (b"MZ", "Windows"),
    (b"\xcf\xfa\xed\xfe", "macOS"),
    (b"\xce\xfa\xed\xfe", "macOS"),
    (b"\xfe\xed\xfa\xcf", "macOS"),
    (b"\xfe\xed\xfa\xce", "macOS"),
    (b"\xca\xfe\xba\xbe", "macOS"),
];

/// The first bytes of archives, their kind, and what unpacks them
/// (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>,
/// <https://www.rfc-editor.org/rfc/rfc1952>).
const ARCHIVES: [(&[u8], &str, &str); 2] =
    [(b"PK\x03\x04", "a zip archive", "unzip"), (b"\x1f\x8b", "a gzip archive", "gunzip, tar xzf")];

impl Executor {
    fn severity(&self) -> Severity {
        match self {
            Executor::Configuration(..) | Executor::Extensions => Severity::Error,
            // Managed runtimes do not need it.
            Executor::Bootstrap | Executor::Unknown => Severity::Warning,
        }
    }

    /// Returns the end of a message that names the executor.
    fn suffix(&self) -> String {
        match self {
            Executor::Configuration(place, FileUse::Executed) => format!(" ({place} runs it)"),
            Executor::Configuration(place, FileUse::Read | FileUse::ReadByShell) => {
                format!(" ({place} has it run)")
            }
            Executor::Extensions => " (Lambda runs everything in extensions)".into(),
            Executor::Bootstrap => " (Lambda runs it on OS-only runtimes)".into(),
            Executor::Unknown => String::new(),
        }
    }

    fn is_executed(&self) -> bool {
        !matches!(self, Executor::Configuration(_, FileUse::Read | FileUse::ReadByShell))
    }
}

impl ProgramFault {
    /// Returns the finding; its message depends on the executor.
    pub fn finding(&self, subject: &ProgramCheck) -> Finding {
        let message = self.message.clone() + &subject.user.suffix();
        let name = &subject.file.name;
        match &self.line {
            Some((line, column)) => {
                let source = Source { name: name.clone(), text: line.clone() };
                Finding::at(self.severity, &source, *column, message)
            }
            None => Finding::about(self.severity, name, message),
        }
    }

    /// Returns the message without the executor, which is unique among the faults of a file.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Returns whether a file looks like a program.
pub fn is_program(file: &FunctionFile) -> bool {
    let is_library = file.path.ends_with(".so") || file.path.contains(".so.");
    let content = file.content.as_deref().unwrap_or_default();
    content.starts_with(b"#!") || content.starts_with(b"\x7fELF") && !is_library
}

/// Returns the faults of a file that is to be executed.
pub fn faults(subject: &ProgramCheck) -> Vec<ProgramFault> {
    let ProgramCheck { file, user, .. } = subject;
    let about = |message: String| ProgramFault { severity: user.severity(), line: None, message };
    let content = match &file.content {
        Ok(content) => content,
        Err(cause) => {
            // Missing permissions here may be missing in the function, too.
            let refused = permissions::faults(file, user.is_executed(), b"").into_iter().map(about);
            let message = format!("unable to read this file: {cause}");
            return refused
                .chain([ProgramFault { severity: Severity::Error, line: None, message }])
                .collect();
        }
    };
    if let Some(target) = link_as_text(file, &subject.files) {
        return vec![about(format!(
            "this is no program but a text file that holds the path {target:?}: an archiver or a \
             checkout made it of a symlink; keep symlinks (zip --symlinks, git config \
             core.symlinks true) or put the file itself here"
        ))];
    }
    if content.starts_with(LFS_POINTER) {
        return vec![about(
            "this is a pointer of Git LFS in the place of the file; get the file (git lfs pull)"
                .into(),
        )];
    }
    let mut faults: Vec<ProgramFault> =
        permissions::faults(file, user.is_executed(), content).into_iter().map(about).collect();
    let source = |line: &[u8]| format!("#!{}", String::from_utf8_lossy(line));
    if let Some((_, system)) = FOREIGN.iter().find(|(magic, _)| content.starts_with(magic)) {
        faults.push(about(format!("this program is for {system}; build it for Linux")));
    } else if let Some(line) = content.strip_prefix(b"#!") {
        let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
        if user.is_executed() {
            let wrong =
                shebang::fault(line, &subject.files, subject.runtimes, user.severity()).into_iter();
            faults.extend(wrong.map(|(severity, column, message)| ProgramFault {
                severity,
                line: Some((source(line), column)),
                message,
            }));
        } else {
            faults.extend(carriage_return(content, user).map(about));
        }
    } else if content.starts_with(b"\xef\xbb\xbf#!") && user.is_executed() {
        let message = "the file begins with a byte order mark, and its #! line therefore counts \
                       for nothing; save it as UTF-8 without a byte order mark";
        faults.push(about(message.into()));
    } else if content.is_empty() && matches!(user, Executor::Configuration(_, FileUse::Executed)) {
        faults.push(ProgramFault {
            severity: Severity::Warning,
            line: None,
            message: "this file is empty, so that to run it does nothing; put the program here"
                .into(),
        });
    } else if let Some(message) = other_than_program(content, user) {
        faults.push(ProgramFault { severity: Severity::Warning, line: None, message });
    } else if content.starts_with(b"\x7fELF") {
        faults.extend(
            binary::faults(content, subject).into_iter().map(|(severity, message)| ProgramFault {
                severity,
                line: None,
                message,
            }),
        );
    } else if matches!(user, Executor::Extensions | Executor::Bootstrap) {
        faults.push(about("this is neither a program nor a script with a #! line".into()));
    } else {
        faults.extend(carriage_return(content, user).map(about));
    }
    faults
}

/// Returns the message about a failed download, or an archive that was not unpacked.
fn other_than_program(content: &[u8], user: &Executor) -> Option<String> {
    let Executor::Configuration(_, kind) = user else { return None };
    let text = content.trim_ascii_start();
    let begins =
        |what: &[u8]| text.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what));
    if begins(b"<!doctype html") || begins(b"<html") {
        return Some(
            "this is no program but an HTML page, such as a failed download leaves; get the file \
             anew"
                .into(),
        );
    }
    // Java and Python can read archives.
    let archive =
        ARCHIVES.iter().find(|(magic, ..)| *kind != FileUse::Read && content.starts_with(magic));
    archive.map(|(_, what, how)| {
        format!("this is no program but {what}; unpack it ({how}) and put the program here")
    })
}

/// Returns the path in a file that should be a symlink.
pub fn link_as_text(file: &FunctionFile, files: &FunctionFiles) -> Option<String> {
    let content = file.content.as_deref().ok().filter(|content| content.len() < LONGEST_LINK)?;
    let text = str::from_utf8(content).ok()?;
    let is_word = !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if !is_word || text.starts_with(['#', '{', '[', '"']) {
        return None;
    }
    let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let leads_to = match text.starts_with('/') {
        true => text.to_owned(),
        false => format!("/{}", normal(&format!("{directory}/{text}"))?),
    };
    let is_there = matches!(files.look_up(&leads_to), Lookup::File(_) | Lookup::Directory)
        && leads_to != file.path;
    (is_there || text.starts_with("../")).then(|| text.to_owned())
}

/// Returns the message about carriage returns in a script that a shell reads.
fn carriage_return(content: &[u8], user: &Executor) -> Option<String> {
    let is_read_by_shell = !matches!(user, Executor::Configuration(_, FileUse::Read));
    let first = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let is_text = first.len() < content.len() && !first.contains(&0);
    (is_read_by_shell && is_text && first.ends_with(b"\r")).then(|| {
        "the lines of this script end in carriage returns, which the shell takes for parts of \
         words; save it with Unix line endings (sed -i 's/\\r$//')"
            .into()
    })
}
