//! What must hold for whatever bytes strangers hand over: one function for each fuzz target of
//! `fuzz/`, which panics when it does not. The tests run them on the corpora.

use crate::chain::{self, STAGE, Stage};
use crate::command_line::CommandLine;
use crate::config::{self, EnvEdit, Export, Hook, Rule, Source};
use crate::environ::Environ;
use crate::export::{self, Variable};
use crate::http::{self, Head, Response};
use crate::plan::saved::{self, SavedPlan};
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

/// The text of a `foreword.json`: what is accepted is decoded equally again, and what is refused
/// has a place.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let source = Source { name: "file".into(), text: text.into() };
    let decoded = decode(&source);
    assert_eq!(decoded, decode(&source));
    let Err(message) = decoded else { return };
    let place = message.strip_prefix("file:").and_then(|rest| {
        let (line, rest) = rest.split_once(':')?;
        let (column, message) = rest.split_once(": ")?;
        assert!(!message.is_empty());
        Some((line.parse::<usize>().ok()?, column.parse::<usize>().ok()?))
    });
    let (line, column) = place.expect("a line and a column");
    let line = text.split('\n').nth(line - 1).expect("a line of the text");
    assert!((1..=line.chars().count() + 1).contains(&column), "{message}");
}

/// The rule that a source holds, or why it holds none.
fn decode(source: &Source) -> Result<String, String> {
    let sources = std::slice::from_ref(source);
    let documents = config::parse_sources(sources);
    let rules = config::decode_rules(&documents).map_err(|failure| failure.message)?;
    let [rule] = &rules[..] else { panic!("a document is one rule") };
    Ok(shown_rule(rule))
}

fn shown_rule(rule: &Rule) -> String {
    let environ = Environ::from_entries([c"A=$ ${A} *", c"EMPTY="]);
    let Rule { place, when, options, arguments, entry, program, prefix, .. } = rule;
    let mut shown = format!("{place} {when:?} {options:?} {arguments:?} {entry:?} {program:?} ");
    for text in entry.iter().chain(program).chain(prefix) {
        write!(shown, "{text:?} {:?} ", text.expand(&environ)).expect("a text");
    }
    show_env(&rule.env, &environ, &mut shown);
    for wrapper in &rule.wrappers {
        let path = wrapper.path.expand(&environ);
        write!(shown, "{} {path:?} {:?} ", wrapper.place, wrapper.when).expect("a text");
        show_env(&wrapper.env, &environ, &mut shown);
    }
    rule.hooks.iter().for_each(|hook| show_hook(hook, &environ, &mut shown));
    shown.extend(rule.rules.iter().map(shown_rule));
    shown
}

fn show_env(edits: &[EnvEdit], environ: &Environ, shown: &mut String) {
    for EnvEdit { name, edit, place } in edits {
        let texts = edit.texts();
        let expanded: Vec<_> = texts.into_iter().map(|text| text.expand(environ)).collect();
        write!(shown, "{place} {name} {edit:?} {expanded:?} ").expect("a text");
    }
}

fn show_hook(hook: &Hook, environ: &Environ, shown: &mut String) {
    let Hook { place, phase, name, command, timeout, attempts, pause, .. } = hook;
    assert!(*attempts > 0 && !name.is_empty(), "{place}");
    write!(shown, "{place} {phase:?} {name} {command:?} {timeout:?} {attempts} {pause:?} ")
        .expect("a text");
    show_env(&hook.env, environ, shown);
}

/// A hook's output in the form `dotenv`: what is accepted are variables that an environment can
/// hold, and both of its notations give them again.
pub fn dotenv(bytes: &[u8]) {
    let read = export::variables(Export::Dotenv, bytes);
    assert_eq!(read, export::variables(Export::Dotenv, bytes));
    let Ok(variables) = read else { return };
    assert!((1..=variables.len()).contains(&export::count(&variables)));
    for (name, value) in &variables {
        assert!(!name.is_empty() && !name.contains(['=', '\0']), "{name:?}");
        assert!(!value.as_bytes().contains(&0), "{name:?}");
    }
    // A byte order mark in front is none of the first name's.
    if !variables[0].0.starts_with('\u{feff}') {
        assert_eq!(
            export::variables(Export::Dotenv, &ended_by_nul(&variables)),
            read_again(&variables)
        );
    }
    let is_plain =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if variables.iter().all(|(name, _)| is_plain(name)) {
        assert_eq!(export::variables(Export::Dotenv, &quoted(&variables)), read_again(&variables));
    }
}

