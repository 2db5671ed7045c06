//! Secrets in the text of a configuration, also of one that is not JSON: strings that belong to a
//! key with a secret name.

use crate::environ::{REDACTED, is_secret_name};
use foreword_secrets::reference::Reference;
use std::ops::Range;

/// Returns a part of a text, with its secrets replaced.
pub fn hidden(text: &str, part: Range<usize>) -> String {
    let mut shown = String::new();
    let mut next = part.start;
    for secret in secrets(text)
        .into_iter()
        .filter(|secret| secret.end > part.start && secret.start < part.end)
    {
        shown += text.get(next..secret.start).unwrap_or_default();
        // A secret that began before the part was replaced there.
        if secret.start >= part.start {
            shown += REDACTED;
        }
        next = secret.end;
    }
    shown + text.get(next..part.end).unwrap_or_default()
}

/// Returns the strings that are the value of such a key, or inside it.
fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    // The nesting depth, and the depth at which a secret key began.
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
                        secret_at = Some(depth);
                    }
                    (false, Some(_)) if !is_reference(&text[at..rest]) => {
                        secrets.push(at..rest);
                    }
                    _ => {}
                }
            }
        }
    }
    secrets
}

/// Reports whether a string in quotes says where a secret is, which is no secret itself.
fn is_reference(quoted: &str) -> bool {
    Reference::parse(quoted.trim_matches('"')).is_ok()
}

/// Returns the end of a string, behind its closing quote; the end of the text if there is none.
fn end_of_string(text: &str, start: usize) -> usize {
    let mut escaped = false;
    let closing = text.bytes().enumerate().skip(start + 1).find(|&(_, byte)| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map_or(text.len(), |(at, _)| at + 1)
}
