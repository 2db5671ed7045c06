//! The programs that a shell-string command starts, as far as reading it tells: what its simple
//! commands begin with, in subshells and command substitutions too. Stops at the first thing that
//! only a shell understands.

use super::runtimes;
use std::mem;

/// What Lambda sets for every function, so that its value is known.
pub const TASK_ROOT_REFERENCE: &str = "${LAMBDA_TASK_ROOT}";

/// The ways to write it in a shell.
const TASK_ROOT_REFERENCES: [&str; 4] =
    ["\"${LAMBDA_TASK_ROOT}\"", "\"$LAMBDA_TASK_ROOT\"", TASK_ROOT_REFERENCE, "$LAMBDA_TASK_ROOT"];

/// Most shells in a shell.
const MOST_NESTED: usize = 16;

/// A command of a shell string.
#[derive(Debug, PartialEq, Eq)]
pub struct SimpleCommand {
    /// From the program on, up to the first word that a shell would change.
    pub words: Vec<String>,
    /// Whether the string itself provides for its absence.
    pub is_guarded: bool,
    pub directory: WorkingDirectory,
}

/// The working directory of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkingDirectory {
    /// The one that the string started in.
    Start,
    /// An absolute path, or one that begins with the reference to the directory of the code.
    At(String),
    Unknown,
}

/// Words that a command may follow.
const BEFORE_COMMANDS: [&str; 10] =
    ["if", "then", "else", "elif", "while", "until", "do", "!", "{", "time"];

/// Words that begin what others end.
const OPENERS: [&str; 6] = ["if", "while", "until", "for", "select", "{"];

/// Words that end what others began.
const CLOSERS: [&str; 4] = ["fi", "done", "}", "esac"];

/// Words that stand before a name and a list of words.
const LOOPS: [&str; 2] = ["for", "select"];

/// Words whose grammar is another.
const COMPOUNDS: [&str; 3] = ["case", "function", "[["];

/// Programs and builtins that run what follows them.
const PREFIXES: [&str; 4] = ["exec", "command", "nohup", "builtin"];

/// A word as it is written, and what a shell makes of it, if that is known.
struct ShellWord<'t> {
    raw: &'t str,
    value: Option<String>,
}

/// One command, up to the operator that ends it.
struct ParsedCommand<'t> {
    words: Vec<ShellWord<'t>>,
    end: &'static str,
    /// Whether it could be read up to that.
    is_whole: bool,
    /// What runs in its substitutions, or in the subshell that it is.
    inner: Vec<SimpleCommand>,
}

impl ParsedCommand<'_> {
    /// Says that it goes on as nobody can read: something may provide there for what is missing
    /// inside.
    fn cut_off(self) -> Self {
        Self { is_whole: false, inner: Vec::new(), ..self }
    }
}

/// Walks over a text.
struct ShellParser<'t> {
    rest: &'t str,
    asks_before: bool,
    depth: usize,
}

pub fn commands(text: &str) -> Vec<SimpleCommand> {
    let asks_before = ["[ ", "test ", "command -v", "which ", "type ", "hash "]
        .iter()
        .any(|what| text.contains(what));
    let mut found = Vec::new();
    ShellParser { rest: text, asks_before, depth: 0 }.list(WorkingDirectory::Start, &mut found);
    found
}

impl<'t> ShellParser<'t> {
    /// Reads commands to the end of the text or, in parentheses, past the one that closes them;
    /// whether all was read.
    fn list(&mut self, mut directory: WorkingDirectory, found: &mut Vec<SimpleCommand>) -> bool {
        let mut open = 0_usize;
        let mut before = "";
        loop {
            let taken = self.simple(&directory);
            let first = taken.words.first().map(|word| word.raw);
            let is_condition = matches!(first, Some("if" | "while" | "until" | "elif" | "!"));
            let is_guarded = self.asks_before || is_condition || taken.end == "||";
            found.extend(taken.inner.into_iter().map(|inner| {
                let is_guarded = is_guarded || inner.is_guarded;
                SimpleCommand { is_guarded, ..inner }
            }));
            open += taken
                .words
                .iter()
                .take_while(|word| is_before_command(word.raw) || is_loop(word.raw))
                .fold(0, |open, word| open + usize::from(OPENERS.contains(&word.raw)));
            let words = taken.words.into_iter().skip_while(|word| {
                is_before_command(word.raw)
                    || PREFIXES.contains(&word.raw)
                    || is_assignment(word.raw)
            });
            let mut plain: Vec<String> = words.map_while(|word| word.value).collect();
            let is_certain = open == 0
                && !matches!(before, "&&" | "||" | "|")
                && !matches!(taken.end, "|" | "&");
            match plain.first().map(String::as_str) {
                None => {}
                Some(word) if COMPOUNDS.contains(&word) => return false,
                Some(word) if is_loop(word) => {}
                Some("cd") if is_certain => directory = changed(&plain),
                Some("cd" | "pushd" | "popd" | "eval") => directory = WorkingDirectory::Unknown,
                Some("." | "source") if plain.len() > 1 => {
                    "sh".clone_into(&mut plain[0]);
                    found.push(SimpleCommand {
                        words: plain,
                        is_guarded,
                        directory: directory.clone(),
                    });
                }
                Some(word) if CLOSERS.contains(&word) => open = open.saturating_sub(1),
                Some(word) if runtimes::is_builtin(word) || word.starts_with('-') => {}
                Some(_) => found.push(SimpleCommand {
                    words: plain,
                    is_guarded,
                    directory: directory.clone(),
                }),
            }
            before = taken.end;
            match taken.end {
                _ if !taken.is_whole => return false,
                "" => return self.depth == 0,
                ")" => return self.depth > 0,
                _ => {}
            }
        }
    }