fn read_again(variables: &[Variable]) -> Result<Vec<Variable>, String> {
    Ok(variables.to_vec())
}

/// Variables as `env -0` prints them.
fn ended_by_nul(variables: &[Variable]) -> Vec<u8> {
    let entry =
        |(name, value): &Variable| [name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat();
    variables.iter().flat_map(entry).collect()
}

/// Variables as lines with values in double quotes.
fn quoted(variables: &[Variable]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in variables {
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b"=\"");
        for &byte in value.as_bytes() {
            match byte {
                b'\r' => lines.extend_from_slice(b"\\r"),
                b'\\' | b'"' | b'$' | b'`' => lines.extend([b'\\', byte]),
                _ => lines.push(byte),
            }
        }
        lines.extend_from_slice(b"\"\n");
    }
    lines
}

/// An argument file of Java's launcher: what nothing is edited in stays as it was received, and the
/// words are those of a file that quotes each of them.
pub fn argument_file(bytes: &[u8]) {
    // Inside of the value of an option, a file gives way to its words.
    let received: Vec<OsString> = vec!["-cp".into(), "@file".into()];
    let parse = |content: &[u8]| {
        CommandLine::parse("java".into(), received.clone(), |_| Ok(content.to_vec()))
    };
    assert_eq!(parse(bytes).into_arguments(), received);
    let words = |content: &[u8]| {
        let mut line = parse(content);
        line.append_arguments(vec!["end".into()]);
        line.into_arguments()
    };
    let edited = words(bytes);
    let [first, inside @ .., last] = &edited[..] else { panic!("{edited:?}") };
    assert_eq!((first.as_bytes(), last.as_bytes()), (&b"-cp"[..], &b"end"[..]));
    // What `@` means on a command line depends on what stands before it.
    if !inside.iter().any(|word| word.as_bytes().starts_with(b"@")) {
        assert_eq!(words(&quoting(inside)), edited);
    }
}

/// An argument file that quotes each word of a command line.
fn quoting(words: &[OsString]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in words {
        file.push(b'"');
        for &byte in word.as_bytes() {
            match byte {
                b'\n' => file.extend_from_slice(b"\\n"),
                b'\r' => file.extend_from_slice(b"\\r"),
                b'\\' | b'"' => file.extend([b'\\', byte]),
                _ => file.push(byte),
            }
        }
        file.extend_from_slice(b"\"\n");
    }
    file
}

/// The bytes of an HTTP connection: a message ends where it ends, however its bytes come, and what
/// the relay makes of it says the same but for the connection.
pub fn http(bytes: &[u8]) {
    if let Head::Complete(line) = http::parse_request_head(bytes) {
        let head = &bytes[..line.length];
        let Head::Complete(alone) = http::parse_request_head(head) else { panic!("a whole head") };
        let same = |other: &http::RequestHead| {
            (&*other.method, &*other.target) == (&*line.method, &*line.target)
        };
        assert!(same(&alone) && alone.length == line.length);
        assert!(!matches!(http::parse_request_head(&head[..line.length - 1]), Head::Complete(_)));
        let closing = http::with_connection_close(head);
        let Head::Complete(closed) = http::parse_request_head(&closing) else {
            panic!("a whole head")
        };
        assert!(same(&closed) && closed.length == closing.len());
        assert!(http::closes_connection(&closing));
        for name in ["Host", "Content-Length", "Transfer-Encoding"] {
            assert_eq!(closed.header(name), line.header(name));
        }
    }
    for ended in [false, true] {
        let mut rest = bytes.to_vec();
        let taken = Response::take(&mut rest, ended);
        assert!(!ended || !matches!(taken, Ok(None)), "nothing more will come");
        if !ended {
            let came = |part: usize| in_parts(bytes, part);
            let shown = show_response(taken.as_ref());
            assert!([1, 7, bytes.len() / 2].into_iter().all(|part| came(part) == shown), "{shown}");
        }
        let Ok(Some(response)) = taken else { continue };
        assert!(
            response.body().len() <= response.bytes.len() && response.bytes.len() <= bytes.len()
        );
        if let Some(keeping) = http::without_connection_header(&response.bytes) {
            let kept = Response::take(&mut keeping.clone(), true).expect("a response");
            let kept = kept.expect("a whole response");
            assert_eq!((kept.status, kept.body()), (response.status, response.body()));
            assert_eq!(kept.header("Connection"), None);
        }
    }
}

