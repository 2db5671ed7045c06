//! Serializes parts of a configuration for other processes of foreword, with [`crate::wire`]. Each
//! `put_` function has a `take_` function that reads what it wrote.

use super::{Command, Edit, EnvEdit, Hook, OnFailure, Place};
use crate::phase::Phase;
use crate::template::Template;
use crate::wire::{Reader, Writer};
use std::time::Duration;

/// Writes a hook. Leaves out what is not needed any more: its condition and place, and what only
/// hooks of `initialize` have, `export` and `background`.
pub fn put_hook(items: &mut Writer, hook: &Hook) {
    let Hook {
        phase,
        name,
        command,
        env,
        cwd,
        timeout,
        on_failure,
        wait_for,
        attempts,
        pause,
        place: _,
        when: _,
        export: _,
        background: _,
    } = hook;
    items.put(phase.name().as_bytes());
    items.put(name.as_bytes());
    let (kind, words) = match command {
        Command::Words(words) => (0, words.iter().map(Template::written).collect()),
        Command::Shell(script) => (1, vec![*script]),
        Command::Http(request) => (2, vec![request.written()]),
        Command::Nothing => (3, Vec::new()),
    };
    items.put_number(kind);
    items.put_list(&words, |items, word| items.put(word.as_bytes()));
    items.put_list(wait_for.as_slice(), put_template);
    items.put_number(*attempts);
    put_duration(items, pause);
    put_env(items, env, false);
    items.put_list(cwd.as_slice(), put_template);
    items.put_list(timeout.as_slice(), put_duration);
    items.put_number((*on_failure == OnFailure::Continue).into());
}

/// Reads what [`put_hook`] wrote.
// Inlined, it would take room on the stack of every chain, and most have no hooks.
#[inline(never)]
pub fn take_hook<'a>(items: &mut Reader<'a>) -> Option<Hook<'a>> {
    let phase = Phase::from_name(items.take_str()?)?;
    Some(Hook {
        name: items.take_str()?,
        command: match items.take_number()? {
            0 => Command::Words(items.take_list(take_template)?),
            1 => Command::Shell(items.take_list(Reader::take_str)?.pop()?),
            2 => Command::Http(items.take_list(take_template)?.pop()?),
            _ => {
                items.take_number()?;
                Command::Nothing
            }
        },
        wait_for: items.take_list(take_template)?.pop(),
        attempts: items.take_number()?,
        pause: take_duration(items)?,
        env: take_env(items)?,
        cwd: items.take_list(take_template)?.pop(),
        timeout: items.take_list(take_duration)?.pop(),
        on_failure: if items.take_number()? == 1 { OnFailure::Continue } else { OnFailure::Fail },
        ..Hook::empty(phase, Place::Formatted(""))
    })
}

/// Writes a duration in milliseconds. A configuration has none that needs more than 32 bits.
fn put_duration(items: &mut Writer, duration: &Duration) {
    items.put_number(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX));
}

fn take_duration(items: &mut Reader) -> Option<Duration> {
    Some(Duration::from_millis(items.take_number()?.into()))
}

/// Writes edits of environment variables. Their places are written only for the log, since it takes
/// long to find them.
pub fn put_env(items: &mut Writer, env: &[EnvEdit], with_places: bool) {
    items.put_list(env, |items, edit| {
        let place = if with_places { edit.place.to_string() } else { String::new() };
        items.put(place.as_bytes());
        items.put(edit.name.as_bytes());
        put_edit(items, &edit.edit);
    });
}

/// Reads what [`put_env`] wrote.
pub fn take_env<'a>(items: &mut Reader<'a>) -> Option<Vec<EnvEdit<'a>>> {
    items.take_list(|items| {
        let place = Place::Formatted(items.take_str()?);
        Some(EnvEdit { name: items.take_str()?, edit: take_edit(items)?, place })
    })
}

/// Writes the edit of a value.
pub fn put_edit(items: &mut Writer, edit: &Edit) {
    items.put_number(match edit {
        Edit::Unset => 0,
        Edit::Set(_) => 1,
        Edit::Default(_) => 2,
        Edit::Prepend { .. } => 3,
        Edit::Append { .. } => 4,
    });
    edit.texts().into_iter().for_each(|text| put_template(items, text));
}

/// Reads what [`put_edit`] wrote.
pub fn take_edit<'a>(items: &mut Reader<'a>) -> Option<Edit<'a>> {
    Some(match items.take_number()? {
        0 => Edit::Unset,
        1 => Edit::Set(take_template(items)?),
        2 => Edit::Default(take_template(items)?),
        3 => Edit::Prepend { text: take_template(items)?, separator: take_template(items)? },
        4 => Edit::Append { text: take_template(items)?, separator: take_template(items)? },
        _ => return None,
    })
}

/// Writes a template, unexpanded.
pub fn put_template(items: &mut Writer, template: &Template) {
    items.put(template.written().as_bytes());
}

/// Reads what [`put_template`] wrote.
pub fn take_template<'a>(items: &mut Reader<'a>) -> Option<Template<'a>> {
    Template::new(items.take_str()?).ok()
}
