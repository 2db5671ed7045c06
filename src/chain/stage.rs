//! What the stand-in has to know and cannot find out again, and which wrapper comes next. It travels in variables, the one
//! thing that every wrapper hands on.

use super::items::{Reader, Writer};
use super::printable;
use crate::command_line::base_name;
use crate::environ::Environ;
use crate::plan::AroundSnapshot;
use crate::process::StandIn;
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::rc::Rc;

/// The first of the variables; the others have a number behind it.
pub const STAGE: &str = "FOREWORD_STAGE";

/// The kernel takes no variable of 128 KiB (`MAX_ARG_STRLEN`, `execve(2)`).
const LONGEST_PART: usize = 100_000;

/// About as many bytes as all of it takes but the rest.
const USUAL: usize = 512;

/// A wrapper that will be handed the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    pub name: OsString,
    pub path: OsString,
}

impl Next {
    /// One that is called by the last part of its path, unless it has a name.
    pub fn new(path: OsString, name: Option<&str>) -> Self {
        let last = OsStr::from_bytes(base_name(&path));
        let name = name.map_or(last, OsStr::new);
        let name = if name.is_empty() { &path } else { name };
        Self { name: name.to_owned(), path }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// What the wrappers take for the interpreter.
    pub stand_in: StandIn,
    /// The program as foreword received it.
    pub program: OsString,
    /// What `AWS_LAMBDA_EXEC_WRAPPER` was before the chain.
    pub named: Option<OsString>,
    /// The paths of the last wrapper that came by its place in the list and of those that were named since; the last of
    /// them has the process.
    pub past: Vec<OsString>,
    pub next: Vec<Next>,
    pub around_snapshot: AroundSnapshot,
    /// What no wrapper changes, encoded: a `Rest`.
    pub rest: Rc<Vec<u8>>,
}

impl Stage {
    /// Takes the wrapper that comes next, if one does; `named` is the one that the last wrapper named by itself.
    ///
    /// # Errors
    /// With the path of the last wrapper when the one that it named ran before: the two would take turns for ever.
    pub fn advance(&mut self, named: Option<&OsStr>) -> Result<Option<Next>, OsString> {
        let last = self.past.last();
        if let Some(path) = named.filter(|&path| Some(path) != last.map(OsString::as_os_str)) {
            if self.past.iter().any(|past| past == path) {
                return Err(last.cloned().unwrap_or_default());
            }
            let listed = self.next.iter().position(|next| next.path == path).map(|place| self.next.remove(place));
            self.next.insert(0, listed.unwrap_or_else(|| Next::new(path.to_owned(), None)));
        } else {
            // The list has an end, so that whoever is named may be named again behind its next entry.
            self.past.clear();
        }
        if self.next.is_empty() {
            return Ok(None);
        }
        let next = self.next.remove(0);
        self.past.push(next.path.clone());
        Ok(Some(next))
    }

    /// The variables that carry it, with their values.
    pub fn variables(&self) -> Vec<(Cow<'static, str>, OsString)> {
        let mut items = Writer::with_room(self.rest.len() + USUAL);
        items.put(self.stand_in.path.as_bytes());
        items.put_number(self.stand_in.maker.unwrap_or(0));
        items.put(self.program.as_bytes());
        items.put_list(self.named.as_slice(), |items, path| items.put(path.as_bytes()));
        items.put_list(&self.past, |items, path| items.put(path.as_bytes()));
        items.put_list(&self.next, |items, next| {
            items.put(next.name.as_bytes());
            items.put(next.path.as_bytes());
        });
        items.put_number((self.around_snapshot == AroundSnapshot::Relay).into());
        items.bytes.extend_from_slice(&self.rest);
        items.bytes.shrink_to_fit();
        let mut parts = vec![printable::written(&items.bytes)];
        while let Some(last) = parts.last_mut().filter(|part| part.len() > LONGEST_PART) {
            let rest = last.split_off(LONGEST_PART);
            parts.push(rest);
        }
        parts.into_iter().map(OsString::from_vec).enumerate().map(|(number, part)| (variable(number), part)).collect()
    }

