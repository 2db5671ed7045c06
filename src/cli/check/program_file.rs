//! What keeps a file from being executed in a function, or makes it depend on more than the
//! function brings.

use super::files::{FunctionFile, FunctionFiles, Lookup};
use super::references::FileUse;
use super::runtimes::CandidateRuntimes;
use super::shebang;
use crate::cli::finding::{Finding, Severity};
use crate::cli::layer::normal;
use crate::config::Source;
use crate::elf::{ElfFile, Machine};

/// The architecture that programs have to be for, and why.
pub struct ExpectedArchitecture {
    pub name: &'static str,
    pub because: &'static str,
    /// How much is known of it.
    pub severity: Severity,
}

/// Who executes a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Executor {
    /// The configuration names it at this place.
    Configuration(String, FileUse),
    /// Lambda, which executes every file in its folder.
    Extensions,
    /// Lambda, as the bootstrap of an OS-only runtime.
    Bootstrap,
    /// Nobody that is known.
    Unknown,
}

/// A file to look at, and what is around it.
pub struct ProgramCheck<'f> {
    pub file: &'f FunctionFile<'f>,
    pub files: FunctionFiles<'f>,
    pub user: &'f Executor,
    pub expected: &'f ExpectedArchitecture,
    pub runtimes: &'f CandidateRuntimes,
}

/// Something that is wrong with a file.
pub struct ProgramFault {
    severity: Severity,
    /// A line of it, its number, and the byte of it that is to blame.
    line: Option<(String, usize)>,
    message: String,
}

/// The dynamic loaders of Lambda's images.
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// The minor versions of glibc 2 in Amazon Linux 2 and 2023 (AWS's documentation, "Comparing AL2
/// and AL2023").
const GLIBC_2: u32 = 26;
const GLIBC_2023: u32 = 34;

/// Longest path that a link may hold (`PATH_MAX`, symlink(7)).
const LONGEST_LINK: usize = 4096;

/// What the files begin with that Git LFS leaves where it has not fetched the real ones (git-lfs's
/// specification).
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// What other systems' programs begin with, and whose they are.
const FOREIGN: [(&[u8], &str); 6] = [
    (b"MZ", "Windows"),
    (b"\xcf\xfa\xed\xfe", "macOS"),
    (b"\xce\xfa\xed\xfe", "macOS"),
    (b"\xfe\xed\xfa\xcf", "macOS"),
    (b"\xfe\xed\xfa\xce", "macOS"),
    (b"\xca\xfe\xba\xbe", "macOS"),
];

/// What archives begin with, and what they are (APPNOTE.TXT of PKWARE; RFC 1952).
const ARCHIVES: [(&[u8], &str, &str); 2] =
    [(b"PK\x03\x04", "a zip archive", "unzip"), (b"\x1f\x8b", "a gzip archive", "gunzip, tar xzf")];

impl Executor {
    fn severity(&self) -> Severity {
        match self {
            Executor::Configuration(..) | Executor::Extensions => Severity::Error,
            // Managed runtimes do without it.
            Executor::Bootstrap | Executor::Unknown => Severity::Warning,
        }
    }

    /// What is said about it behind a message.
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
    /// As it is shown; the message is another for each user.
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

