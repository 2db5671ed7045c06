//! What keeps a file of a layer from being executed in a function, or makes it depend on more than the layer brings.

use super::{File, Opt};
use crate::cli::finding::{Finding, Severity};
use crate::command_line::Interpreter;
use crate::config::Source;
use std::ffi::OsStr;

/// The architecture that programs have to be for, and why.
pub struct Expected {
    pub name: &'static str,
    pub because: &'static str,
    /// How much is known of it.
    pub severity: Severity,
}

/// Who executes a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// The configuration names it at this place.
    Configuration(String),
    /// Lambda, which executes every file in its folder.
    Extensions,
    /// Nobody that is known.
    Unknown,
}

/// Programs of every image that Lambda's runtimes run in.
const EVERYWHERE: [&str; 6] = ["/bin/sh", "/bin/bash", "/bin/env", "/usr/bin/sh", "/usr/bin/bash", "/usr/bin/env"];

/// The dynamic loaders of Lambda's images.
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

impl User {
    fn severity(&self) -> Severity {
        match self {
            User::Configuration(_) | User::Extensions => Severity::Error,
            User::Unknown => Severity::Warning,
        }
    }

    /// What is said about it behind a message.
    fn suffix(&self) -> String {
        match self {
            User::Configuration(place) => format!(" ({place} runs it)"),
            User::Extensions => " (Lambda runs everything in extensions)".into(),
            User::Unknown => String::new(),
        }
    }
}

/// Whether a file is meant to be executed, as far as it shows.
pub fn is_program(file: &File) -> bool {
    let is_library = file.path.ends_with(".so") || file.path.contains(".so.");
    let content = file.content().unwrap_or_default();
    content.starts_with(b"#!") || content.starts_with(b"\x7fELF") && !is_library
}

/// Everything that is wrong with a file that is to be executed.
pub fn findings(file: &File, opt: &Opt, user: &User, expected: &Expected) -> Vec<Finding> {
    let mut findings = Vec::new();
    let content = match file.content() {
        Ok(content) => content,
        Err(cause) => {
            let message = format!("unable to read this file: {cause}{}", user.suffix());
            return vec![Finding::about(Severity::Error, &file.name(), message)];
        }
    };
    if !file.has_run_bit() {
        let way_out = "chmod +x before the layer is zipped, and zip it where modes are kept";
        let message = format!("the file has no run bit; {way_out}{}", user.suffix());
        findings.push(Finding::about(user.severity(), &file.name(), message));
    }
    if let Some(line) = content.strip_prefix(b"#!") {
        let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
        findings.extend(script(line, opt, user).map(|(severity, column, message)| {
            let source = Source { name: file.name(), text: format!("#!{}", String::from_utf8_lossy(line)) };
            Finding::at(severity, &source, column, message + &user.suffix())
        }));
    } else if content.starts_with(b"\x7fELF") {
        for (severity, message) in elf(&content, opt, user, expected) {
            findings.push(Finding::about(severity, &file.name(), message + &user.suffix()));
        }
    } else if *user == User::Extensions {
        let message = format!("this is neither a program nor a script with a #! line{}", user.suffix());
        findings.push(Finding::about(Severity::Error, &file.name(), message));
    }
    findings
}

/// What is wrong with a `#!` line, and at which byte of it.
fn script(line: &[u8], opt: &Opt, user: &User) -> Option<(Severity, usize, String)> {
    if line.ends_with(b"\r") {
        let message = "the #! line ends in a carriage return, so that nothing can execute the file; save it with Unix \
                       line ends (sed -i 's/\\r$//')";
        return Some((Severity::Error, 1 + line.len(), message.into()));
    }
    let text = String::from_utf8_lossy(line).into_owned();
    let mut words = text.split_ascii_whitespace();
    let Some(named) = words.next() else {
        return Some((Severity::Error, 0, "the #! line names no interpreter".into()));
    };
    let column = |word: &str| 2 + text.find(word).unwrap_or_default();
    if named.starts_with("/opt/") {
        let message = format!("the interpreter {named:?} is in none of the layers; add the layer that has it");
        return opt.find(named).is_none().then(|| (Severity::Warning, column(named), message));
    }
    if named.rsplit('/').next() == Some("env") && EVERYWHERE.contains(&named) {
        let program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        let is_there = is_shell(program) || is_language(program) || opt.find(&format!("/opt/bin/{program}")).is_some();
        let message =
            format!("neither Lambda's runtimes nor the layers have a program {program:?}; bring it in a layer");
        return (!is_there).then(|| (Severity::Warning, column(program), message));
    }
    let is_of_runtime = named.starts_with("/var/lang/bin/") && is_language(named);
    if EVERYWHERE.contains(&named) || is_of_runtime {
        return None;
    }
    let instead = match () {
        () if is_language(named) => format!("; write /usr/bin/env {}", named.rsplit('/').next().unwrap_or_default()),
        () => "; write one that is, such as /bin/sh, or bring it in a layer".into(),
    };
    // Some images have one or the other of these.
    let is_of_some = named.starts_with("/usr/bin/") || named.starts_with("/bin/");
    let severity = if is_of_some { Severity::Warning } else { user.severity() };
    Some((severity, column(named), format!("the interpreter {named:?} is not in Lambda's runtimes{instead}")))
}

fn is_shell(program: &str) -> bool {
    matches!(program, "sh" | "bash")
}

fn is_language(program: &str) -> bool {
    Interpreter::of_program(OsStr::new(program)).is_some()
}

/// What is wrong with a binary.
fn elf(content: &[u8], opt: &Opt, user: &User, expected: &Expected) -> Vec<(Severity, String)> {
    let mut faults = Vec::new();
    match machine(content) {
        Some(machine) if machine == expected.name => {}
        Some(machine) => {
            let severity = if *user == User::Unknown { Severity::Warning } else { expected.severity };
            let message = format!("this program is for {machine}, and {}; build it for that", expected.because);
            faults.push((severity, message));
        }
        None => faults.push((user.severity(), "this program is for no machine that Lambda has".into())),
    }
    if let Some(loader) = loader(content) {
        let is_in_opt = opt.find(&loader).is_some();
        if LOADERS.contains(&loader.as_str()) || is_in_opt {
            let message = "this program is linked dynamically: it needs the libraries of the function's image, as new as \
                           those it was built with; link it statically to run everywhere";
            faults.push((Severity::Warning, message.into()));
        } else {
            let message =
                format!("this program needs the loader {loader:?}, which no image of Lambda's has; link it statically");
            faults.push((user.severity(), message));
        }
    }
    faults
}

/// The machine of a 64-bit little-endian ELF file, in Lambda's words (`e_machine`, elf(5)).
pub fn machine(content: &[u8]) -> Option<&'static str> {
    if content.get(4..6) != Some(&[2, 1]) || !content.starts_with(b"\x7fELF") {
        return None;
    }
    match content.get(18..20)? {
        [62, 0] => Some("x86_64"),
        [183, 0] => Some("arm64"),
        _ => None,
    }
}

/// The dynamic loader that it asks for (its `PT_INTERP` program header, elf(5)).
fn loader(content: &[u8]) -> Option<String> {
    let number = |at: usize, length: usize| {
        let bytes = content.get(at..at.checked_add(length)?)?;
        usize::try_from(bytes.iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte))).ok()
    };
    let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let header = (0..count).filter_map(|index| start.checked_add(index * size)).find(|&at| number(at, 4) == Some(3))?;
    let (offset, length) = (number(header + 8, 8)?, number(header + 32, 8)?);
    let name = content.get(offset..offset.checked_add(length)?)?;
    Some(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned())
}
