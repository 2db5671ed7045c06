//! Finds the texts of a configuration that are not to be shown, also in one that is not JSON: those
//! that belong to a key whose name says that it is a secret.

use crate::environ::{REDACTED, is_secret_name};
use std::ops::Range;

/// A part of a text, with what is secret in it replaced.
pub fn hidden(text: &str, part: Range<usize>) -> String {
    let mut shown = String::new();
    let mut next = part.start;
    for secret in secrets(text)
        .into_iter()
        .filter(|secret| secret.end > part.start && secret.start < part.end)
    {
        shown += text.get(next..secret.start).unwrap_or_default();
        // Of a secret that began before, nothing is left to say.
        if secret.start >= part.start {
            shown += REDACTED;
        }
        next = secret.end;
    }
    shown + text.get(next..part.end).unwrap_or_default()
}

/// The texts that are the value of such a key, or stand inside it.
fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    // How deep the objects and lists are open, and how deep they were where a secret key began.
    let (mut depth, mut secret_at) = (0, None);
    let mut rest = 0;
    while let Some(at) = text[rest..].find(['"', '{', '[', '}', ']', ',']).map(|at| rest + at) {
        rest = at + 1;
        match text.as_bytes()[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                secret_at = secret_at.filter(|&secret_at| depth >= secret_at);
            }
            b',' => secret_at = secret_at.filter(|&secret_at| depth > secret_at),
            _ => {
                rest = end_of_string(text, at);
                let is_key = text[rest..].trim_ascii_start().starts_with(':');
                match (is_key, secret_at) {
                    (true, None) if is_secret_name(&text.as_bytes()[at..rest]) => {
                        secret_at = Some(depth)
                    }
                    (false, Some(_)) => secrets.push(at..rest),
                    _ => {}
                }
            }
        }
    }
    secrets
}

/// Behind the quote that closes a string, or at the end of a text in which nothing closes it.
fn end_of_string(text: &str, start: usize) -> usize {
    let mut escaped = false;
    let closing = text.bytes().enumerate().skip(start + 1).find(|&(_, byte)| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map_or(text.len(), |(at, _)| at + 1)
}
