//! The parts of a command line, for the tool: its words by their meaning to the interpreter.

use super::{CommandLine, Interpreter, Word, WordKind, parse_words};
use std::ffi::OsString;

/// The words after the program, in their order within each part.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts {
    /// The words of a launcher, up to the interpreter that it starts.
    pub launched: Vec<OsString>,
    pub options: Vec<OsString>,
    /// The entry, with its introduction, such as `-m` or `-jar`.
    pub entry: Vec<OsString>,
    pub arguments: Vec<OsString>,
}

impl CommandLine {
    /// Returns the index of the entry among the words after the program, if the entry is a file:
    /// not code, a module or a main class.
    pub fn entry_file_index(&self) -> Option<usize> {
        let words: Vec<_> = self.before.iter().chain(&self.after).collect();
        let at = words.iter().position(|word| matches!(word.kind, WordKind::Entry { .. }))?;
        let is_introduced = words[..at].iter().any(|word| word.kind == WordKind::Introduction);
        let ends_in = |end: &[u8]| words[at].text.as_encoded_bytes().ends_with(end);
        let is_file = match self.interpreter? {
            Interpreter::Java => {
                words[..at].iter().any(|word| word.text == "-jar") || ends_in(b".java")
            }
            Interpreter::Dotnet => ends_in(b".dll"),
            Interpreter::Python | Interpreter::Node | Interpreter::Ruby => !is_introduced,
        };
        (is_file && words[at].kind == WordKind::Entry { joined: 0 }).then_some(at)
    }

    /// Returns the parts of the command line that the interpreter gets.
    pub fn parts(&self) -> Parts {
        let mut line = self.clone();
        line.close_options();
        let all: Vec<Word> = line.before.into_iter().chain(line.after).collect();
        // A command line without edits still has its argument files.
        let all = match &self.expansion {
            Some(expansion) if all.iter().map(|word| &word.text).eq(&expansion.expanded) => {
                let mut received = expansion.received.clone();
                let behind = received
                    .split_off(all.iter().filter(|word| word.kind == WordKind::Launcher).count());
                let launching =
                    received.into_iter().map(|text| Word::new(WordKind::Launcher, text));
                launching.chain(parse_words(Some(Interpreter::Java), behind)).collect()
            }
            _ => all,
        };
        let mut parts = Parts {
            launched: Vec::new(),
            options: Vec::new(),
            entry: Vec::new(),
            arguments: Vec::new(),
        };
        for word in all {
            let part = match word.kind {
                WordKind::Launcher => &mut parts.launched,
                WordKind::Subcommand | WordKind::Option | WordKind::Value => &mut parts.options,
                WordKind::Introduction | WordKind::EndOfOptions | WordKind::Entry { .. } => {
                    &mut parts.entry
                }
                WordKind::Argument => &mut parts.arguments,
            };
            part.push(word.text);
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use crate::command_line::CommandLine;
    use crate::command_line::tests::{parse, split};
    use std::ffi::OsStr;

    #[test]
    fn each_word_is_in_one_part() {
        for (line, options, entry, arguments) in [
            ("python3 -X dev -m app -x y", "-X dev", "-m app", "-x y"),
            ("python3 -Im app app", "", "-Im app", "app"),
            ("node --expose-gc -r ./a.js app.mjs -x", "--expose-gc -r ./a.js", "app.mjs", "-x"),
            ("ruby -e a -W0 -- x", "-W0", "-e a --", "x"),
            ("java -jar -Xmx64m a.jar x", "-Xmx64m", "-jar a.jar", "x"),
            ("dotnet exec --depsfile a a.dll A::T::M", "exec --depsfile a", "a.dll", "A::T::M"),
            ("app -x", "", "", "-x"),
        ] {
            let parts = parse(line).parts();
            assert_eq!(
                (parts.options, parts.entry, parts.arguments),
                (split(options), split(entry), split(arguments))
            );
        }
    }

    #[test]
    fn entry_that_is_a_file_has_an_index() {
        for (line, expected) in [
            ("python3 -u -X dev ./x.py a", Some(3)),
            ("python3 -- x.py", Some(1)),
            ("python3 -m x", None),
            ("python3 -c x", None),
            ("node --require ./a.js app.js", Some(2)),
            ("node -e 1 x", None),
            ("node -p x", None),
            ("ruby -w -I lib x.rb", Some(3)),
            ("ruby -e 1 x.rb", None),
            ("java -Xmx64m -jar a.jar x", Some(2)),
            ("java -cp a Main", None),
            ("java Main.java", Some(0)),
            ("dotnet exec a.dll", Some(1)),
            ("python3", None),
            ("app x", None),
        ] {
            assert_eq!(parse(line).entry_file_index(), expected, "{line}");
        }
    }

    #[test]
    fn words_of_a_launcher_are_a_part() {
        let parts = parse("timeout 5 python3 -u app.py x").parts();
        assert_eq!(
            (parts.launched, parts.options, parts.entry),
            (split("5 python3"), split("-u"), split("app.py"))
        );
        let read = |_: &OsStr| Ok(b"-cp a Main".to_vec());
        let parts = CommandLine::parse("timeout".into(), split("5 java @file x"), read).parts();
        assert_eq!(
            (parts.launched, parts.options, parts.entry),
            (split("5 java"), split("@file"), split("x"))
        );
    }

    #[test]
    fn inserted_end_of_options_is_part_of_the_entry() {
        let mut line = parse("node -e a b");
        line.prepend_arguments(split("-x"));
        assert_eq!(line.parts().entry, split("-e a --"));
    }

    #[test]
    fn argument_file_is_one_option_until_an_edit_replaces_it() {
        let read = |_: &OsStr| Ok(b"-cp a Main x".to_vec());
        let mut line = CommandLine::parse("java".into(), split("@file y"), read);
        let parts = line.parts();
        assert_eq!((parts.options, parts.entry), (split("@file"), split("y")));
        line.append_options(split("-Da"));
        let parts = line.parts();
        assert_eq!(
            (parts.options, parts.entry, parts.arguments),
            (split("-cp a -Da"), split("Main"), split("x y"))
        );
    }
}
