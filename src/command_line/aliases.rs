//! The spellings of an option: its other names, and its value joined or separate. An edit that
//! names one spelling applies to all of them. `#[inline(never)]` keeps the functions out of each
//! edit's code: a cold start reads the whole binary, so its size counts.

use super::grammar::contains;
use super::{Interpreter, dotnet, java, node, python, ruby};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Options with several names, from the manual pages java(1), node(1) and ruby(1).
const ALIASES: [(Interpreter, &[&[&str]]); 3] = [
    (
        Interpreter::Java,
        &[
            &["--class-path", "-classpath", "-cp"],
            &["--describe-module", "-d"],
            &["--module-path", "-p"],
            &["-disableassertions", "-da"],
            &["-disablesystemassertions", "-dsa"],
            &["-enableassertions", "-ea"],
            &["-enablesystemassertions", "-esa"],
        ],
    ),
    (
        Interpreter::Node,
        &[
            &["--check", "-c"],
            &["--conditions", "-C"],
            &["--debug-port", "--inspect-port"],
            &["--experimental-loader", "--loader"],
            &["--interactive", "-i"],
            &["--report-dir", "--report-directory"],
            &["--require", "-r"],
            &["--security-revert", "--security-reverts"],
        ],
    ),
    (Interpreter::Ruby, &[&["--debug", "-d"], &["--encoding", "-E"], &["--yydebug", "-y"]]),
];

/// Tells whether two names mean the same option.
#[inline(never)]
pub(super) fn is_same(interpreter: Option<Interpreter>, one: &[u8], other: &[u8]) -> bool {
    is_equal(interpreter, one, other)
        || names(interpreter, one).iter().any(|name| is_equal(interpreter, other, name.as_bytes()))
}

/// Returns the index at which the value begins that is joined to an option of this name.
#[inline(never)]
pub(super) fn find_joined_value(
    interpreter: Option<Interpreter>,
    option: &[u8],
    name: &[u8],
) -> Option<usize> {
    // A name may contain a `=` itself, as `-Dname` may.
    let is_written = option.starts_with(name) && option.get(name.len()) == Some(&b'=');
    let end =
        if is_written { Some(name.len()) } else { option.iter().position(|&byte| byte == b'=') };
    match end {
        Some(end) if is_written || is_same(interpreter, name, &option[..end]) => Some(end + 1),
        _ if has_attached_value(interpreter, option)
            && is_same(interpreter, name, &option[..2]) =>
        {
            Some(2)
        }
        _ => None,
    }
}

/// Returns the other spellings of an option with its value. Not among them: the option as it is
/// written, and that with its separate value after a space.
#[inline(never)]
pub(super) fn spellings(
    interpreter: Option<Interpreter>,
    option: &OsStr,
    value: Option<&OsStr>,
) -> Vec<OsString> {
    let option = option.as_bytes();
    let equals = option.iter().position(|&byte| byte == b'=').filter(|_| option.starts_with(b"--"));
    let end = match (value, equals) {
        (None, Some(equals)) => equals,
        (None, None) if has_attached_value(interpreter, option) => 2,
        _ => option.len(),
    };
    let name = &option[..end];
    let behind = || option.get(end + usize::from(option.get(end) == Some(&b'='))..);
    let is_separate = value.is_some();
    let value = value.map(OsStr::as_bytes).or_else(|| behind().filter(|_| end < option.len()));
    let normal = normalize(interpreter, name);
    let is_unlisted = *normal != *name || value.is_some() && takes_value(interpreter, name);
    let own = Some(&*normal).filter(|_| is_unlisted);
    let mut all = Vec::new();
    for name in names(interpreter, name).iter().map(|name| name.as_bytes()).chain(own) {
        let mut add = |parts: &[&[u8]]| all.push(OsString::from_vec(parts.concat()));
        let is_written = name == option;
        if !is_written {
            add(&[name]);
        }
        if let Some(value) = value {
            if !(is_written && is_separate) {
                add(&[name, b" ", value]);
            }
            add(&[name, if name.starts_with(b"--") { b"=" } else { b"" }, value]);
        }
    }
    all
}

/// Tells whether an option takes a value, in the next word or joined.
pub fn takes_value(interpreter: Option<Interpreter>, name: &[u8]) -> bool {
    let is_in =
        |table: &[&str]| table.iter().any(|option| is_equal(interpreter, name, option.as_bytes()));
    let is_short = |letters: &[u8]| matches!(name, [b'-', letter] if letters.contains(letter));
    match interpreter {
        None => false,
        Some(Interpreter::Python) => {
            is_short(python::SHORT_WITH_VALUE) || name == b"--check-hash-based-pycs"
        }
        Some(Interpreter::Ruby) => {
            let long = name.strip_prefix(b"--");
            is_short(ruby::SHORT_WITH_VALUE)
                || long.is_some_and(|name| contains(ruby::LONG_WITH_VALUE, name))
        }
        Some(Interpreter::Node) => is_in(node::WITH_VALUE),
        Some(Interpreter::Java) => is_in(java::WITH_VALUE),
        Some(Interpreter::Dotnet) => is_in(dotnet::OPTIONS),
    }
}

/// Tells whether a short option has its value directly after its letter.
fn has_attached_value(interpreter: Option<Interpreter>, option: &[u8]) -> bool {
    let letters = match interpreter {
        Some(Interpreter::Python) => python::SHORT_WITH_VALUE,
        Some(Interpreter::Ruby) => ruby::SHORT_WITH_VALUE,
        _ => return false,
    };
    matches!(option, [b'-', letter, _, ..] if letters.contains(letter))
}