    /// Takes what stands in parentheses off the text, behind the one that opens them; whether it
    /// could be read.
    fn parentheses(
        &mut self,
        directory: &WorkingDirectory,
        found: &mut Vec<SimpleCommand>,
    ) -> bool {
        if self.depth == MOST_NESTED {
            return false;
        }
        self.depth += 1;
        let is_read = self.list(directory.clone(), found);
        self.depth -= 1;
        is_read
    }

    /// Takes one command off the text.
    fn simple(&mut self, directory: &WorkingDirectory) -> ParsedCommand<'t> {
        let mut taken =
            ParsedCommand { words: Vec::new(), end: "", is_whole: true, inner: Vec::new() };
        let mut is_redirected = false;
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            let rest = self.rest;
            let operator = ["&&", "||", ";", "|", "\n", "&", ")"]
                .into_iter()
                .find(|operator| rest.starts_with(operator));
            if let Some(operator) = operator.filter(|_| !rest.starts_with("&>")) {
                self.rest = &rest[operator.len()..];
                taken.end = operator;
                return taken;
            }
            if rest.is_empty() || rest.starts_with("<<") {
                taken.is_whole = rest.is_empty();
                return taken;
            }
            if rest.starts_with('#') {
                self.rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            if rest.starts_with(['<', '>']) || rest.starts_with("&>") {
                self.rest = rest.trim_start_matches(['<', '>', '&', '|']);
                is_redirected = true;
                continue;
            }
            let begins = taken.words.iter().all(|word| is_before_command(word.raw));
            if let Some(inside) = rest.strip_prefix('(').filter(|inside| !inside.starts_with('('))
                && begins
                && !is_redirected
            {
                self.rest = inside;
                if self.parentheses(directory, &mut taken.inner) {
                    continue;
                }
                return taken.cut_off();
            }
            let Some(word) = self.word(directory, &mut taken.inner) else { return taken.cut_off() };
            let is_descriptor = word.raw.bytes().all(|byte| byte.is_ascii_digit())
                && self.rest.starts_with(['<', '>']);
            if !mem::take(&mut is_redirected) && !is_descriptor {
                taken.words.push(word);
            }
        }
    }

    /// Takes the word off that the text begins with; none where a shell would begin something else.
    fn word(
        &mut self,
        directory: &WorkingDirectory,
        found: &mut Vec<SimpleCommand>,
    ) -> Option<ShellWord<'t>> {
        let text = self.rest;
        let mut quote = None;
        let mut escaped = false;
        while let Some(c) = self.rest.chars().next() {
            if let Some(inside) = self.rest.strip_prefix("$(")
                && quote != Some('\'')
                && !escaped
            {
                self.rest = inside;
                if inside.starts_with('(') || !self.parentheses(directory, found) {
                    return None;
                }
                continue;
            }
            match (c, quote) {
                _ if mem::take(&mut escaped) => {}
                ('\\', None | Some('"')) => escaped = true,
                ('`', None | Some('"')) => return None,
                (c, Some(open)) if c == open => quote = None,
                (_, Some(_)) => {}
                ('\'' | '"', None) => quote = Some(c),
                ('(', None) => return None,
                (' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | ')', None) => break,
                _ => {}
            }
            self.rest = &self.rest[c.len_utf8()..];
        }
        let raw = &text[..text.len() - self.rest.len()];
        quote.is_none().then(|| ShellWord { raw, value: value(raw) })
    }
}

