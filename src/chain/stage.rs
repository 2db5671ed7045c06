//! The stage: the state of the chain, serialized into environment variables, which every wrapper passes
//! on. Decides which wrapper is next. A wrapper may start a program that shows its environment, so the
//! stage has the values of no other variables than `AWS_LAMBDA_EXEC_WRAPPER`, which the chain sets, and
//! those in `saved`, which are not secret.

use super::printable::{self, checksum};
use crate::command_line::base_name;
use crate::config::encode::{put_env, put_template, take_env, take_template};
use crate::config::{EnvEdit, Wrapper};
use crate::environ::Environ;
use crate::process::StandIn;
use crate::template::Template;
use crate::wire::{Reader, Writer};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The first variable; the others have its name and a number.
pub const STAGE: &str = "FOREWORD_STAGE";

/// The most bytes of the stage in one variable. The kernel refuses a variable of 128 KiB
/// (`MAX_ARG_STRLEN`, `execve(2)`).
const LONGEST_PART: usize = 100_000;

/// The usual size without `saved`, in bytes; more is allocated when it is needed.
const USUAL_SIZE: usize = 512;

/// A wrapper that has yet to get the process, as the configuration has it.
#[derive(Clone)]
pub struct Next<'a> {
    /// Expanded only at the wrapper's turn, as the expanded path may have the value of a variable.
    pub path: Template<'a>,
    pub name: Option<&'a str>,
    /// Edits of the environment that the wrapper hands back.
    pub env: Vec<EnvEdit<'a>>,
    /// True for a wrapper that never returns the process.
    pub is_last: bool,
}

impl<'a> Next<'a> {
    /// Copies a wrapper of the plan, whose condition holds.
    pub fn new(wrapper: &Wrapper<'a>) -> Self {
        let Wrapper { path, name, env, is_last, place: _, when: _ } = wrapper;
        Self { path: *path, name: *name, env: env.clone(), is_last: *is_last }
    }

    /// Returns the wrapper's turn, at its expanded path.
    pub fn turn(&self, path: OsString) -> Turn {
        Turn::new(path, self.name, self.is_last)
    }
}

/// A wrapper whose turn it is.
pub struct Turn {
    /// The name for messages.
    pub name: OsString,
    pub path: OsString,
    pub is_last: bool,
}

impl Turn {
    /// Names a wrapper without a name after the last part of its path.
    fn new(path: OsString, name: Option<&str>, is_last: bool) -> Self {
        let last = OsStr::from_bytes(base_name(&path));
        let name = name.map_or(last, OsStr::new);
        let name = if name.is_empty() { &path } else { name };
        Self { name: name.to_owned(), path, is_last }
    }
}

/// The failure of wrappers that name each other in `AWS_LAMBDA_EXEC_WRAPPER`, which would loop forever.
#[derive(Debug, PartialEq)]
pub struct Cycle;

/// The state of a wrapper chain.
pub struct Stage<'a> {
    /// The symlink to foreword that the wrappers are given as the program.
    pub stand_in: StandIn,
    /// The program as foreword received it.
    pub program: OsString,
    /// The value of `AWS_LAMBDA_EXEC_WRAPPER` before the chain.
    pub named: Option<OsString>,
    /// The path of the wrapper that has the process, unexpanded.
    pub current: OsString,
    /// Edits of the environment that this wrapper hands back.
    pub env: Vec<EnvEdit<'a>>,
    /// Checksums of the paths of the last wrapper from `next` and of those that wrappers named since.
    /// The last one has the process. The paths themselves may have values of variables, which do not
    /// belong into the stage.
    pub past: Vec<u32>,
    /// The wrappers of the configuration that have yet to get the process.
    pub next: Vec<Next<'a>>,
    /// Bytes for the process after the chain, which the chain only carries.
    pub saved: Cow<'a, [u8]>,
}

