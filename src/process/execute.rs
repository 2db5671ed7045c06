//! Finds a program as `execvp` does
//! (<https://man7.org/linux/man-pages/man3/exec.3.html>), and becomes it. Checks nothing beforehand,
//! which would cost every start time; `diagnosis` explains what the kernel refused.

use super::diagnosis::{ExecError, ends_in_carriage_return, is_script, path_of};
use super::is_this_program;
use crate::environ::Environ;
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, execve};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The directories to search when PATH is unset (glibc's `_CS_PATH`).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The interpreter of a script without a `#!` line
/// (<https://pubs.opengroup.org/onlinepubs/9699919799/functions/exec.html>).
const SHELL: &CStr = c"/bin/sh";

/// What is known about the file of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// It is not a script, so its first line need not be read.
    Binary,
    /// It may be a script, whose first line may end in a carriage return.
    Unknown,
}

/// Replaces this process with the program that the first word names. Returns only on failure.
pub fn execute(words: &[OsString], kind: Program, environ: &Environ) -> ExecError {
    let entries = environ.entries();
    let execute = |file: &CStr, words: &[CString]| match kind {
        Program::Unknown if ends_in_carriage_return(file) => Err(Errno::ENOENT),
        Program::Unknown | Program::Binary => execve(file, words, &entries),
    };
    match try_candidates(words, environ, execute) {
        Err(error) => error,
    }
}

/// Calls `run` with each file that the first word may mean, as `execvp` does, until one is
/// executed.
///
/// # Errors
/// When the kernel refuses all of them.
pub fn try_candidates<T>(
    words: &[OsString],
    environ: &Environ,
    run: impl Fn(&CStr, &[CString]) -> Result<T, Errno>,
) -> Result<T, ExecError> {
    let program = words.first().map_or(OsStr::new(""), OsString::as_os_str);
    let arguments: Vec<CString> = words.iter().map(|word| to_c_string(word)).collect();
    let mut refused = None;
    for file in candidates(program, environ) {
        let result = match run(&file, &arguments) {
            Err(Errno::ENOEXEC) if is_script(&file) => {
                let script = [&[SHELL.to_owned(), file.clone()], &arguments[1..]].concat();
                run(SHELL, &script)
            }
            other => other,
        };
        match result {
            Ok(started) => return Ok(started),
            // With these errors execvp goes on to the next directory.
            Err(
                errno @ (Errno::ENOENT
                | Errno::ENOTDIR
                | Errno::EACCES
                | Errno::ESTALE
                | Errno::ENODEV
                | Errno::ETIMEDOUT),
            ) => {
                let found = match errno {
                    Errno::ENOTDIR if program.as_bytes().contains(&b'/') => true,
                    // The kernel returns the same errors when a script exists and its interpreter
                    // does not.
                    Errno::ENOENT | Errno::ENOTDIR => {
                        access(file.as_c_str(), AccessFlags::F_OK).is_ok()
                    }
                    _ => true,
                };
                if refused.is_none() && found {
                    refused = Some((file, errno));
                }
            }
            Err(errno) => {
                refused = Some((file, errno));
                break;
            }
        }
    }
    Err(match refused {
        None => ExecError::not_found(program, environ),
        Some((file, errno)) => ExecError::refused(program, &file, errno, words, environ),
    })
}

/// Reports whether a path leads to a file that this user may execute.
fn is_executable(file: &CStr) -> bool {
    access(file, AccessFlags::X_OK).is_ok() && path_of(file).is_file()
}

/// Reports whether PATH has an executable of this name.
#[cfg(feature = "tool")]
pub fn is_in_path(program: &OsStr, environ: &Environ) -> bool {
    candidates(program, environ).iter().any(|file| is_executable(file))
}

/// Reports whether executing a program would start foreword once more.
pub fn would_start_this_program(program: &OsStr, environ: &Environ) -> bool {
    let found = candidates(program, environ).into_iter().find(|file| is_executable(file));
    found.is_some_and(|file| is_this_program(path_of(&file)))
}

/// Returns the files that a program's name may mean: the name itself when it holds a `/`, else one
/// file in each directory of PATH.
fn candidates(program: &OsStr, environ: &Environ) -> Vec<CString> {
    match program.as_bytes() {
        b"" => Vec::new(),
        name if name.contains(&b'/') => vec![to_c_string(program)],
        name => {
            let path = environ.value("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
            let file = |directory: &[u8]| match directory {
                // An empty element stands for the working directory.
                b"" => [b"./".as_slice(), name].concat(),
                _ => [directory, b"/", name].concat(),
            };
            path.as_bytes()
                .split(|&byte| byte == b':')
                .map(|directory| to_c_string(&OsString::from_vec(file(directory))))
                .collect()
        }
    }
}

/// Appends a NUL. Words come from the kernel or from strings that were checked for NUL when they
/// were read.
fn to_c_string(word: &OsStr) -> CString {
    CString::new(word.as_bytes()).expect("no argument holds NUL")
}
