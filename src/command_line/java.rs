//! The grammar of Java: `java [option]... MAINCLASS | -jar JAR | -m MODULE | FILE.java
//! [argument]...`, with argument files, which the `java` launcher expands. Sources: java(1),
//! sections "Synopsis" and "java Command-Line Argument Files"
//! (<https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html>), and `java.c` and
//! `args.c` of the launcher (<https://github.com/openjdk/jdk>), JDK 11 to 25.

mod argument_file;

use super::grammar::contains;
use super::{Expansion, Word, WordKind};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// Options that take the next word as their value.
pub(super) const WITH_VALUE: &[&str] = &[
    "--add-exports",
    "--add-modules",
    "--add-opens",
    "--add-reads",
    "--class-path",
    "--describe-module",
    "--enable-native-access",
    "--limit-modules",
    "--module-path",
    "--patch-module",
    "--source",
    "--upgrade-module-path",
    "-classpath",
    "-cp",
    "-d",
    "-p",
];

/// Parses options on their own. Argument files stay as they are.
pub(super) fn parse(options: Vec<OsString>) -> Vec<Word> {
    expand(options, |_| Err(io::ErrorKind::Unsupported.into())).0
}

/// Parses the words after `java`. An argument file with complete options only stays one option. A
/// file that has the entry or its introduction, or that begins or ends between an option and its
/// value, is replaced by its words.
pub(super) fn expand(
    arguments: Vec<OsString>,
    read: impl Fn(&OsStr) -> io::Result<Vec<u8>>,
) -> (Vec<Word>, Option<Expansion>) {
    let mut words: Vec<Word> = Vec::with_capacity(arguments.len());
    let mut received = None;
    let mut launcher = JavaLauncher::default();
    let mut arguments = arguments.into_iter();
    while let Some(text) = arguments.next() {
        let content = match launcher.argument_file(&text).map(&read) {
            None => {
                words.push(launcher.argument(text));
                continue;
            }
            Some(Err(_)) => {
                words.push(Word::new(WordKind::Option, text));
                continue;
            }
            Some(Ok(content)) => content,
        };
        let inside_value = launcher.expects_value;
        let contents: Vec<Word> = argument_file::split(&content)
            .into_iter()
            .map(|word| launcher.word_of_file(word))
            .collect();
        let mut kinds = contents.iter().map(|word| word.kind);
        let options_only = kinds.all(|kind| matches!(kind, WordKind::Option | WordKind::Value));
        if options_only && !inside_value && !launcher.expects_value {
            words.push(Word::new(WordKind::Option, text));
            continue;
        }
        received.get_or_insert_with(|| {
            let before = words.iter().map(|word| &word.text);
            before.chain([&text]).chain(arguments.as_slice()).cloned().collect()
        });
        words.extend(contents);
    }
    let expansion = received.map(|received| {
        let expanded = words.iter().map(|word| word.text.clone()).collect();
        Expansion { received, expanded }
    });
    (words, expansion)
}

/// The state of the `java` launcher, on which the meaning of the next word depends.
#[derive(Default)]
struct JavaLauncher {
    expects_value: bool,
    has_entry: bool,
    /// Set by `--disable-@files`, after which `@` has no meaning.
    is_at_literal: bool,
}

impl JavaLauncher {
    /// Returns the path of the argument file that a word names.
    fn argument_file<'a>(&self, word: &'a OsStr) -> Option<&'a OsStr> {
        match word.as_bytes() {
            [b'@', path @ ..] if self.expands(word) && path[0] != b'@' => {
                Some(OsStr::from_bytes(path))
            }
            _ => None,
        }
    }

    /// Parses a word of the command line, where `@@x` means `@x`.
    fn argument(&mut self, text: OsString) -> Word {
        let escaped = self.expands(&text);
        let kind = self.kind(&text);
        Word::new(if escaped { skip_escape(kind) } else { kind }, text)
    }

    /// Parses a word of an argument file, where `@` has no meaning, and escapes it for the command
    /// line.
    fn word_of_file(&mut self, text: OsString) -> Word {
        let escape = self.expands(&text);
        let kind = self.kind(&text);
        if !escape {
            return Word::new(kind, text);
        }
        let mut escaped = OsString::from("@");
        escaped.push(text);
        Word::new(skip_escape(kind), escaped)
    }

    /// Tells whether a word begins with an `@` that has a meaning. A single `@` has none.
    fn expands(&self, word: &OsStr) -> bool {
        !self.has_entry && !self.is_at_literal && matches!(word.as_bytes(), [b'@', _, ..])
    }

    /// Advances by a word and returns its kind.
    fn kind(&mut self, word: &OsStr) -> WordKind {
        let word = word.as_bytes();
        if self.has_entry {
            return WordKind::Argument;
        }
        if !word.starts_with(b"-") {
            self.has_entry = !std::mem::take(&mut self.expects_value);
            return if self.has_entry { WordKind::Entry { joined: 0 } } else { WordKind::Value };
        }
        self.expects_value = contains(WITH_VALUE, word);
        self.is_at_literal |= word == b"--disable-@files";
        if word.starts_with(MODULE) {
            self.has_entry = true;
            return WordKind::Entry { joined: MODULE.len() };
        }
        match word {
            b"-jar" | b"-m" | b"--module" => WordKind::Introduction,
            _ => WordKind::Option,
        }
    }
}

