//! The wrapper chain: other exec wrappers get the process one after the other, each with the
//! stand-in as its program, and whoever executes the stand-in gives command line and environment
//! back. `stage` decides who is next; this acts.

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
use stage::{Circle, Next};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tracing::{Level, debug, enabled};

/// What foreword was started with by a wrapper of the chain.
pub struct StandInCall {
    /// By which name, as the kernel has it.
    pub name: OsString,
    /// The program, unless it is the stand-in.
    pub program: Option<OsString>,
    pub arguments: Vec<OsString>,
}

/// Hands the process to the first of the wrappers, if there is one. Comes back when there is none,
/// when that failed, or with the wrapper that is to be executed when all else is done. `saved` is
/// what the process after the chain needs to know.
pub fn begin(
    wrappers: &[&Wrapper],
    received: &[OsString],
    environ: &mut Environ,
    saved: impl FnOnce() -> Vec<u8>,
) -> Result<Option<Turn>, Failure> {
    let Some(first) = wrappers.first() else { return Ok(None) };
    // The others see what the wrappers before them leave.
    let path = first.path.expand(environ);
    if path.is_empty() {
        return Err(empty(&format!("{}: ", first.place), OsStr::new(first.path.written()), "here"));
    }
    if first.is_last {
        return Ok(Some(Next::new(first).turn(path)));
    }
    let program = &received[0];
    let stand_in =
        StandIn::named(OsStr::from_bytes(base_name(program)), environ.non_empty("TMPDIR"))
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
    go_on(&mut stage, None, environ, &received[1..])
}

/// Takes command line and environment back from a wrapper and hands them to the next one. Comes
/// back with the runtime's program and arguments when there is none, when that failed, or with the
/// wrapper that is to be executed when all else is done.
pub fn take_back(
    stage: &mut Stage,
    returned: StandInCall,
    environ: &mut Environ,
) -> Result<(Vec<OsString>, Option<Turn>), Failure> {
    // A wrapper may also go on under its own name (`exec -a`).
    if stage.is_current(&returned.name) && process::is_this_program(Path::new(&returned.name)) {
        stage.stand_in.remove();
        return Err(itself(&returned.name, environ));
    }
    // It was executed by foreword's own name, not by that of the stand-in.
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
        change.iter().for_each(|change| debug!("{}", edit.describe(change)));
    });
    // A wrapper that is told to start foreword once more is in good hands already.
    let named = environ.non_empty(EXEC_WRAPPER).map(OsStr::to_owned);
    let named =
        named.filter(|path| !stage.is_current(path) && !process::is_this_program(Path::new(path)));
    match &stage.named {
        Some(path) => environ.set(EXEC_WRAPPER, path),
        None => environ.unset(EXEC_WRAPPER),
    }
    let last = go_on(stage, named.as_deref(), environ, &returned.arguments)?;
    stage.stand_in.remove();
    // Bash says here what it executed.
    if environ.value("_") == Some(&stage.stand_in.path) {
        environ.set("_", &stage.program);
    }
    Ok(([std::slice::from_ref(&stage.program), &returned.arguments].concat(), last))
}

/// Becomes the next wrapper. Comes back when there is none, when that failed, or with one that
/// never comes back.
fn go_on(
    stage: &mut Stage,
    named: Option<&OsStr>,
    environ: &mut Environ,
    arguments: &[OsString],
) -> Result<Option<Turn>, Failure> {
    let failure = match stage.advance(named, environ) {
        Ok(None) => return Ok(None),
        Ok(Some(turn)) if turn.path.is_empty() => {
            empty("", &stage.current, "behind the wrappers before it")
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
        Err(Circle) => {
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

/// Becomes a wrapper that never comes back, with the runtime's own program and nothing of
/// foreword's.
pub fn execute_last(wrapper: &Turn, received: &[OsString], environ: &mut Environ) -> Failure {
    if process::is_this_program(Path::new(&wrapper.path)) {
        return itself(&wrapper.path, environ);
    }
    environ.set(EXEC_WRAPPER, &wrapper.path);
    execute(wrapper, &[std::slice::from_ref(&wrapper.path), received].concat(), environ)
}

fn execute(wrapper: &Turn, words: &[OsString], environ: &Environ) -> Failure {
    let name = || environ.redact(&wrapper.name);
    debug!("wrapper {:?} is handed the process: {}", name(), environ.redact_words(words));
    let error = process::execute(words, Program::Unknown, environ);
    Failure::wrapper(error.status, format!("wrapper {:?}: {}", name(), error.message))
}

#[cold]
fn itself(path: &OsStr, environ: &Environ) -> Failure {
    let path = environ.redact(path);
    Failure::configuration(format!(
        "the wrapper {path:?} is foreword itself; take it out of \"wrappers\""
    ))
}

#[cold]
fn empty(place: &str, written: &OsStr, whence: &str) -> Failure {
    let message =
        format!("{place}the path of the wrapper, {written:?}, is empty {whence}; set the variable");
    Failure::configuration(message + ", or give the wrapper a \"when\"")
}
