//! A command line for one who reads it: what will be passed on, by what the interpreter takes each
//! word for. Only the tool asks.

use super::{CommandLine, Interpreter, Kind, Word, words};
use std::ffi::OsString;

/// The words behind the program; in each part in their order.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts {
    /// The words of a launcher, up to the interpreter that it starts.
    pub launched: Vec<OsString>,
    pub options: Vec<OsString>,
    /// With what introduces it, such as `-m` or `-jar`.
    pub entry: Vec<OsString>,
    pub arguments: Vec<OsString>,
}

impl CommandLine {
    /// Where the file stands that is the entry, among the words behind the program; none for code,
    /// a module, or a main class.
    pub fn file(&self) -> Option<usize> {
        let words: Vec<_> = self.before.iter().chain(&self.after).collect();
        let at = words.iter().position(|word| matches!(word.kind, Kind::Entry { .. }))?;
        let is_introduced = words[..at].iter().any(|word| word.kind == Kind::Introduction);
        let ends_in = |end: &[u8]| words[at].text.as_encoded_bytes().ends_with(end);
        let is_file = match self.interpreter? {
            Interpreter::Java => {
                words[..at].iter().any(|word| word.text == "-jar") || ends_in(b".java")
            }
            Interpreter::Dotnet => ends_in(b".dll"),
            Interpreter::Python | Interpreter::Node | Interpreter::Ruby => !is_introduced,
        };
        (is_file && words[at].kind == Kind::Entry { joined: 0 }).then_some(at)
    }

    pub fn parts(&self) -> Parts {
        let mut line = self.clone();
        line.close_options();
        let all: Vec<Word> = line.before.into_iter().chain(line.after).collect();
        // What is passed on as it was received still has its argument files.
        let all = match &self.expansion {
            Some(expansion) if all.iter().map(|word| &word.text).eq(&expansion.expanded) => {
                let mut received = expansion.received.clone();
                let behind = received
                    .split_off(all.iter().filter(|word| word.kind == Kind::Launcher).count());
                let launching = received.into_iter().map(|text| Word::new(Kind::Launcher, text));
                launching.chain(words(Some(Interpreter::Java), behind)).collect()
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
                Kind::Launcher => &mut parts.launched,
                Kind::Subcommand | Kind::Option | Kind::Value => &mut parts.options,
                Kind::Introduction | Kind::EndOfOptions | Kind::Entry { .. } => &mut parts.entry,
                Kind::Argument => &mut parts.arguments,
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
    fn every_word_is_in_one_part() {
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
    fn the_file_is_known_that_an_interpreter_reads() {
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
            assert_eq!(parse(line).file(), expected, "{line}");
        }
    }

    #[test]
    fn the_words_of_a_launcher_are_a_part() {
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
    fn what_foreword_adds_is_in_them_too() {
        let mut line = parse("node -e a b");
        line.prepend_arguments(split("-x"));
        assert_eq!(line.parts().entry, split("-e a --"));
    }

    #[test]
    fn an_argument_file_has_its_words_only_where_they_are_passed_on() {
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
