//! The programs that a shell-string command starts, as far as reading it tells: what its simple commands begin with.
//! Stops at the first thing that only a shell understands.

use super::runtimes;

/// A command of a shell string.
#[derive(Debug, PartialEq, Eq)]
pub struct Simple<'t> {
    /// From the program on, up to the first word that a shell would change.
    pub words: Vec<&'t str>,
    /// Whether the string itself provides for its absence.
    pub is_guarded: bool,
    /// Whether the working directory is still the one that the string started in.
    pub is_at_start: bool,
}

/// Words that a command may follow.
const BEFORE_COMMANDS: [&str; 10] = ["if", "then", "else", "elif", "while", "until", "do", "!", "{", "time"];

/// Words that end what others began.
const CLOSERS: [&str; 4] = ["fi", "done", "}", "esac"];

/// Words whose grammar is another.
const COMPOUNDS: [&str; 5] = ["case", "for", "select", "function", "[["];

/// Programs and builtins that run what follows them.
const PREFIXES: [&str; 4] = ["exec", "command", "nohup", "builtin"];

pub fn commands(text: &str) -> Vec<Simple<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut is_at_start = true;
    let asks = |what: &str| text.contains(what);
    let asks_before = ["[ ", "test ", "command -v", "which ", "type ", "hash "].iter().any(|what| asks(what));
    loop {
        let (words, end, after) = simple(rest);
        let is_condition =
            words.first().is_some_and(|word| matches!(word, Some("if" | "while" | "until" | "elif" | "!")));
        let mut words = words.into_iter().skip_while(|word| {
            word.is_some_and(|word| BEFORE_COMMANDS.contains(&word) || PREFIXES.contains(&word) || is_assignment(word))
        });
        let plain: Vec<&str> = words.by_ref().map_while(|word| word).collect();
        match plain.first() {
            Some(word) if COMPOUNDS.contains(word) => return found,
            Some(&("cd" | "pushd" | "popd" | "eval")) => is_at_start = false,
            Some(&("." | "source")) if plain.len() > 1 => found.push(Simple {
                words: [&["sh"], &plain[1..]].concat(),
                is_guarded: asks_before || is_condition || end == "||",
                is_at_start,
            }),
            Some(word) if runtimes::is_builtin(word) || CLOSERS.contains(word) || word.starts_with('-') => {}
            Some(_) => {
                let is_guarded = asks_before || is_condition || end == "||";
                found.push(Simple { words: plain, is_guarded, is_at_start });
            }
            None => {}
        }
        match after {
            Some(after) => rest = after,
            None => return found,
        }
    }
}

/// Takes one command off a text: its words, none for one that a shell would change, what ended it, and what follows.
fn simple(text: &str) -> (Vec<Option<&str>>, &str, Option<&str>) {
    let mut words = Vec::new();
    let mut rest = text;
    let mut is_redirected = false;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r']);
        let operator = ["&&", "||", ";", "|", "\n", "&"].into_iter().find(|operator| rest.starts_with(operator));
        if let Some(operator) = operator.filter(|_| !rest.starts_with("&>")) {
            return (words, operator, Some(&rest[operator.len()..]));
        }
        if rest.is_empty() || rest.starts_with("<<") {
            return (words, "", None);
        }
        if rest.starts_with('#') {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            continue;
        }
        if rest.starts_with(['<', '>']) || rest.starts_with("&>") {
            rest = rest.trim_start_matches(['<', '>', '&', '|']);
            is_redirected = true;
            continue;
        }
        let Some((length, is_plain)) = word(rest) else { return (words, "", None) };
        let (word, after) = rest.split_at(length);
        rest = after;
        let is_descriptor = word.bytes().all(|byte| byte.is_ascii_digit()) && after.starts_with(['<', '>']);
        if !std::mem::take(&mut is_redirected) && !is_descriptor {
            words.push(is_plain.then_some(word));
        }
    }
}

/// The length of the word that a text begins with, and whether a shell takes it as it is; none where a shell would
/// begin something else.
fn word(text: &str) -> Option<(usize, bool)> {
    let mut is_plain = true;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (c, quote) {
            _ if std::mem::take(&mut escaped) => {}
            ('\\', None | Some('"')) => (escaped, is_plain) = (true, false),
            ('`', None | Some('"')) => return None,
            ('$', None | Some('"')) if text[at..].starts_with("$(") => return None,
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => (quote, is_plain) = (Some(c), false),
            ('(' | ')', None) => return None,
            (' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>', None) => return Some((at, is_plain)),
            (c, None) => is_plain &= c.is_alphanumeric() || "/._-+=:,@%{}[!".contains(c),
        }
    }
    quote.is_none().then_some((text.len(), is_plain))
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands, one a line, with `?` behind a guarded one and `@` behind one that runs elsewhere.
    fn shown(text: &str) -> Vec<String> {
        let mark = |simple: &Simple| {
            let guarded = if simple.is_guarded { "?" } else { "" };
            let elsewhere = if simple.is_at_start { "" } else { "@" };
            format!("{}{guarded}{elsewhere}", simple.words.join(" "))
        };
        commands(text).iter().map(mark).collect()
    }

    #[test]
    fn every_simple_command_is_found_by_its_first_word() {
        for (text, expected) in [
            ("/opt/x --all | cat", &["/opt/x --all", "cat"] as &[_]),
            ("./a && ./b; ./c & ./d\n./e", &["./a", "./b", "./c", "./d", "./e"]),
            ("A=1 B=2 ./a x=y", &["./a x=y"]),
            ("exec ./a", &["./a"]),
            ("if true; then ./a; fi", &["./a"]),
            ("./a 2>/dev/null >&2 <in arg # ./b", &["./a arg"]),
            ("./a &>log; ./b", &["./a", "./b"]),
            ("cd x && ./a", &["./a@"]),
            ("./a || ./b", &["./a?", "./b"]),
            ("[ -x ./a ] && ./a", &["./a?"]),
            ("command -v jq && jq .", &["jq .?"]),
            (". ./lib.sh", &["sh ./lib.sh"]),
            ("set -e; export A=1; echo x", &[]),
            ("'./a' b", &[]),
            ("$X/a; ./b", &["./b"]),
            ("./a \"$X\" b", &["./a"]),
            ("./a; x=$(./b); ./c", &["./a"]),
            ("(./a)", &[]),
            ("f() { ./a; }; f", &[]),
            ("cat <<END\n./a\nEND", &["cat"]),
            ("for x in a b; do ./a; done", &[]),
            ("", &[]),
        ] {
            let expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }
}