/// Returns all names of an option that has several.
#[inline(never)]
pub(super) fn names(interpreter: Option<Interpreter>, name: &[u8]) -> &'static [&'static str] {
    let groups = ALIASES
        .iter()
        .find(|(of, _)| Some(*of) == interpreter)
        .map_or(&[][..], |(_, groups)| groups);
    let has =
        |group: &&&[&str]| group.iter().any(|alias| is_equal(interpreter, name, alias.as_bytes()));
    groups.iter().find(has).map_or(&[], |group| group)
}

/// Tells whether an interpreter reads two names as the same.
fn is_equal(interpreter: Option<Interpreter>, one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && normalize(interpreter, one) == normalize(interpreter, other)
}

/// Returns a name as the interpreter's manual spells it: Node reads `_` as `-`, and .NET ignores
/// case.
#[inline(never)]
fn normalize(interpreter: Option<Interpreter>, name: &[u8]) -> Cow<'_, [u8]> {
    match interpreter {
        Some(Interpreter::Dotnet) => name.to_ascii_lowercase().into(),
        Some(Interpreter::Node) if name.starts_with(b"--") && name.contains(&b'_') => {
            name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte }).collect()
        }
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::command_line::CommandLine;
    use crate::command_line::tests::{edited, replacement};
    use std::ffi::OsStr;

    fn append(name: &'static str) -> impl Fn(&mut CommandLine) {
        move |line| {
            line.edit_option_values(OsStr::new(name), |value| {
                Some([value, OsStr::new(":x")].join(OsStr::new("")))
            });
        }
    }

    fn remove(text: &'static str) -> impl Fn(&mut CommandLine) {
        move |line| line.remove_options(|option| option == text)
    }

    #[test]
    fn value_of_an_option_with_another_name_is_edited() {
        edited("java -classpath a A", append("-cp"), "java -classpath a:x A");
        edited(
            "java -cp a --class-path=b A",
            append("-classpath"),
            "java -cp a:x --class-path=b:x A",
        );
        edited("java --class-path a A", append("-cp"), "java --class-path a:x A");
        edited("java --module-path m -p n A", append("-p"), "java --module-path m:x -p n:x A");
        edited("java -Dp=a A", append("-D"), "java -Dp=a A");
        edited(
            "node --require=./a -r ./b app.js",
            append("-r"),
            "node --require=./a:x -r ./b:x app.js",
        );
        edited("node -C a app.js", append("--conditions"), "node -C a:x app.js");
        edited(
            "node --max_http_header_size 1 app.js",
            append("--max-http-header-size"),
            "node --max_http_header_size 1:x app.js",
        );
        edited(
            "node --max-http-header-size=1 app.js",
            append("--max_http_header_size"),
            "node --max-http-header-size=1:x app.js",
        );
        edited(
            "ruby -I/lib -I lib -Ilib2 app.rb",
            append("-I"),
            "ruby -I/lib:x -I lib:x -Ilib2:x app.rb",
        );
        edited("ruby -E UTF-8 app.rb", append("--encoding"), "ruby -E UTF-8:x app.rb");
        edited(
            "python3 -Xdev -X dev -Wx app.py",
            append("-X"),
            "python3 -Xdev:x -X dev:x -Wx app.py",
        );
        edited(
            "dotnet --ROLL-FORWARD Major a.dll",
            append("--roll-forward"),
            "dotnet --ROLL-FORWARD Major:x a.dll",
        );
        edited("app -cp a", append("-classpath"), "app -cp a");
    }

    #[test]
    fn option_with_another_name_is_removed() {
        edited("java -classpath a -Da A", remove("-cp"), "java -Da A");
        edited("java -classpath a -cp b A", remove("--class-path=b"), "java -classpath a A");
        edited("java --class-path=a A", remove("-cp a"), "java A");
        edited("java -enableassertions A", remove("-ea"), "java A");
        edited("node --require=./a -r ./b app.js", remove("-r ./a"), "node -r ./b app.js");
        edited("node --import=./a --import ./b app.js", remove("--import"), "node app.js");
        edited("node -i app.js", remove("--interactive"), "node app.js");
        edited("node --expose_gc app.js", remove("--expose-gc"), "node app.js");
        edited(
            "python3 -Ximporttime -X dev app.py",
            remove("-X importtime"),
            "python3 -X dev app.py",
        );
        edited(
            "python3 -X importtime -X dev app.py",
            remove("-Ximporttime"),
            "python3 -X dev app.py",
        );
        edited("ruby -rset -r json app.rb", remove("-r set"), "ruby -r json app.rb");
        edited("ruby --encoding=UTF-8 app.rb", remove("-E UTF-8"), "ruby app.rb");
        edited("dotnet --FX-version 8 a.dll", remove("--fx-version 8"), "dotnet a.dll");
    }

    #[test]
    fn option_with_another_name_is_replaced() {
        let replace = |from: &'static str, to: &'static str| {
            move |line: &mut CommandLine| line.replace_options(replacement(from, to))
        };
        edited("java -classpath a A", replace("-cp", "--class-path"), "java --class-path a A");
        edited("java -da A", replace("-disableassertions", "-ea"), "java -ea A");
        edited(
            "node --interactive app.js",
            replace("-i", "--expose-gc"),
            "node --expose-gc app.js",
        );
        edited("ruby -d app.rb", replace("--debug", "-w"), "ruby -w app.rb");
    }
}
