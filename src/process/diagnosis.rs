//! Explains why a program could not be executed: the cause and the way out. The kernel gives one
//! errno for many causes, such as ENOENT for a script whose interpreter does not exist, so this
//! looks at the file. Runs only after a failure, and executes nothing.

use crate::elf::{ElfFile, Machine};
use crate::environ::{Environ, split_entry};
use crate::exit_status;
use crate::lambda::ARCHITECTURE;
use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, access};
use std::ffi::{CStr, OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

/// The length in bytes, with its NUL, of the longest argument or environment variable that the
/// kernel takes: `MAX_ARG_STRLEN`, 32 pages
/// (<https://man7.org/linux/man-pages/man2/execve.2.html>).
const LONGEST_STRING: usize = 131_072;

/// A command that could not be started.
#[derive(Debug)]
pub struct ExecError {
    /// `unable to execute "x": cause`.
    pub message: String,
    /// One of [`exit_status`]: `NOT_FOUND`, `CANNOT_EXECUTE` or `FAILED`.
    pub status: i32,
}

impl ExecError {
    /// Returns the error for a program none of whose candidate files exists.
    pub fn not_found(program: &OsStr, environ: &Environ) -> Self {
        let shown = environ.redact(program);
        let split = if program.as_bytes().contains(&b' ') {
            "; write each word as a string of its own"
        } else {
            ""
        };
        let message = match program.as_bytes() {
            b"" => "unable to execute the program: its name is empty".into(),
            name if name.contains(&b'/') => {
                format!("unable to execute {shown:?}: {}{split}", explain_absence(program, environ))
            }
            _ => match environ.non_empty("PATH") {
                Some(path) => {
                    format!("unable to find {shown:?} in PATH ({}){split}", environ.redact(path))
                }
                None => format!("unable to find {shown:?}: PATH is unset or empty{split}"),
            },
        };
        Self { message, status: exit_status::NOT_FOUND }
    }

    /// Returns the error for a failed system call other than `execve`; `action` completes "unable
    /// to …".
    pub fn system(action: &str, errno: Errno) -> Self {
        Self {
            message: format!("unable to {action}: {}", describe(errno)),
            status: exit_status::FAILED,
        }
    }

    /// Returns the error for a file that exists and that the kernel refused to execute with these
    /// words and this environment.
    pub fn refused(
        program: &OsStr,
        file: &CStr,
        errno: Errno,
        words: &[OsString],
        environ: &Environ,
    ) -> Self {
        let path = path_of(file);
        let cause = match errno {
            Errno::E2BIG => explain_size(words, environ),
            _ => explain_refusal(path, errno),
        };
        let shown = environ.redact(if program.as_bytes().contains(&b'/') {
            program
        } else {
            path.as_os_str()
        });
        Self {
            message: format!("unable to execute {shown:?}: {cause}"),
            status: exit_status::CANNOT_EXECUTE,
        }
    }
}

/// Returns the path of a file that is to be executed.
pub fn path_of(file: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(file.to_bytes()))
}

/// Returns the description of an operating system's error in lower case, without the number that
/// Rust appends.
pub fn cause(error: &io::Error) -> String {
    let number = match error.kind() {
        io::ErrorKind::IsADirectory => Some(Errno::EISDIR as i32),
        _ => error.raw_os_error(),
    };
    number.map_or_else(|| error.to_string(), |number| describe(Errno::from_raw(number)))
}

/// Returns the description of an errno in lower case.
fn describe(errno: Errno) -> String {
    let text = errno.desc();
    match text.split_at(1) {
        // "I/O error" keeps its capital letters.
        (_, rest) if !rest.starts_with(char::is_alphabetic) => text.into(),
        (first, rest) => first.to_lowercase() + rest,
    }
}

/// Reports whether a file's `#!` line ends in a carriage return. The kernel refuses `#!/bin/sh\r`.
/// It accepts `#!/usr/bin/env sh\r`, and then `env` fails with a message of its own.
pub fn ends_in_carriage_return(file: &CStr) -> bool {
    let start = beginning(path_of(file));
    start.starts_with(b"#!")
        && start.split(|&byte| byte == b'\n').next().is_some_and(|line| line.ends_with(b"\r"))
}

/// Reports whether a file that the kernel refused with ENOEXEC is a shell script without a `#!`
/// line.
pub fn is_script(file: &CStr) -> bool {
    let start = beginning(path_of(file));
    !start.starts_with(b"#!") && !start.contains(&0)
}

/// Explains why a path leads to no file.
fn explain_absence(path: &OsStr, environ: &Environ) -> String {
    match fs::read_link(path) {
        Ok(target) => {
            format!("it is a broken symlink to {:?}", environ.redact(target.as_os_str()))
        }
        Err(_) => "no such file".into(),
    }
}