/// The introduction of a module that is joined to it.
const MODULE: &[u8] = b"--module=";

/// Moves the start of an entry behind the `@` that escapes it.
fn skip_escape(kind: WordKind) -> WordKind {
    match kind {
        WordKind::Entry { joined } => WordKind::Entry { joined: joined + 1 },
        kind => kind,
    }
}

#[cfg(test)]
mod tests {
    use crate::command_line::CommandLine;
    use crate::command_line::tests::{check, text};
    use std::ffi::OsStr;
    use std::io;

    #[test]
    fn options_are_inserted_before_the_entry_and_its_introduction() {
        check(&[
            "/var/lang/bin/java < -XX:MaxHeapSize=1k -Dx=y -classpath a.jar:b.jar > \
             [lambdainternal.AWSLambda]",
            "java < -cp ./* > [com.example.Main] p.C::m -cp x",
            "java < -Xmx64m > -jar [a.jar] -jar",
            "java < > -jar -Xmx64m -cp x [a.jar] -x",
            "java < -p mods > -m [a/b.C] -m",
            "java < --module-path=mods > --module [a/b.C] x",
            "java < -p mods > --module=[a/b.C] -x",
            "java < --add-opens a/b=C --add-opens=a/b=C > [A]",
            "java < --source 17 > [A.java] x",
            "java < @missing -cp a > [A] @b",
            "java < -cp @@dir > [A] @@b",
            "java < > @[@A] x",
            "java < --disable-@files > [@A] x",
            "java < > [@]",
            "java < >",
            "java < > -version",
            "java < > -jar",
        ]);
    }

    #[test]
    fn argument_file_is_replaced_by_its_words_only_where_needed() {
        let rows = [
            ("java @options A @options", "java + @options ++ A @options"),
            ("java @options @entry x", "java + @options -cp @@d ++ -jar a.jar @b x"),
            ("java @cp a.jar A", "java + -Dx -cp a.jar ++ A"),
            ("java -cp @value A", "java + -cp classes ++ A"),
            ("java -cp @value-and-entry x", "java + -cp classes ++ A @y x"),
            ("java @jar a.jar @b", "java + -Xmx64m ++ -jar a.jar @b"),
            ("java @off @entry", "java + @off ++ @entry"),
            ("java @off-entry @x", "java + --disable-@files -cp @d ++ @A @x"),
            ("java --disable-@files @entry", "java + --disable-@files ++ @entry"),
        ];
        let read = |path: &OsStr| match path.to_str() {
            Some("options") => Ok(b"-Dx -Xmx64m # -cp".to_vec()),
            Some("entry") => Ok(b"-cp @d\n-jar a.jar @b".to_vec()),
            Some("cp") => Ok(b"-Dx -cp".to_vec()),
            Some("value") => Ok(b"classes\n".to_vec()),
            Some("value-and-entry") => Ok(b"classes A @y".to_vec()),
            Some("jar") => Ok(b"-Xmx64m -jar".to_vec()),
            Some("off") => Ok(b"--disable-@files".to_vec()),
            Some("off-entry") => Ok(b"--disable-@files -cp @d @A".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        for (received, edited) in rows {
            let words: Vec<_> = received.split(' ').skip(1).map(Into::into).collect();
            let mut command_line = CommandLine::parse("java".into(), words, read);
            assert_eq!(text(command_line.clone()), received);
            command_line.prepend_options(vec!["+".into()]);
            command_line.append_options(vec!["++".into()]);
            assert_eq!(text(command_line), edited, "{received}");
        }
    }
}
