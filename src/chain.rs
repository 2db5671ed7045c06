//! The wrapper chain: other exec wrappers get the process one after the other. Each is given the
//! stand-in, a symlink to foreword, as its program, and returns command line and environment by
//! executing it. `stage` decides which wrapper is next; this module executes it.

mod printable;
mod stage;

pub use stage::{STAGE, Stage, Turn, is_staged, take_stage};

use crate::command_line::base_name;
use crate::config::{Wrapper, edit};
use crate::environ::Environ;
use crate::exit_status;
use crate::lambda::EXEC_WRAPPER;
use crate::process::{self, Program, StandIn};
use crate::report::Failure;
use stage::{Cycle, Next};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tracing::{Level, debug, enabled};

/// The call by which a wrapper of the chain started foreword.
pub struct StandInCall {
    /// The path that the wrapper executed, as the kernel has it.
    pub name: OsString,
    /// The program, if the wrapper passed one as an argument.
    pub program: Option<OsString>,
    pub arguments: Vec<OsString>,
}

/// Hands the process to the first wrapper; does not return if that succeeds. Returns `None` when
/// there is no wrapper. Returns the first wrapper if it would never hand the process back: the
/// caller executes it after everything else. `saved` makes the bytes for the process after the
/// chain.
///
/// # Errors
/// Reports why the wrapper or the stand-in cannot be executed.
pub fn begin(
    wrappers: &[&Wrapper],
    received: &[OsString],
    environ: &mut Environ,
    saved: impl FnOnce() -> Vec<u8>,
) -> Result<Option<Turn>, Failure> {
    let Some(first) = wrappers.first() else { return Ok(None) };
    // The paths of the others see the environment that the wrappers before them return.
    let path = first.path.expand(environ);
    if path.is_empty() {
        return Err(empty_path(
            &format!("{}: ", first.place),
            OsStr::new(first.path.written()),
            "here",
        ));
    }
    if first.is_last {
        return Ok(Some(Next::new(first).turn(path)));
    }
    let program = &received[0];
    let stand_in =
        StandIn::find_or_create(OsStr::from_bytes(base_name(program)), environ.non_empty("TMPDIR"))
            .map_err(|cause| Failure::wrapper(exit_status::CANNOT_EXECUTE, cause))?;
    let mut stage = Stage {
        stand_in,
        program: program.clone(),
        named: environ.value(EXEC_WRAPPER).map(OsStr::to_owned),
        current: OsString::new(),
        env: Vec::new(),
        past: Vec::new(),
        next: wrappers.iter().map(|wrapper| Next::new(wrapper)).collect(),
        saved: Cow::Owned(saved()),
    };
    execute_next(&mut stage, None, environ, &received[1..])
}

/// Takes command line and environment back from a wrapper and hands them to the next one; does not
/// return if that succeeds. When no wrapper is left but one that would never hand the process back,
/// returns the runtime's program and arguments, and this wrapper, if there is one.
///
/// # Errors
/// Reports a wrapper that executed foreword itself or the target of the stand-in, and why the next
/// wrapper cannot be executed.
pub fn take_back(
    stage: &mut Stage,
    returned: StandInCall,
    environ: &mut Environ,
) -> Result<(Vec<OsString>, Option<Turn>), Failure> {
    // A wrapper may execute the stand-in under its own name (`exec -a`).
    if stage.is_current(&returned.name) && process::is_this_program(Path::new(&returned.name)) {
        stage.stand_in.remove();
        return Err(names_foreword(&returned.name, environ));
    }
    // A wrapper that resolved the symlink executed foreword by its own name.
    let name = base_name(&returned.name);
    if returned.program.is_none() && name == b"foreword" && name != base_name(&stage.stand_in.path)
    {
        stage.stand_in.remove();
        let [path, wrapper] = [&returned.name, &stage.current].map(|path| environ.redact(path));
        let message = format!(
            "the wrapper {wrapper:?} executed {path:?} in the place of the path that it was \
             given; let it execute that as it is, not what it leads to (readlink -f)"
        );
        return Err(Failure::wrapper(exit_status::CANNOT_EXECUTE, message));
    }
    if let Some(program) = returned.program.filter(|program| *program != stage.stand_in.path) {
        stage.program = program;
    }
    edit::apply(environ, &stage.env, &mut |edit, change| {
        if let Some(change) = change {
            debug!("{}", edit.describe(change));
        }
    });
    // A wrapper may name foreword, which runs already.
    let named = environ.non_empty(EXEC_WRAPPER).map(OsStr::to_owned);
    let named =
        named.filter(|path| !stage.is_current(path) && !process::is_this_program(Path::new(path)));
    match &stage.named {
        Some(path) => environ.set(EXEC_WRAPPER, path),
        None => environ.unset(EXEC_WRAPPER),
    }
    let last = execute_next(stage, named.as_deref(), environ, &returned.arguments)?;
    stage.stand_in.remove();
    // Bash exports the path that it executes as `_` (bash(1), "Special Parameters").
    if environ.value("_") == Some(&stage.stand_in.path) {
        environ.set("_", &stage.program);
    }
    Ok(([std::slice::from_ref(&stage.program), &returned.arguments].concat(), last))
}