    /// Takes the variables out of an environment; `None` when they do not hold what foreword put there.
    pub fn take(environ: &mut Environ) -> Option<Stage> {
        let names: Vec<_> = (0..).map(variable).take_while(|name| environ.value(name).is_some()).collect();
        let parts: Vec<_> = names.iter().filter_map(|name| environ.value(name)).map(OsStr::as_bytes).collect();
        let read = match parts[..] {
            [part] => printable::read(part),
            _ => printable::read(&parts.concat()),
        };
        names.iter().for_each(|name| environ.unset(name));
        let mut bytes = read?;
        let mut items = Reader(&bytes);
        let owned = |items: &mut Reader| items.take().map(|item| OsStr::from_bytes(item).to_owned());
        let mut stage = Stage {
            stand_in: StandIn { path: owned(&mut items)?, maker: Some(items.take_number()?).filter(|&pid| pid != 0) },
            program: owned(&mut items)?,
            named: items.take_list(owned)?.pop(),
            past: items.take_list(owned)?,
            next: items.take_list(|items| Some(Next { name: owned(items)?, path: owned(items)? }))?,
            around_snapshot: match items.take_number()? {
                0 => AroundSnapshot::Nobody,
                _ => AroundSnapshot::Relay,
            },
            rest: Rc::default(),
        };
        let taken = bytes.len() - items.0.len();
        bytes.drain(..taken);
        stage.rest = Rc::new(bytes);
        Some(stage)
    }
}

/// Whether an environment comes from a wrapper of the chain.
pub fn is_staged(environ: &Environ) -> bool {
    environ.value(STAGE).is_some()
}

fn variable(number: usize) -> Cow<'static, str> {
    match number {
        0 => STAGE.into(),
        _ => format!("{STAGE}_{number}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> Stage {
        let every: Vec<u8> = (1..=255).collect();
        Stage {
            stand_in: StandIn { path: "/opt/bin/stand-in/python3.12".into(), maker: None },
            program: OsString::from_vec(every.clone()),
            named: None,
            past: Vec::new(),
            next: vec![next("a"), next("")],
            around_snapshot: AroundSnapshot::Nobody,
            rest: Rc::new([every, b"\0%~.\xff".to_vec()].concat()),
        }
    }

    fn next(name: &str) -> Next {
        Next { name: name.into(), path: format!("/opt/{name}").into() }
    }

    fn through_variables(stage: &Stage) -> Option<Stage> {
        let mut environ = Environ::from_entries([c"A=1"]);
        for (name, value) in stage.variables() {
            assert!(
                value.len() <= LONGEST_PART && value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~')),
                "{value:?}"
            );
            environ.set(&name, &value);
        }
        let taken = Stage::take(&mut environ);
        assert_eq!(environ.entries(), [c"A=1"], "nothing stays behind");
        taken
    }

    #[test]
    fn travels_unharmed() {
        let mut stage = stage();
        assert_eq!(through_variables(&stage).as_ref(), Some(&stage));
        stage.named = Some(OsString::new());
        stage.stand_in.maker = Some(17);
        stage.rest = Rc::default();
        stage.around_snapshot = AroundSnapshot::Relay;
        assert_eq!(through_variables(&stage).as_ref(), Some(&stage));
    }

    #[test]
    fn what_is_long_travels_in_parts() {
        let mut stage = stage();
        for (text, parts) in [("~", 4), (".", 2), ("\n", 2)] {
            stage.rest = Rc::new(text.repeat(LONGEST_PART).into_bytes());
            assert_eq!(stage.variables().len(), parts);
            assert_eq!(through_variables(&stage).as_ref(), Some(&stage));
        }
    }

    #[test]
    fn what_foreword_did_not_write_is_not_taken() {
        let [(_, written)] = &stage().variables()[..] else { panic!("one variable") };
        for length in 0..written.len() {
            let mut environ = Environ::default();
            environ.set(STAGE, OsStr::from_bytes(&written.as_bytes()[..length]));
            assert_eq!(Stage::take(&mut environ), None, "{length}");
        }
        for items in ["", "a", "a\0", "a\0b\0", "a\0-1\0", "a\x001\0p\x009\0x\0"] {
            let mut environ = Environ::default();
            environ.set(STAGE, OsStr::from_bytes(&printable::written(items.as_bytes())));
            assert_eq!(Stage::take(&mut environ), None, "{items:?}");
        }
    }

    /// Runs a chain of `listed`; each wrapper may name another one. Gives those that ran.
    fn run(listed: &[&str], names: impl Fn(&str) -> Option<&'static str>) -> Result<Vec<String>, OsString> {
        let mut stage = Stage { next: listed.iter().map(|name| next(name)).collect(), ..stage() };
        let mut ran: Vec<String> = Vec::new();
        loop {
            let named = ran.last().and_then(|name| names(name)).map(|name| format!("/opt/{name}"));
            match stage.advance(named.as_deref().map(OsStr::new))? {
                Some(next) => ran.push(next.name.into_string().expect("UTF-8")),
                None => return Ok(ran),
            }
        }
    }

    #[test]
    fn each_wrapper_runs_once_for_each_time_that_it_is_listed() {
        assert_eq!(run(&["a", "b", "a"], |_| None), Ok(vec!["a".into(), "b".into(), "a".into()]));
        assert_eq!(run(&["a"], |_| Some("a")), Ok(vec!["a".into()]), "it names itself");
        assert_eq!(run(&[], |_| None), Ok(Vec::new()));
    }

    #[test]
    fn a_wrapper_that_is_named_comes_next() {
        let names = |wanted: &'static str| move |name: &str| (name == "a").then_some(wanted);
        assert_eq!(run(&["a", "b"], names("x")), Ok(vec!["a".into(), "x".into(), "b".into()]));
        assert_eq!(run(&["a", "b"], names("b")), Ok(vec!["a".into(), "b".into()]), "it comes anyway");
        assert_eq!(run(&["a", "b", "c"], names("c")), Ok(vec!["a".into(), "c".into(), "b".into()]));
        assert_eq!(run(&["a", "a"], names("x")), Ok(["a", "x", "a", "x"].map(String::from).to_vec()));
    }

    #[test]
    fn wrappers_that_name_each_other_are_stopped() {
        let each_other = |name: &str| Some(if name == "a" { "b" } else { "a" });
        assert_eq!(run(&["a"], each_other), Err("/opt/b".into()));
        assert_eq!(run(&["a", "b"], each_other), Err("/opt/b".into()));
    }
}
