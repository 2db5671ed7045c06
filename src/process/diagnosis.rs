//! Why a program could not be executed, in words that name the cause and the way out. The kernel
//! says only "no such file" for a script whose interpreter is missing; this looks at the file to
//! tell.

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

/// The kernel takes no single argument or variable longer than this (`MAX_ARG_STRLEN`: 32 pages,
/// `execve(2)`).
const LONGEST_STRING: usize = 131_072;

#[derive(Debug)]
pub struct ExecError {
    /// `unable to execute "x": cause`.
    pub message: String,
    /// 127 when there is no such program, 126 when it is there and cannot be executed.
    pub status: i32,
}

impl ExecError {
    /// None of the files that the name may mean is there.
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
                format!("unable to execute {shown:?}: {}{split}", absence(program, environ))
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

    /// A system call that is no `execve` failed.
    pub fn system(what: &str, errno: Errno) -> Self {
        Self {
            message: format!("unable to {what}: {}", described(errno)),
            status: exit_status::FAILED,
        }
    }

    /// The kernel refused to execute a file that is there; the words and the environment are those
    /// it was to have.
    pub fn refused(
        program: &OsStr,
        file: &CStr,
        errno: Errno,
        words: &[OsString],
        environ: &Environ,
    ) -> Self {
        let path = path_of(file);
        let why = match errno {
            Errno::E2BIG => too_big(words, environ),
            _ => refusal(path, errno),
        };
        let shown = environ.redact(if program.as_bytes().contains(&b'/') {
            program
        } else {
            path.as_os_str()
        });
        Self {
            message: format!("unable to execute {shown:?}: {why}"),
            status: exit_status::CANNOT_EXECUTE,
        }
    }
}

/// The path of a file that is to be executed.
pub fn path_of(file: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(file.to_bytes()))
}

/// What the operating system said, without Rust's number behind it and in lower case.
pub fn cause(error: &io::Error) -> String {
    let number = match error.kind() {
        io::ErrorKind::IsADirectory => Some(Errno::EISDIR as i32),
        _ => error.raw_os_error(),
    };
    number.map_or_else(|| error.to_string(), |number| described(Errno::from_raw(number)))
}

fn described(errno: Errno) -> String {
    let text = errno.desc();
    match text.split_at(1) {
        // "I/O error" stays as it is.
        (_, rest) if !rest.starts_with(char::is_alphabetic) => text.into(),
        (first, rest) => first.to_lowercase() + rest,
    }
}

/// Whether a `#!` line ends in a carriage return. The kernel refuses `#!/bin/sh\r`, but hands
/// `#!/usr/bin/env sh\r` to `env`, whose complaint would be all that is left of the cause.
pub fn ends_in_carriage_return(file: &CStr) -> bool {
    let start = beginning(path_of(file));
    start.starts_with(b"#!")
        && start.split(|&byte| byte == b'\n').next().is_some_and(|line| line.ends_with(b"\r"))
}

/// Whether a file that the kernel does not know how to execute is a text for the shell.
pub fn is_script(file: &CStr) -> bool {
    let start = beginning(path_of(file));
    !start.starts_with(b"#!") && !start.contains(&0)
}

/// Why there is no file of this path.
fn absence(path: &OsStr, environ: &Environ) -> String {
    match fs::read_link(path) {
        Ok(target) => {
            format!("it is a link to {:?}, which leads nowhere", environ.redact(target.as_os_str()))
        }
        Err(_) => "no such file".into(),
    }
}

fn refusal(path: &Path, errno: Errno) -> String {
    let start = beginning(path);
    match (errno, start.strip_prefix(b"#!")) {
        (Errno::EACCES, _) if path.is_dir() => "it is a folder; name a file in it".into(),
        (Errno::EACCES, _) if has_no_run_bit(path) => "it has no run bit (chmod +x)".into(),
        (Errno::EACCES, _) if is_where_nothing_is_executed(path) => {
            "its file system is mounted with noexec; put it elsewhere".into()
        }
        (Errno::EACCES, _) if access(path, AccessFlags::X_OK).is_err() => match path.is_file() {
            true => "this user may not execute it (chmod a+rx)".into(),
            false => "this user may not execute it".into(),
        },
        (
            Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EACCES | Errno::ENOEXEC,
            Some(line),
        ) => interpreter_refusal(line, errno),
        (Errno::ENOENT, None) => match loader(path) {
            Some(loader) => format!(
                "it needs the loader {loader:?}, which is not here; link it statically or build \
                 it for this system"
            ),
            None => described(errno),
        },
        (Errno::ENOEXEC, None) => misfit(&start),
        _ => described(errno),
    }
}

/// Why the interpreter in a `#!` line could not be executed.
fn interpreter_refusal(line: &[u8], errno: Errno) -> String {
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let named = String::from_utf8_lossy(
        line.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default(),
    )
    .into_owned();
    if let Some(line) = line.strip_suffix(b"\r") {
        let line = format!("#!{}", String::from_utf8_lossy(line));
        return format!(
            "its first line, {line:?}, ends in a carriage return; save it with Unix line ends \
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
            described(errno)
        ),
    }
}

fn has_no_run_bit(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 == 0)
}

fn is_where_nothing_is_executed(path: &Path) -> bool {
    statvfs(path).is_ok_and(|about| about.flags().contains(FsFlags::ST_NOEXEC))
}

/// The first bytes of a file, as many as the kernel looks at for a `#!` line and as an ELF header
/// needs.
fn beginning(path: &Path) -> Vec<u8> {
    let mut start = vec![0; 256];
    // A folder or an unreadable file has no beginning; the kernel's own word then stands.
    let length = File::open(path).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
    start.truncate(length);
    start
}

/// What is wrong with a file that the kernel takes for no program.
fn misfit(start: &[u8]) -> String {
    let Some(machine) = Machine::of(start) else {
        return "it is neither a program nor a script; name a program or a script".into();
    };
    let machine = machine.name();
    match machine == ARCHITECTURE {
        true => "it is a damaged program, perhaps cut off; copy it again".into(),
        false => format!(
            "it is for {machine}, and this machine is {ARCHITECTURE}; build it for {ARCHITECTURE}"
        ),
    }
}

/// The dynamic loader that an ELF file asks for.
fn loader(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    let read = |offset: u64, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).ok().map(|()| bytes)
    };
    ElfFile::parse(&read)?.loader()
}

/// Which argument or variable makes the lists too long for the kernel; names, never values.
fn too_big(words: &[OsString], environ: &Environ) -> String {
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
    match largest < LONGEST_STRING {
        true => format!(
            "command line and environment together have {total} bytes, more than the kernel \
             takes; the largest is {name} with {largest}"
        ),
        false => format!(
            "{name} has {largest} bytes, and the kernel takes {} at most",
            LONGEST_STRING - 1
        ),
    }
}
