//! What may be shown of words, values and environments: everything but secrets, byte for byte.

use crate::config::CONFIG_VARIABLE;
use crate::environ::{Environ, REDACTED, is_secret_name, split_entry};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Bytes that may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted(pub Vec<u8>);

impl Redacted {
    pub fn word(word: &OsStr, environ: &Environ) -> Self {
        Self(environ.redact_bytes(word))
    }

    pub fn value(name: &str, value: &OsStr, environ: &Environ) -> Self {
        match is_secret_name(name.as_bytes()) || is_inline(name.as_bytes(), value.as_bytes()) {
            true => Self(REDACTED.into()),
            false => Self(environ.redact_bytes(value)),
        }
    }
}

/// Whether it is a whole configuration, which may hold secrets that no variable has.
fn is_inline(name: &[u8], value: &[u8]) -> bool {
    name == CONFIG_VARIABLE.as_bytes() && value.trim_ascii_start().starts_with(b"{")
}

/// All entries.
pub fn environment(environ: &Environ) -> Vec<Redacted> {
    let hide = |entry: Vec<u8>| match split_entry(&entry) {
        (name, Some(value)) if is_inline(name, value) => [name, b"=", REDACTED.as_bytes()].concat(),
        _ => entry,
    };
    environ.redacted_entries().into_iter().map(hide).map(Redacted).collect()
}