impl<'a> Stage<'a> {
    /// Makes the next wrapper the current one and returns it; returns nothing after the last one.
    /// `named` is the path that the last wrapper put into `AWS_LAMBDA_EXEC_WRAPPER`: this wrapper comes
    /// before the others. Paths see `environ`.
    ///
    /// # Errors
    /// When the named wrapper ran before.
    pub fn advance(
        &mut self,
        named: Option<&OsStr>,
        environ: &Environ,
    ) -> Result<Option<Turn>, Cycle> {
        let named = named.filter(|path| !self.is_current(path));
        if named.is_some_and(|path| self.past.contains(&checksum(path.as_bytes()))) {
            return Err(Cycle);
        }
        let is_named = |next: &Next| named.is_some_and(|path| next.path.expand(environ) == path);
        let listed = self.next.iter().position(is_named);
        // After one that never returns the process, the others would not get their turn.
        let is_last = listed.is_some_and(|place| self.next[place].is_last);
        let (turn, next) = match (named.filter(|_| !is_last), listed) {
            (Some(path), Some(place)) => (path.to_owned(), Some(self.next.remove(place))),
            (Some(path), None) => (path.to_owned(), None),
            (None, _) => {
                // The configuration's wrappers come to an end, so that after each of them any wrapper
                // may be named again.
                self.past.clear();
                if self.next.is_empty() {
                    return Ok(None);
                }
                let next = self.next.remove(0);
                (next.path.expand(environ), Some(next))
            }
        };
        self.past.push(checksum(turn.as_bytes()));
        Ok(Some(match next {
            None => {
                self.env.clear();
                self.current.clone_from(&turn);
                Turn::new(turn, None, false)
            }
            Some(next) => {
                let turn = next.turn(turn);
                self.current = next.path.written().into();
                self.env = next.env;
                turn
            }
        }))
    }

    /// Tells whether a path is that of the wrapper that has the process.
    pub fn is_current(&self, path: &OsStr) -> bool {
        self.past.last() == Some(&checksum(path.as_bytes()))
    }

    /// Encodes the stage into variables and their values. Adds the names of the secret variables in
    /// `environ`, which the wrappers will see.
    pub fn variables(
        &self,
        environ: &Environ,
        with_places: bool,
    ) -> Vec<(Cow<'static, str>, OsString)> {
        let Self { stand_in, program, named, current, env, past, next, saved } = self;
        let mut items = Writer::with_capacity(saved.len() + USUAL_SIZE);
        items.put(stand_in.path.as_bytes());
        items.put_number(stand_in.maker.unwrap_or(0));
        items.put(program.as_bytes());
        items.put_list(named.as_slice(), |items, path| items.put(path.as_bytes()));
        items.put(current.as_bytes());
        put_env(&mut items, env, with_places);
        items.put_list(past, |items, checksum| items.put_number(*checksum));
        items.put_list(next, |items, next| put_next(items, next, with_places));
        items.put_list(&environ.secret_names(), |items, name| items.put(name));
        items.bytes.extend_from_slice(saved);
        items.bytes.shrink_to_fit();
        let mut parts = vec![printable::encode(&items.bytes)];
        while let Some(last) = parts.last_mut().filter(|part| part.len() > LONGEST_PART) {
            let rest = last.split_off(LONGEST_PART);
            parts.push(rest);
        }
        parts
            .into_iter()
            .map(OsString::from_vec)
            .enumerate()
            .map(|(number, part)| (variable(number), part))
            .collect()
    }

    /// Decodes the bytes that [`take_stage`] returned, and marks the secret variables in the environment
    /// again. Returns the stage and `saved`; `None` for anything else.
    pub fn decode(bytes: &'a [u8], environ: &mut Environ) -> Option<(Self, &'a [u8])> {
        let mut items = Reader(bytes);
        let owned =
            |items: &mut Reader| items.take().map(|item| OsStr::from_bytes(item).to_owned());
        let mut stage = Stage {
            stand_in: StandIn {
                path: owned(&mut items)?,
                maker: Some(items.take_number()?).filter(|&pid| pid != 0),
            },
            program: owned(&mut items)?,
            named: items.take_list(owned)?.pop(),
            current: owned(&mut items)?,
            env: take_env(&mut items)?,
            past: items.take_list(Reader::take_number)?,
            next: items.take_list(take_next)?,
            saved: Cow::default(),
        };
        items.take_list(Reader::take)?.into_iter().for_each(|name| environ.mark_secret(name));
        stage.saved = Cow::Borrowed(items.0);
        Some((stage, items.0))
    }
}

/// Writes a wrapper that has yet to get the process.
fn put_next(items: &mut Writer, next: &Next, with_places: bool) {
    let Next { path, name, env, is_last } = next;
    put_template(items, path);
    items.put_list(name.as_slice(), |items, name| items.put(name.as_bytes()));
    put_env(items, env, with_places);
    items.put_number((*is_last).into());
}

