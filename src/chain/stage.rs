//! What the stand-in has to know and cannot find out again, and which wrapper comes next. It
//! travels in variables, the one thing that every wrapper hands on. Wrappers may execute what shows
//! its environment to anybody, so it holds no value of another variable but of the one that names
//! wrappers, whose place the chain takes, and of those in `saved`, which are no secrets.

use super::printable::{self, checksum};
use crate::command_line::base_name;
use crate::config::encode::{put_env, take_env, take_text};
use crate::config::{EnvEdit, Wrapper};
use crate::environ::Environ;
use crate::process::StandIn;
use crate::template::Template;
use crate::wire::{Reader, Writer};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The first of the variables; the others have a number behind it.
pub const STAGE: &str = "FOREWORD_STAGE";

/// The kernel takes no variable of 128 KiB (`MAX_ARG_STRLEN`, `execve(2)`).
const LONGEST_PART: usize = 100_000;

/// About as many bytes as all of it takes but the rest.
const USUAL: usize = 512;

/// A wrapper of the list that will be handed the process, as the configuration has it.
#[derive(Clone)]
pub struct Next<'a> {
    /// Expanded when its turn comes: what it comes to may be a value of a variable.
    pub path: Template<'a>,
    pub name: Option<&'a str>,
    /// Edits of the environment that it hands back.
    pub env: Vec<EnvEdit<'a>>,
    /// True for a wrapper that never comes back.
    pub is_last: bool,
}

impl<'a> Next<'a> {
    pub fn new(wrapper: &Wrapper<'a>) -> Self {
        Self {
            path: wrapper.path,
            name: wrapper.name,
            env: wrapper.env.clone(),
            is_last: wrapper.is_last,
        }
    }

    /// Makes the turn of it.
    pub fn turn(&self, path: OsString) -> Turn {
        Turn::new(path, self.name, self.is_last)
    }
}

/// A wrapper whose turn it is.
pub struct Turn {
    pub name: OsString,
    pub path: OsString,
    pub is_last: bool,
}

impl Turn {
    /// One that is called by the last part of its path, unless it has a name.
    fn new(path: OsString, name: Option<&str>, is_last: bool) -> Self {
        let last = OsStr::from_bytes(base_name(&path));
        let name = name.map_or(last, OsStr::new);
        let name = if name.is_empty() { &path } else { name };
        Self { name: name.to_owned(), path, is_last }
    }
}

/// Two wrappers name each other: they would take turns for ever.
#[derive(Debug, PartialEq)]
pub struct Circle;

pub struct Stage<'a> {
    /// What the wrappers take for the interpreter.
    pub stand_in: StandIn,
    /// The program as foreword received it.
    pub program: OsString,
    /// What `AWS_LAMBDA_EXEC_WRAPPER` was before the chain.
    pub named: Option<OsString>,
    /// The path of the wrapper that has the process, as it was written.
    pub current: OsString,
    /// Edits of what that wrapper hands back.
    pub env: Vec<EnvEdit<'a>>,
    /// Tells the paths of the last wrapper that came by its place in the list and of those that
    /// were named since; the last of them has the process. A path may be a value of a
    /// variable, so that only its checksum travels.
    pub past: Vec<u32>,
    pub next: Vec<Next<'a>>,
    /// What the process after the chain needs and no wrapper changes; the chain only carries it.
    pub saved: Cow<'a, [u8]>,
}

