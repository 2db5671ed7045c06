//! Finding a program as `execvp` does, and becoming it. Whatever the kernel refuses is handed to
//! `diagnosis`; nothing is looked at beforehand, because on the way that succeeds that would be
//! time lost.

use super::diagnosis::{ExecError, ends_in_carriage_return, is_script, path_of};
use super::is_this_program;
use crate::environ::Environ;
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, execve};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Where programs are looked up when PATH is unset (glibc's `_CS_PATH`).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// What runs a script without a `#!` line, as POSIX has it for `execvp`.
const SHELL: &CStr = c"/bin/sh";

/// What is known of a program that is to be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// It is no script; a cold start saves the time to read its first line.
    Binary,
    /// It may be a script, whose first line may end in a carriage return.
    Unknown,
}

/// Becomes the program that the first word names. Comes back only when that cannot be.
pub fn execute(words: &[OsString], kind: Program, environ: &Environ) -> ExecError {
    let entries = environ.entries();
    let execute = |file: &CStr, words: &[CString]| match kind {
        Program::Unknown if ends_in_carriage_return(file) => Err(Errno::ENOENT),
        Program::Unknown | Program::Binary => execve(file, words, &entries),
    };
    match attempt(words, environ, execute) {
        Err(error) => error,
    }
}

/// Tries each file that the first word may mean until one is executed; `run` gives the kernel's
/// answer.
pub fn attempt<T>(
    words: &[OsString],
    environ: &Environ,
    run: impl Fn(&CStr, &[CString]) -> Result<T, Errno>,
) -> Result<T, ExecError> {
    let program = words.first().map_or(OsStr::new(""), OsString::as_os_str);
    let arguments: Vec<CString> = words.iter().map(|word| terminated(word)).collect();
    let mut refused = None;
    for file in candidates(program, environ) {
        let answer = match run(&file, &arguments) {
            Err(Errno::ENOEXEC) if is_script(&file) => {
                let script = [&[SHELL.to_owned(), file.clone()], &arguments[1..]].concat();
                run(SHELL, &script)
            }
            other => other,
        };
        match answer {
            Ok(started) => return Ok(started),
            // The same answers that make execvp go on to the next folder.
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
                    // A script that is there gives the same answers when its interpreter is not.
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

fn may_be_executed(file: &CStr) -> bool {
    access(file, AccessFlags::X_OK).is_ok() && path_of(file).is_file()
}

/// Whether PATH has a file of this name that may be executed.
#[cfg(feature = "tool")]
pub fn is_in_path(program: &OsStr, environ: &Environ) -> bool {
    candidates(program, environ).iter().any(|file| may_be_executed(file))
}

/// Whether to execute this would be to start the program that is running once more.
pub fn would_start_this_program(program: &OsStr, environ: &Environ) -> bool {
    let found = candidates(program, environ).into_iter().find(|file| may_be_executed(file));
    found.is_some_and(|file| is_this_program(path_of(&file)))
}

/// The files that a program's name may mean: itself when it holds a `/`, else one in each folder of
/// PATH.
fn candidates(program: &OsStr, environ: &Environ) -> Vec<CString> {
    match program.as_bytes() {
        b"" => Vec::new(),
        name if name.contains(&b'/') => vec![terminated(program)],
        name => {
            let path = environ.value("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
            let file = |folder: &[u8]| match folder {
                // An empty element stands for the working directory.
                b"" => [b"./".as_slice(), name].concat(),
                _ => [folder, b"/", name].concat(),
            };
            path.as_bytes()
                .split(|&byte| byte == b':')
                .map(|folder| terminated(&OsString::from_vec(file(folder))))
                .collect()
        }
    }
}

/// Arguments come from the kernel or from texts that were checked for NUL when they were read.
fn terminated(word: &OsStr) -> CString {
    CString::new(word.as_bytes()).expect("no argument holds NUL")
}