/// Reads what [`put_next`] wrote.
// Inlined, it would take room on the stack of every process of a chain.
#[inline(never)]
fn take_next<'a>(items: &mut Reader<'a>) -> Option<Next<'a>> {
    Some(Next {
        path: take_template(items)?,
        name: items.take_list(Reader::take_str)?.pop(),
        env: take_env(items)?,
        is_last: items.take_number()? == 1,
    })
}

/// Removes the stage's variables from an environment and returns their bytes. Returns `None` when they are
/// not as foreword wrote them.
pub fn take_stage(environ: &mut Environ) -> Option<Vec<u8>> {
    let names: Vec<_> =
        (0..).map(variable).take_while(|name| environ.value(name).is_some()).collect();
    let parts: Vec<_> =
        names.iter().filter_map(|name| environ.value(name)).map(OsStr::as_bytes).collect();
    let decoded = match parts[..] {
        [part] => printable::decode(part),
        _ => printable::decode(&parts.concat()),
    };
    names.iter().for_each(|name| environ.unset(name));
    decoded
}

/// Tells whether an environment has a stage, so that foreword was started by a wrapper of a chain.
pub fn is_staged(environ: &Environ) -> bool {
    environ.value(STAGE).is_some()
}

/// Returns the name of the stage's variable of a number.
fn variable(number: usize) -> Cow<'static, str> {
    match number {
        0 => STAGE.into(),
        _ => format!("{STAGE}_{number}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Edit;
    use crate::config::Place;

    fn stage<'a>() -> Stage<'a> {
        let every: Vec<u8> = (1..=255).collect();
        Stage {
            stand_in: StandIn { path: "/opt/bin/stand-in/python3.12".into(), maker: None },
            program: OsString::from_vec(every),
            named: None,
            current: OsString::new(),
            env: Vec::new(),
            past: Vec::new(),
            next: vec![next("/opt/a"), next("/opt/b")],
            saved: b"saved\0\xff".into(),
        }
    }

    fn next(path: &str) -> Next<'_> {
        Next { path: text(path), name: None, env: Vec::new(), is_last: false }
    }

    fn text(text: &str) -> Template<'_> {
        Template::new(text).expect("a text")
    }

    fn shown(stage: &Stage) -> String {
        let env = |env: &[EnvEdit]| {
            env.iter().map(|edit| format!("{} {:?};", edit.name, edit.edit)).collect::<String>()
        };
        let next = |next: &Next| {
            format!("{:?} {:?} {} {}", next.path, next.name, env(&next.env), next.is_last)
        };
        let Stage { stand_in, program, named, current, env: edits, past, next: rest, saved } =
            stage;
        let next: Vec<_> = rest.iter().map(next).collect();
        let env = env(edits);
        format!(
            "{stand_in:?} {program:?} {named:?} {current:?} {env} {past:?} {next:?} \
             {saved:?}"
        )
    }

    /// Encodes and decodes a stage.
    #[track_caller]
    fn check_round_trip(stage: &Stage) {
        let mut environ = Environ::from_entries([c"A=1"]);
        for (name, value) in stage.variables(&environ, false) {
            assert!(
                value.len() <= LONGEST_PART
                    && value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~')),
                "{value:?}"
            );
            environ.set(&name, &value);
        }
        let taken = take_stage(&mut environ).expect("what was put there");
        assert_eq!(environ.entries(), [c"A=1"], "nothing stays behind");
        let (taken, _) = Stage::decode(&taken, &mut environ).expect("what was encoded");
        assert_eq!(shown(&taken), shown(stage));
    }

    #[test]
    fn stage_is_decoded_as_it_was_encoded() {
        let mut stage = stage();
        check_round_trip(&stage);
        stage.named = Some(OsString::new());
        stage.stand_in.maker = Some(17);
        stage.past = vec![u32::MAX, 0];
        let edit = |edit| EnvEdit { name: "A", edit, place: Place::Formatted("") };
        stage.env = vec![
            edit(Edit::Unset),
            edit(Edit::Prepend { text: text("${B}"), separator: text("\n") }),
        ];
        stage.next[1] = Next {
            name: Some("é"),
            env: vec![edit(Edit::Set(text("1")))],
            is_last: true,
            ..next("${W}/b")
        };
        check_round_trip(&stage);
    }

    #[test]
    fn long_stage_has_several_variables() {
        for (character, parts) in [("~", 4), (".", 2), ("\n", 2)] {
            let long = character.repeat(LONGEST_PART);
            let stage = Stage { next: vec![next(&long)], ..stage() };
            assert_eq!(stage.variables(&Environ::default(), false).len(), parts);
            check_round_trip(&stage);
        }
    }

    #[test]
    fn changed_or_truncated_stage_is_refused() {
        let mut environ = Environ::default();
        let [(_, written)] = &stage().variables(&environ, false)[..] else {
            panic!("one variable")
        };
        let bytes = written.as_bytes();
        let mut is_taken = |value: &[u8]| {
            environ.set(STAGE, OsStr::from_bytes(value));
            let taken = take_stage(&mut environ);
            taken.is_some_and(|taken| Stage::decode(&taken, &mut environ).is_some())
        };
        assert!(is_taken(bytes));
        for length in 0..bytes.len() {
            assert!(!is_taken(&bytes[..length]), "cut off: {length}");
            let without = [&bytes[..length], &bytes[length + 1..]].concat();
            assert!(!is_taken(&without), "without {length}");
            let mut other = bytes.to_vec();
            other[length] ^= 1;
            assert!(!is_taken(&other), "changed: {length}");
        }
        for items in ["", "a", "a\0", "a\0b\0", "a\0-1\0", "a\x001\0p\x009\0x\0"] {
            assert!(!is_taken(&printable::encode(items.as_bytes())), "{items:?}");
        }
    }

    /// Runs a chain of `listed`, of which each may name another wrapper. Returns those that ran.
    fn run(
        listed: &[Next],
        names: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<Vec<String>, String> {
        let environ = Environ::from_entries([c"A=/opt/a"]);
        let mut stage = Stage { next: listed.to_vec(), ..stage() };
        let mut ran: Vec<String> = Vec::new();
        loop {
            let named = ran.last().and_then(|name| names(name)).map(|name| format!("/opt/{name}"));
            match stage.advance(named.as_deref().map(OsStr::new), &environ) {
                Ok(Some(turn)) => ran.push(turn.name.into_string().expect("UTF-8")),
                Ok(None) => return Ok(ran),
                Err(Cycle) => return Err(stage.current.into_string().expect("UTF-8")),
            }
        }
    }

    fn listed<'a>(paths: &[&'a str]) -> Vec<Next<'a>> {
        paths.iter().map(|path| next(path)).collect()
    }

    fn names(list: &[&str]) -> Result<Vec<String>, String> {
        Ok(list.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn listed_wrapper_runs_as_often_as_it_is_listed() {
        assert_eq!(run(&listed(&["/opt/a", "/opt/b", "${A}"]), |_| None), names(&["a", "b", "a"]));
        assert_eq!(run(&listed(&["${A}"]), |_| Some("a")), names(&["a"]), "it names itself");
        assert_eq!(run(&[], |_| None), names(&[]));
    }

    #[test]
    fn named_wrapper_comes_next() {
        let naming = |wanted: &'static str| move |name: &str| (name == "a").then_some(wanted);
        let [a, b, c] = ["/opt/a", "/opt/b", "/opt/c"];
        assert_eq!(run(&listed(&[a, b]), naming("x")), names(&["a", "x", "b"]));
        assert_eq!(run(&listed(&[a, b]), naming("b")), names(&["a", "b"]), "it comes anyway");
        assert_eq!(run(&listed(&[a, b, c]), naming("c")), names(&["a", "c", "b"]));
        assert_eq!(run(&listed(&["${A}", a]), naming("x")), names(&["a", "x", "a", "x"]));
        let last = Next { is_last: true, ..next(c) };
        assert_eq!(
            run(&[next(a), next(b), last], naming("c")),
            names(&["a", "b", "c"]),
            "it is the last one"
        );
    }

    #[test]
    fn wrappers_that_name_each_other_are_an_error() {
        let each_other = |name: &str| Some(if name == "a" { "b" } else { "a" });
        assert_eq!(run(&listed(&["${A}"]), each_other), Err("/opt/b".into()));
        assert_eq!(
            run(&listed(&["/opt/a", "${B:-/opt/b}"]), each_other),
            Err("${B:-/opt/b}".into())
        );
    }
}