/// Explains why the kernel refused to execute an existing file.
fn explain_refusal(path: &Path, errno: Errno) -> String {
    let start = beginning(path);
    match (errno, start.strip_prefix(b"#!")) {
        (Errno::EACCES, _) if path.is_dir() => "it is a directory; name a file in it".into(),
        (Errno::EACCES, _) if has_no_execute_permission(path) => {
            "it has no execute permission (chmod +x)".into()
        }
        (Errno::EACCES, _) if is_mounted_noexec(path) => {
            "its file system is mounted with noexec; put it elsewhere".into()
        }
        (Errno::EACCES, _) if access(path, AccessFlags::X_OK).is_err() => {
            let way_out = if path.is_file() { " (chmod a+rx)" } else { "" };
            format!("this user may not execute it{way_out}")
        }
        (
            Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EACCES | Errno::ENOEXEC,
            Some(line),
        ) => explain_interpreter(line, errno),
        (Errno::ENOENT, None) => match loader(path) {
            Some(loader) => format!(
                "it needs the loader {loader:?}, which is not here; link it statically or build \
                 it for this system"
            ),
            None => describe(errno),
        },
        (Errno::ENOEXEC, None) => explain_format(&start),
        _ => describe(errno),
    }
}

/// Explains why the interpreter in a `#!` line, given without its `#!`, could not be executed.
fn explain_interpreter(line: &[u8], errno: Errno) -> String {
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let named = String::from_utf8_lossy(
        line.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default(),
    )
    .into_owned();
    if let Some(line) = line.strip_suffix(b"\r") {
        let line = format!("#!{}", String::from_utf8_lossy(line));
        return format!(
            "its first line, {line:?}, ends in a carriage return; save it with Unix line endings \
             (sed -i 's/\\r$//')"
        );
    }
    match errno {
        _ if named.is_empty() => {
            "its first line names no interpreter; let it name one (#!/bin/sh)".into()
        }
        Errno::ENOENT => format!(
            "the interpreter in its first line, {named:?}, does not exist; name one that does"
        ),
        _ => format!(
            "the interpreter in its first line, {named:?}, cannot be executed: {}",
            describe(errno)
        ),
    }
}

/// Reports whether a file lacks execute permission for user, group and others alike.
fn has_no_execute_permission(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 == 0)
}

fn is_mounted_noexec(path: &Path) -> bool {
    statvfs(path).is_ok_and(|about| about.flags().contains(FsFlags::ST_NOEXEC))
}

/// Returns the first 256 bytes of a file: what the kernel reads for a `#!` line
/// (`BINPRM_BUF_SIZE`), and more than an ELF header. They are empty for a directory or an
/// unreadable file.
fn beginning(path: &Path) -> Vec<u8> {
    let mut start = vec![0; 256];
    let length = File::open(path).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
    start.truncate(length);
    start
}

/// Explains what is wrong with a file without a `#!` line that the kernel refused with ENOEXEC.
fn explain_format(start: &[u8]) -> String {
    let Some(machine) = Machine::of(start) else {
        return "it is neither a program nor a script; name a program or a script".into();
    };
    let machine = machine.name();
    if machine == ARCHITECTURE {
        "it is a damaged program, perhaps cut off; copy it again".into()
    } else {
        format!(
            "it is for {machine}, and this machine is {ARCHITECTURE}; build it for {ARCHITECTURE}"
        )
    }
}

/// Returns the path of the dynamic loader that an ELF file asks for.
fn loader(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    let read = |offset: u64, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).ok().map(|()| bytes)
    };
    ElfFile::parse(&read)?.loader()
}

/// Explains E2BIG with the largest argument or environment variable, which it names without its
/// value.
fn explain_size(words: &[OsString], environ: &Environ) -> String {
    let entries = environ.entries();
    let arguments =
        words.iter().enumerate().map(|(index, word)| (word.len(), format!("argument {index}")));
    let variables = entries.iter().map(|entry| {
        let (name, value) = split_entry(entry.to_bytes());
        let name = value.map(|_| String::from_utf8_lossy(name));
        (
            entry.count_bytes(),
            name.map_or("an entry without \"=\"".into(), |name| format!("the variable {name}")),
        )
    });
    let sizes: Vec<_> = arguments.chain(variables).collect();
    let total: usize = sizes.iter().map(|(size, _)| size + 1).sum();
    let (largest, name) = sizes.into_iter().max_by_key(|(size, _)| *size).unwrap_or_default();
    if largest < LONGEST_STRING {
        format!(
            "command line and environment together have {total} bytes, more than the kernel \
             takes; the largest is {name} with {largest}"
        )
    } else {
        format!("{name} has {largest} bytes, and the kernel takes {} at most", LONGEST_STRING - 1)
    }
}