/// Becomes the next wrapper. Returns `None` when there is none, and the next wrapper if it would
/// never hand the process back.
fn execute_next(
    stage: &mut Stage,
    named: Option<&OsStr>,
    environ: &mut Environ,
    arguments: &[OsString],
) -> Result<Option<Turn>, Failure> {
    let failure = match stage.advance(named, environ) {
        Ok(None) => return Ok(None),
        Ok(Some(turn)) if turn.path.is_empty() => {
            empty_path("", &stage.current, "behind the wrappers before it")
        }
        Ok(Some(turn)) if turn.is_last => return Ok(Some(turn)),
        Ok(Some(turn)) => {
            let words = [&[turn.path.clone(), stage.stand_in.path.clone()], arguments].concat();
            environ.set(EXEC_WRAPPER, &turn.path);
            for (name, value) in stage.variables(environ, enabled!(Level::DEBUG)) {
                environ.set(&name, &value);
            }
            execute(&turn, &words, environ)
        }
        Err(Cycle) => {
            let named = named.map(|path| environ.redact(path)).unwrap_or_default();
            let message = format!(
                "wrapper {:?} names {named:?} in {EXEC_WRAPPER}, which ran before it: they would \
                 take turns for ever",
                environ.redact(&stage.current)
            );
            Failure::wrapper(exit_status::CANNOT_EXECUTE, message)
        }
    };
    stage.stand_in.remove();
    Err(failure)
}

/// Becomes a wrapper that never returns the process. Gives it the runtime's own program, so that
/// nothing of foreword is left. Returns only the failure.
pub fn execute_last(wrapper: &Turn, received: &[OsString], environ: &mut Environ) -> Failure {
    if process::is_this_program(Path::new(&wrapper.path)) {
        return names_foreword(&wrapper.path, environ);
    }
    environ.set(EXEC_WRAPPER, &wrapper.path);
    execute(wrapper, &[std::slice::from_ref(&wrapper.path), received].concat(), environ)
}

/// Becomes a wrapper. Returns only the failure.
fn execute(wrapper: &Turn, words: &[OsString], environ: &Environ) -> Failure {
    let name = || environ.redact(&wrapper.name);
    debug!("wrapper {:?} is handed the process: {}", name(), environ.redact_words(words));
    let error = process::execute(words, Program::Unknown, environ);
    Failure::wrapper(error.status, format!("wrapper {:?}: {}", name(), error.message))
}

/// Returns the failure of a wrapper whose path is foreword's.
#[cold]
fn names_foreword(path: &OsStr, environ: &Environ) -> Failure {
    let path = environ.redact(path);
    Failure::configuration(format!(
        "the wrapper {path:?} is foreword itself; take it out of \"wrappers\""
    ))
}

/// Returns the failure of a wrapper whose path expands to nothing.
#[cold]
fn empty_path(place: &str, written: &OsStr, whence: &str) -> Failure {
    Failure::configuration(format!(
        "{place}the path of the wrapper, {written:?}, is empty {whence}; set the variable, or give \
         the wrapper a \"when\""
    ))
}
