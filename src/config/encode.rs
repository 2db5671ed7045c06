//! Serializes parts of a configuration for other processes of foreword.

use super::{Command, Edit, EnvEdit, Hook, OnFailure, Place};
use crate::phase::Phase;
use crate::template::Template;
use crate::wire::{Reader, Writer};
use std::time::Duration;

/// Writes a hook down, but for its condition and its place, which have done their work.
pub fn put_hook(items: &mut Writer, hook: &Hook) {
    items.put(hook.phase.name().as_bytes());
    items.put(hook.name.as_bytes());
    let (kind, words) = match &hook.command {
        Command::Words(words) => (0, words.iter().map(Template::written).collect()),
        Command::Shell(script) => (1, vec![*script]),
        Command::Http(request) => (2, vec![request.written()]),
        Command::Nothing => (3, Vec::new()),
    };
    items.put_number(kind);
    items.put_list(&words, |items, word| items.put(word.as_bytes()));
    items.put_list(hook.wait_for.as_slice(), put_text);
    items.put_number(hook.attempts);
    items.put_number(hook.pause.as_millis() as u32);
    put_env(items, &hook.env, false);
    items.put_list(hook.cwd.as_slice(), put_text);
    items.put_list(hook.timeout.as_slice(), |items, timeout| {
        items.put_number(timeout.as_millis() as u32)
    });
    items.put_number((hook.on_failure == OnFailure::Continue).into());
}

/// Reads what [`put_hook`] wrote.
// Most chains have none, and would pay for the room on the stack.
#[inline(never)]
pub fn take_hook<'a>(items: &mut Reader<'a>) -> Option<Hook<'a>> {
    let phase = Phase::from_name(items.take_str()?)?;
    Some(Hook {
        name: items.take_str()?,
        command: match items.take_number()? {
            0 => Command::Words(items.take_list(take_text)?),
            1 => Command::Shell(items.take_list(Reader::take_str)?.pop()?),
            2 => Command::Http(items.take_list(take_text)?.pop()?),
            _ => {
                items.take_number()?;
                Command::Nothing
            }
        },
        wait_for: items.take_list(take_text)?.pop(),
        attempts: items.take_number()?,
        pause: Duration::from_millis(items.take_number()?.into()),
        env: take_env(items)?,
        cwd: items.take_list(take_text)?.pop(),
        timeout: items
            .take_list(Reader::take_number)?
            .pop()
            .map(|timeout| Duration::from_millis(timeout.into())),
        on_failure: if items.take_number()? == 1 { OnFailure::Continue } else { OnFailure::Fail },
        ..Hook::empty(phase, Place::Formatted(""))
    })
}

pub fn put_env(items: &mut Writer, env: &[EnvEdit], with_places: bool) {
    items.put_list(env, |items, edit| {
        let place = if with_places { edit.place.to_string() } else { String::new() };
        items.put(place.as_bytes());
        items.put(edit.name.as_bytes());
        put_edit(items, &edit.edit);
    });
}

pub fn take_env<'a>(items: &mut Reader<'a>) -> Option<Vec<EnvEdit<'a>>> {
    items.take_list(|items| {
        let place = Place::Formatted(items.take_str()?);
        Some(EnvEdit { name: items.take_str()?, edit: take_edit(items)?, place })
    })
}

pub fn put_edit(items: &mut Writer, edit: &Edit) {
    items.put_number(match edit {
        Edit::Unset => 0,
        Edit::Set(_) => 1,
        Edit::Default(_) => 2,
        Edit::Prepend { .. } => 3,
        Edit::Append { .. } => 4,
    });
    edit.texts().into_iter().for_each(|text| put_text(items, text));
}

pub fn take_edit<'a>(items: &mut Reader<'a>) -> Option<Edit<'a>> {
    Some(match items.take_number()? {
        0 => Edit::Unset,
        1 => Edit::Set(take_text(items)?),
        2 => Edit::Default(take_text(items)?),
        3 => Edit::Prepend { text: take_text(items)?, separator: take_text(items)? },
        4 => Edit::Append { text: take_text(items)?, separator: take_text(items)? },
        _ => return None,
    })
}

pub fn put_text(items: &mut Writer, text: &Template) {
    items.put(text.written().as_bytes());
}

pub fn take_text<'a>(items: &mut Reader<'a>) -> Option<Template<'a>> {
    Template::new(items.take_str()?).ok()
}