impl<'a> Stage<'a> {
    /// Takes the wrapper that comes next, if one does; `named` is the one that the last wrapper
    /// named by itself. Paths see the environment.
    ///
    /// # Errors
    /// When the one that it named ran before.
    pub fn advance(
        &mut self,
        named: Option<&OsStr>,
        environ: &Environ,
    ) -> Result<Option<Turn>, Circle> {
        let named = named.filter(|path| !self.is_current(path));
        if named.is_some_and(|path| self.past.contains(&checksum(path.as_bytes()))) {
            return Err(Circle);
        }
        let is_named = |next: &Next| named.is_some_and(|path| next.path.expand(environ) == path);
        let listed = self.next.iter().position(is_named);
        // The others would not get their turn behind one that never comes back.
        let is_last = listed.is_some_and(|place| self.next[place].is_last);
        let (turn, next) = match (named.filter(|_| !is_last), listed) {
            (Some(path), Some(place)) => (path.to_owned(), Some(self.next.remove(place))),
            (Some(path), None) => (path.to_owned(), None),
            (None, _) => {
                // The list has an end, so that whoever is named may be named again behind its next
                // entry.
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

    /// Compares a path with that of the wrapper that has the process.
    pub fn is_current(&self, path: &OsStr) -> bool {
        self.past.last() == Some(&checksum(path.as_bytes()))
    }

    /// The variables that carry it, with their values; `environ` is the environment that they are
    /// to be found in.
    pub fn variables(
        &self,
        environ: &Environ,
        with_places: bool,
    ) -> Vec<(Cow<'static, str>, OsString)> {
        let mut items = Writer::with_room(self.saved.len() + USUAL);
        items.put(self.stand_in.path.as_bytes());
        items.put_number(self.stand_in.maker.unwrap_or(0));
        items.put(self.program.as_bytes());
        items.put_list(self.named.as_slice(), |items, path| items.put(path.as_bytes()));
        items.put(self.current.as_bytes());
        put_env(&mut items, &self.env, with_places);
        items.put_list(&self.past, |items, path| items.put_number(*path));
        items.put_list(&self.next, |items, next| {
            items.put(next.path.written().as_bytes());
            items.put_list(next.name.as_slice(), |items, name| items.put(name.as_bytes()));
            put_env(items, &next.env, with_places);
            items.put_number(next.is_last.into());
        });
        items.put_list(&environ.secret_names(), |items, name| items.put(name));
        items.bytes.extend_from_slice(&self.saved);
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

    /// Decodes what `take` took, and lets the environment know its secrets again. Returns what was
    /// saved, too; `None` for anything else.
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

#[inline(never)]
fn take_next<'a>(items: &mut Reader<'a>) -> Option<Next<'a>> {
    Some(Next {
        path: take_text(items)?,
        name: items.take_list(Reader::take_str)?.pop(),
        env: take_env(items)?,
        is_last: items.take_number()? == 1,
    })
}

/// Takes the variables out of an environment; `None` when they do not hold what foreword put there.
pub fn take_stage(environ: &mut Environ) -> Option<Vec<u8>> {
    let names: Vec<_> =
        (0..).map(variable).take_while(|name| environ.value(name).is_some()).collect();
    let parts: Vec<_> =
        names.iter().filter_map(|name| environ.value(name)).map(OsStr::as_bytes).collect();
    let read = match parts[..] {
        [part] => printable::decode(part),
        _ => printable::decode(&parts.concat()),
    };
    names.iter().for_each(|name| environ.unset(name));
    read
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
        let Stage { stand_in, program, named, current, past, saved, .. } = stage;
        let next: Vec<_> = stage.next.iter().map(next).collect();
        let env = env(&stage.env);
        format!(
            "{stand_in:?} {program:?} {named:?} {current:?} {env} {past:?} {next:?} \
             {saved:?}"
        )
    }

    #[track_caller]
    fn travels(stage: &Stage) {
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
    fn travels_unharmed() {
        let mut stage = stage();
        travels(&stage);
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
        travels(&stage);
    }

    #[test]
    fn what_is_long_travels_in_parts() {
        for (character, parts) in [("~", 4), (".", 2), ("\n", 2)] {
            let long = character.repeat(LONGEST_PART);
            let stage = Stage { next: vec![next(&long)], ..stage() };
            assert_eq!(stage.variables(&Environ::default(), false).len(), parts);
            travels(&stage);
        }
    }

    #[test]
    fn what_foreword_did_not_write_is_not_taken() {
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

    /// Runs a chain of `listed`; each wrapper may name another one. Gives those that ran.
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
                Err(Circle) => return Err(stage.current.into_string().expect("UTF-8")),
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
    fn each_wrapper_runs_once_for_each_time_that_it_is_listed() {
        assert_eq!(run(&listed(&["/opt/a", "/opt/b", "${A}"]), |_| None), names(&["a", "b", "a"]));
        assert_eq!(run(&listed(&["${A}"]), |_| Some("a")), names(&["a"]), "it names itself");
        assert_eq!(run(&[], |_| None), names(&[]));
    }

    #[test]
    fn a_wrapper_that_is_named_comes_next() {
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
    fn wrappers_that_name_each_other_are_stopped() {
        let each_other = |name: &str| Some(if name == "a" { "b" } else { "a" });
        assert_eq!(run(&listed(&["${A}"]), each_other), Err("/opt/b".into()));
        assert_eq!(
            run(&listed(&["/opt/a", "${B:-/opt/b}"]), each_other),
            Err("${B:-/opt/b}".into())
        );
    }
}
