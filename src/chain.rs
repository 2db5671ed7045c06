//! The wrapper chain: other exec wrappers get the process one after the other, each with the stand-in as its program, and
//! whoever executes the stand-in gives command line and environment back. `stage` decides who is next; this acts.

mod items;
mod printable;
mod rest;
mod stage;

pub use rest::Rest;
pub use stage::{STAGE, Stage, is_staged};

use crate::command_line::base_name;
use crate::environ::Environ;
use crate::log::Log;
use crate::plan::{AroundSnapshot, Plan};
use crate::process::{self, StandIn};
use crate::report::{Failure, status};
use crate::wrap::shown;
use stage::Next;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

/// Names the wrapper that Lambda starts; each wrapper of the chain finds its own path there.
const EXEC_WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// What foreword was started with by a wrapper of the chain.
pub struct Returned {
    /// By which name, as the kernel has it.
    pub name: OsString,
    /// The program, unless it is the stand-in.
    pub program: Option<OsString>,
    pub arguments: Vec<OsString>,
}

/// Hands the process to the first wrapper of a plan, if it has one. Comes back when there is none, or when that failed.
pub fn begin(
    plan: &Plan,
    around_snapshot: AroundSnapshot,
    last: &mut Environ,
    received: &Environ,
    log: Log,
) -> Result<(), Failure> {
    if plan.wrappers.is_empty() {
        return Ok(());
    }
    let mut next = Vec::new();
    for wrapper in &plan.wrappers {
        let path = wrapper.path.expand(last);
        if path.is_empty() {
            let written = wrapper.path.written();
            let message = format!("{}: the path of the wrapper, {written:?}, is empty here", wrapper.place);
            return Err(Failure::configuration(message + "; set the variable, or give the wrapper a \"when\""));
        }
        next.push(Next::new(path, wrapper.name));
    }
    let program = &plan.received[0];
    let stand_in = StandIn::named(OsStr::from_bytes(base_name(program)), last.non_empty("TMPDIR"))
        .map_err(|cause| Failure::wrapper(status::CANNOT_EXECUTE, cause))?;
    let mut stage = Stage {
        stand_in,
        program: program.clone(),
        named: last.value(EXEC_WRAPPER).map(OsStr::to_owned),
        past: Vec::new(),
        next,
        around_snapshot,
        rest: Rc::new(rest::encoded(plan, around_snapshot, last, received, log.is_detailed())),
    };
    go_on(&mut stage, None, last, &plan.received[1..], log)
}

/// Takes command line and environment back from a wrapper and hands them to the next one. Comes back with the
/// runtime's program and arguments when there is none, or when that failed.
pub fn take_back(
    stage: &mut Stage,
    returned: Returned,
    environ: &mut Environ,
    log: Log,
) -> Result<Vec<OsString>, Failure> {
    // A wrapper may also go on under its own name (`exec -a`).
    if stage.past.last() == Some(&returned.name) && process::is_this_program(Path::new(&returned.name)) {
        stage.stand_in.remove();
        let path = environ.redact(&returned.name);
        let message = format!("the wrapper {path:?} is foreword itself; take it out of \"wrappers\"");
        return Err(Failure::configuration(message));
    }
    // It was executed by foreword's own name, not by that of the stand-in.
    let name = base_name(&returned.name);
    if returned.program.is_none() && name == b"foreword" && name != base_name(&stage.stand_in.path) {
        stage.stand_in.remove();
        let [path, wrapper] =
            [&returned.name, stage.past.last().unwrap_or(&returned.name)].map(|path| environ.redact(path));
        let message = format!(
            "the wrapper {wrapper:?} executed {path:?} in the place of the path that it was given; let it execute that \
             as it is, not what it leads to (readlink -f)"
        );
        return Err(Failure::wrapper(status::CANNOT_EXECUTE, message));
    }
    if let Some(program) = returned.program.filter(|program| *program != stage.stand_in.path) {
        stage.program = program;
    }
    // A wrapper that is told to start foreword once more is in good hands already.
    let is_own = |path: &OsStr| stage.past.last().is_some_and(|last| last == path);
    let named = environ.non_empty(EXEC_WRAPPER).map(OsStr::to_owned);
    let named = named.filter(|path| !is_own(path) && !process::is_this_program(Path::new(path)));
    go_on(stage, named.as_deref(), environ, &returned.arguments, log)?;
    stage.stand_in.remove();
    match &stage.named {
        Some(path) => environ.set(EXEC_WRAPPER, path),
        None => environ.unset(EXEC_WRAPPER),
    }
    // Bash says here what it executed.
    if environ.value("_") == Some(&stage.stand_in.path) {
        environ.set("_", &stage.program);
    }
    Ok([std::slice::from_ref(&stage.program), &returned.arguments].concat())
}

/// Becomes the next wrapper. Comes back when there is none, or when that failed.
fn go_on(
    stage: &mut Stage,
    named: Option<&OsStr>,
    environ: &mut Environ,
    arguments: &[OsString],
    log: Log,
) -> Result<(), Failure> {
    let failure = match stage.advance(named) {
        Ok(None) => return Ok(()),
        Ok(Some(next)) => hand_over(stage, &next, environ, arguments, log),
        Err(last) => {
            let named = named.map(|path| environ.redact(path)).unwrap_or_default();
            let message = format!(
                "wrapper {:?} names {named:?} in {EXEC_WRAPPER}, which ran before it: they would take turns for ever",
                environ.redact(&last)
            );
            Failure::wrapper(status::CANNOT_EXECUTE, message)
        }
    };
    stage.stand_in.remove();
    Err(failure)
}

fn hand_over(stage: &Stage, next: &Next, environ: &mut Environ, arguments: &[OsString], log: Log) -> Failure {
    environ.set(EXEC_WRAPPER, &next.path);
    for (name, value) in stage.variables() {
        environ.set(&name, &value);
    }
    let words = [&[next.path.clone(), stage.stand_in.path.clone()], arguments].concat();
    let name = || environ.redact(&next.name);
    log.debug(|| format!("wrapper {:?} is handed the process: {}", name(), shown(&words, environ)));
    let error = process::execute(&words, environ);
    Failure::wrapper(error.status, format!("wrapper {:?}: {}", name(), error.message))
}