/// A response whose bytes come so many at a time.
fn in_parts(bytes: &[u8], part: usize) -> String {
    let mut came = Vec::new();
    let mut taken = Response::take(&mut came, false);
    for part in bytes.chunks(part.max(bytes.len() / 64).max(1)) {
        if !matches!(taken, Ok(None)) {
            break;
        }
        came.extend_from_slice(part);
        taken = Response::take(&mut came, false);
    }
    show_response(taken.as_ref())
}

fn show_response(taken: Result<&Option<Response>, &anyhow::Error>) -> String {
    match taken {
        Ok(Some(response)) => format!("{} {:?}", response.status, response.bytes.escape_ascii()),
        Ok(None) => "more has to come".into(),
        Err(_) => "no response".into(),
    }
}

/// The variables that carry the stage through a chain, or the bytes in them: what is accepted is
/// carried on as it is, and the chain comes to its end.
pub fn stage(bytes: &[u8]) {
    let mut environ = Environ::default();
    let parts = bytes.split(|&byte| byte == b'\n').map(|part| part.split(|&byte| byte == 0).next());
    for (number, part) in parts.enumerate() {
        let name = if number == 0 { STAGE.to_owned() } else { format!("{STAGE}_{number}") };
        environ.set(&name, OsStr::from_bytes(part.unwrap_or_default()));
    }
    if let Some(taken) = chain::take_stage(&mut environ) {
        assert!(environ.entries().is_empty());
        travels(&taken);
    }
    travels(bytes);
}

fn travels(bytes: &[u8]) {
    let empty = Environ::default();
    let Some((mut stage, saved)) = Stage::decode(bytes, &mut Environ::default()) else { return };
    if let Some(encoded) = encoded_again(saved) {
        assert_eq!(encoded_again(&encoded).as_ref(), Some(&encoded));
    }
    let carried = stage.variables(&empty, true);
    let mut environ = Environ::default();
    carried.iter().for_each(|(name, value)| environ.set(name, value));
    let taken = chain::take_stage(&mut environ).expect("what was put there");
    let (again, _) = Stage::decode(&taken, &mut environ).expect("what was encoded");
    assert_eq!(again.variables(&empty, true), carried);
    let mut turns = stage.next.len();
    while stage.advance(None, &empty).is_ok_and(|turn| turn.is_some()) {
        turns = turns.checked_sub(1).expect("one turn for each wrapper");
    }
}

/// What is saved of a plan that was saved.
fn encoded_again(saved: &[u8]) -> Option<Vec<u8>> {
    let saved = SavedPlan::decode(saved)?;
    let words = [OsString::from("python3"), OsString::from("app.py")];
    Some(saved::encode(&saved.plan(&words), &saved.context, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_file_of_the_corpora_passes() {
        type Target = (&'static str, fn(&[u8]));
        let targets: [Target; 5] = [
            ("argument_file", argument_file),
            ("configuration", configuration),
            ("dotenv", dotenv),
            ("http", http),
            ("stage", stage),
        ];
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        assert_eq!(fs::read_dir(&corpora).expect("the corpora").count(), targets.len());
        for (name, target) in targets {
            let files = fs::read_dir(corpora.join(name)).expect("a corpus");
            let paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
            assert!(paths.len() > 9, "{name}");
            for path in paths {
                let bytes = fs::read(&path).expect("a file");
                let passes = std::panic::catch_unwind(|| target(&bytes)).is_ok();
                assert!(passes, "{}", path.display());
            }
        }
    }
}