/// What a shell makes of a word, where that is the same in every function.
fn value(raw: &str) -> Option<String> {
    let is_plain =
        |text: &str| text.chars().all(|c| c.is_alphanumeric() || "/._-+=:,@%{}[!".contains(c));
    if is_plain(raw) {
        return Some(raw.to_owned());
    }
    let quoted = |quote: char| {
        raw.strip_prefix(quote)?.strip_suffix(quote).filter(|inside| !inside.contains(quote))
    };
    if let Some(inside) = quoted('\'') {
        return Some(inside.to_owned());
    }
    let in_quotes = quoted('"').filter(|inside| !inside.contains(['\\', '`']));
    if let Some(inside) = in_quotes.filter(|inside| !inside.contains('$')) {
        return Some(inside.to_owned());
    }
    TASK_ROOT_REFERENCES.iter().find_map(|reference| {
        let rest = in_quotes.unwrap_or(raw).strip_prefix(reference)?;
        (is_plain(rest) && (rest.is_empty() || rest.starts_with('/')))
            .then(|| format!("{TASK_ROOT_REFERENCE}{rest}"))
    })
}

/// Where a `cd` leads.
fn changed(words: &[String]) -> WorkingDirectory {
    match words {
        [_, to] if to.starts_with(TASK_ROOT_REFERENCE) || to.starts_with('/') => {
            WorkingDirectory::At(to.clone())
        }
        _ => WorkingDirectory::Unknown,
    }
}

fn is_before_command(word: &str) -> bool {
    BEFORE_COMMANDS.contains(&word)
}

fn is_loop(word: &str) -> bool {
    LOOPS.contains(&word)
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands, one a line, with `?` behind a guarded one and `@` behind one that runs
    /// elsewhere.
    fn shown(text: &str) -> Vec<String> {
        let mark = |simple: &SimpleCommand| {
            let guarded = if simple.is_guarded { "?" } else { "" };
            let elsewhere = match &simple.directory {
                WorkingDirectory::Start => "",
                WorkingDirectory::At(directory) => &format!("@{directory}"),
                WorkingDirectory::Unknown => "@",
            };
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
            ("'./a' b", &["./a b"]),
            ("./'a' b", &[]),
            ("$X/a; ./b", &["./b"]),
            ("./a \"$X\" b", &["./a"]),
            ("./a; x=$(./b); ./c", &["./a", "./b", "./c"]),
            ("x=$(cd y; ./b | ./c) ./d", &["./b@", "./c@", "./d"]),
            ("x=\"$(./b \")\") $(./c)\" ./d", &["./b )", "./c", "./d"]),
            ("x=$(./b) || true", &["./b?"]),
            ("x=$((1 + 2)); ./a", &[]),
            ("(./a)", &["./a"]),
            ("(cd /x && ./a); ./b", &["./a@/x", "./b"]),
            ("(./a; (./b)) && ./c", &["./a", "./b", "./c"]),
            ("(./a", &[]),
            ("x=$(./a; [[ y ]]) || true", &[]),
            ("./a <(./b); ./c", &["./a"]),
            ("./a) ./b", &["./a"]),
            ("sh -c './a; ./b' c", &["sh -c ./a; ./b c"]),
            ("cd $LAMBDA_TASK_ROOT && ./a", &["./a@${LAMBDA_TASK_ROOT}"]),
            ("cd \"${LAMBDA_TASK_ROOT}\"/x; ./a", &["./a@${LAMBDA_TASK_ROOT}/x"]),
            ("./b && cd /x; ./a", &["./b", "./a@"]),
            ("if ./b; then cd /x; fi; ./a", &["./b?", "./a@"]),
            ("if true; then ./b; fi; cd /x; ./a", &["./b", "./a@/x"]),
            ("${LAMBDA_TASK_ROOT}/m.sh --x", &["${LAMBDA_TASK_ROOT}/m.sh --x"]),
            ("\"$LAMBDA_TASK_ROOT/m.sh\" $X", &["${LAMBDA_TASK_ROOT}/m.sh"]),
            ("$LAMBDA_TASK_ROOTS/m.sh", &[]),
            ("A=\"x y\" ./a", &["./a"]),
            ("f() { ./a; }; f", &[]),
            ("cat <<END\n./a\nEND", &["cat"]),
            ("for x in a b; do ./a $x; done; ./b", &["./a", "./b"]),
            ("for ((;;)); do ./a; done", &[]),
            ("case $x in a) ./a;; esac", &[]),
            ("", &[]),
        ] {
            let expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }
}