    /// What tells it from others of the same file.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Whether a file is meant to be executed, as far as it shows.
pub fn is_program(file: &FunctionFile) -> bool {
    let is_library = file.path.ends_with(".so") || file.path.contains(".so.");
    let content = file.content.as_deref().unwrap_or_default();
    content.starts_with(b"#!") || content.starts_with(b"\x7fELF") && !is_library
}

/// Everything that is wrong with a file that is to be executed.
pub fn faults(subject: &ProgramCheck) -> Vec<ProgramFault> {
    let ProgramCheck { file, user, .. } = subject;
    let about = |message: String| ProgramFault { severity: user.severity(), line: None, message };
    let content = match &file.content {
        Ok(content) => content,
        Err(cause) => {
            // What keeps another user from it here may be what keeps the function's from it.
            let refused = permissions(file, user.is_executed(), b"").into_iter().map(about);
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
        permissions(file, user.is_executed(), content).into_iter().map(about).collect();
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
            binary(content, subject).into_iter().map(|(severity, message)| ProgramFault {
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

/// What is said of a download that is not what was wanted, or that was not unpacked.
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
    // Java and Python read archives.
    let archive =
        ARCHIVES.iter().find(|(magic, ..)| *kind != FileUse::Read && content.starts_with(magic));
    archive.map(|(_, what, how)| {
        format!("this is no program but {what}; unpack it ({how}) and put the program here")
    })
}

/// Why the function's user, who is neither a file's owner nor in its group, cannot use it.
fn permissions(file: &FunctionFile, is_executed: bool, content: &[u8]) -> Vec<String> {
    const ZIP: &str = "before it is zipped, and zip it where modes are kept";
    let mut faults = Vec::new();
    if let Some((directory, mode)) = &file.closed {
        faults.push(format!(
            "the directory {directory} has the mode {mode:04o}, and a function runs as another \
             user than its owner, who cannot pass it; chmod a+rx it {ZIP}"
        ));
    }
    let is_script = !content.starts_with(b"\x7fELF");
    match file.mode {
        Some(mode) if is_executed && mode & 0o111 == 0 => {
            faults.push(format!("the file has no execute permission; chmod a+rx it {ZIP}"));
        }
        None if is_executed => {
            faults.push(format!("the file has no execute permission; chmod a+rx it {ZIP}"))
        }
        Some(mode) if is_executed && (mode & 0o001 == 0 || is_script && mode & 0o004 == 0) => {
            let what = if mode & 0o001 == 0 { "execute" } else { "read" };
            faults.push(format!(
                "the file's mode is {mode:04o}, and a function runs as another user than its \
                 owner, who cannot {what} it; chmod a+rx it {ZIP}"
            ));
        }
        Some(mode) if !is_executed && mode & 0o004 == 0 => faults.push(unreadable(mode)),
        _ => {}
    }
    faults
}

/// What is said of a file that only its owner and group can read.
pub fn unreadable(mode: u32) -> String {
    format!(
        "the file's mode is {mode:04o}, and a function runs as another user than its owner, who \
         cannot read it; chmod a+r it before it is zipped"
    )
}

/// The path that a file holds in the place of a symlink.
pub fn link_as_text(file: &FunctionFile, files: &FunctionFiles) -> Option<String> {
    let content = file.content.as_deref().ok().filter(|content| content.len() < LONGEST_LINK)?;
    let text = str::from_utf8(content).ok()?;
    let is_word = !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if !is_word || text.starts_with(['#', '{', '[', '"']) {
        return None;
    }
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let leads_to = match text.starts_with('/') {
        true => text.to_owned(),
        false => format!("/{}", normal(&format!("{folder}/{text}"))?),
    };
    let is_there = matches!(files.look_up(&leads_to), Lookup::File(_) | Lookup::Directory)
        && leads_to != file.path;
    (is_there || text.starts_with("../")).then(|| text.to_owned())
}

/// What is wrong with the lines of a script that a shell reads.
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

/// Returns the name of the machine that a 64-bit little-endian ELF file is built for, if Lambda has
/// that (`EI_CLASS`, `EI_DATA`).
pub fn lambda_machine(content: &[u8]) -> Option<&'static str> {
    match Machine::of(content).filter(|_| content.get(4..6) == Some(&[2, 1]))? {
        Machine::X86_64 => Some("x86_64"),
        Machine::Arm64 => Some("arm64"),
        Machine::Other(_) => None,
    }
}

/// What is wrong with a binary.
fn binary(content: &[u8], subject: &ProgramCheck) -> Vec<(Severity, String)> {
    let ProgramCheck { files, user, expected, runtimes, .. } = subject;
    let mut faults = Vec::new();
    match lambda_machine(content) {
        Some(machine) if machine == expected.name => {}
        Some(machine) => {
            let severity =
                if **user == Executor::Unknown { Severity::Warning } else { expected.severity };
            let message = format!(
                "this program is for {machine}, and {}; build it for that",
                expected.because
            );
            faults.push((severity, message));
        }
        None => {
            return vec![(
                user.severity(),
                "this program is for no machine that Lambda has".into(),
            )];
        }
    }
    let read = |offset: u64, length: usize| {
        let start = usize::try_from(offset).ok()?;
        content.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
    };
    let elf = ElfFile::parse(&read);
    let Some((elf, loader)) = elf.and_then(|elf| elf.loader().map(|loader| (elf, loader))) else {
        return faults;
    };
    if !LOADERS.contains(&loader.as_str()) && !matches!(files.look_up(&loader), Lookup::File(_)) {
        let message = format!(
            "this program needs the loader {loader:?}, which no image of Lambda's has; link it \
             statically"
        );
        faults.push((user.severity(), message));
        return faults;
    }
    let needed = elf.glibc_minor().filter(|_| LOADERS.contains(&loader.as_str()));
    let message = match needed {
        Some(minor) if minor > GLIBC_2023 => {
            let message = format!(
                "this program needs glibc 2.{minor}, and the newest in Lambda's images is \
                 2.{GLIBC_2023} (Amazon Linux 2023); link it statically, or build it on Amazon \
                 Linux"
            );
            return faults.into_iter().chain([(user.severity(), message)]).collect();
        }
        Some(minor) if minor > GLIBC_2 && runtimes.are_amazon_linux_2() => {
            let message = format!(
                "this program needs glibc 2.{minor}, and Amazon Linux 2, on which the runtime is, \
                 has 2.{GLIBC_2}; link it statically, or build it on Amazon Linux 2"
            );
            return faults.into_iter().chain([(user.severity(), message)]).collect();
        }
        _ => {
            "this program is linked dynamically: it needs the libraries of the function's image, \
             as new as those it was built with; link it statically to run everywhere"
        }
    };
    faults.push((Severity::Warning, message.into()));
    faults
}
