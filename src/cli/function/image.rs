//! ENTRYPOINT and CMD of a container image, as written in a Dockerfile
//! (<https://docs.docker.com/reference/dockerfile/#entrypoint>): the words that start foreword are
//! not part of what it receives.

use crate::command_line::base_name;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Init programs of images, and their options with a value.
const INITS: [(&str, &[&str]); 3] =
    [("tini", &["-p", "-e"]), ("dumb-init", &["-r", "--rewrite"]), ("catatonit", &[])];

/// Returns the command line that foreword receives, and a note about the words in front of it.
pub fn without_foreword(command: &[OsString]) -> (Vec<OsString>, Option<String>) {
    let words = exec_form(command);
    let start = foreword_at(&words).map(|at| at + 1).unwrap_or_default();
    let start = if start > 0 && words.get(start).is_some_and(|word| word == "--") {
        start + 1
    } else {
        start
    };
    if start == 0 || start >= words.len() {
        return (words, None);
    }
    let dropped = words[..start].join(OsStr::new(" "));
    let note = format!("{} is left out: it starts foreword itself", dropped.to_string_lossy());
    (words[start..].to_vec(), Some(note))
}

/// Returns the index of foreword: first, or behind an init program and its options.
fn foreword_at(words: &[OsString]) -> Option<usize> {
    let name = |at: usize| words.get(at).map(|word| base_name(word));
    let mut at = 0;
    let init = INITS.iter().find(|(init, _)| {
        name(0).is_some_and(|name| {
            name == init.as_bytes() || name == [init.as_bytes(), b"-static"].concat()
        })
    });
    if let Some((_, with_value)) = init {
        at = 1;
        while let Some(word) = words.get(at).filter(|word| word.as_bytes().starts_with(b"-")) {
            at += if with_value.iter().any(|option| word == option) { 2 } else { 1 };
            if word == "--" {
                break;
            }
        }
    }
    (name(at) == Some(b"foreword")).then_some(at)
}

/// Replaces JSON arrays, the exec form, by their words.
fn exec_form(command: &[OsString]) -> Vec<OsString> {
    let array = |word: &OsString| {
        let text = word.to_str().filter(|text| text.starts_with('['))?;
        serde_json::from_str::<Vec<String>>(text).ok()
    };
    match command.first().map(array) {
        Some(Some(_)) => {
            let words = command.iter().map(|word| {
                array(word).map_or_else(
                    || vec![word.clone()],
                    |words| words.into_iter().map(OsString::from).collect(),
                )
            });
            words.flatten().collect()
        }
        _ => command.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_foreword_in_an_image_is_left_out() {
        for (command, expected, dropped) in [
            ("python3 app.py", "python3 app.py", None),
            ("foreword -- python3 app.py", "python3 app.py", Some("foreword --")),
            ("/opt/bin/foreword -- python3 app.py", "python3 app.py", Some("/opt/bin/foreword --")),
            (
                "/opt/bin/foreword /usr/bin/python3 app.py",
                "/usr/bin/python3 app.py",
                Some("/opt/bin/foreword"),
            ),
            ("tini -- foreword -- node x.js", "node x.js", Some("tini -- foreword --")),
            (
                "/sbin/tini -g -p SIGTERM -- foreword node x.js",
                "node x.js",
                Some("/sbin/tini -g -p SIGTERM -- foreword"),
            ),
            (
                "dumb-init /opt/bin/foreword -- ./app",
                "./app",
                Some("dumb-init /opt/bin/foreword --"),
            ),
            ("tini-static -s -- foreword -- ./app", "./app", Some("tini-static -s -- foreword --")),
            ("tini -- python3 app.py", "tini -- python3 app.py", None),
            ("python3 foreword", "python3 foreword", None),
            ("foreword --", "foreword --", None),
        ] {
            let words: Vec<_> = command.split(' ').map(OsString::from).collect();
            let (left, note) = without_foreword(&words);
            assert_eq!(left.join(OsStr::new(" ")), expected, "{command}");
            let expected =
                dropped.map(|dropped| format!("{dropped} is left out: it starts foreword itself"));
            assert_eq!(note, expected, "{command}");
        }
    }

    #[test]
    fn arrays_of_the_exec_form_are_taken_apart() {
        let words =
            [r#"["/opt/bin/foreword", "--"]"#, r#"["python3", "-m", "a b"]"#].map(OsString::from);
        assert_eq!(without_foreword(&words).0, ["python3", "-m", "a b"]);
        // An argument that happens to be an array stays what it is.
        let words = ["python3", "[\"a\"]"].map(OsString::from);
        assert_eq!(without_foreword(&words).0, words);
    }
}
