//! Edits of the entry and of its arguments.

use super::{CommandLine, Interpreter, Word, WordKind};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

impl CommandLine {
    /// Removes the arguments that match.
    pub fn remove_arguments(&mut self, matches: impl Fn(&OsStr) -> bool) {
        self.after.retain(|word| word.kind != WordKind::Argument || !matches(&word.text));
    }

    /// Replaces each argument for which `with` returns another.
    pub fn replace_arguments(&mut self, with: impl Fn(&OsStr) -> Option<OsString>) {
        self.replace(|kind| kind == WordKind::Argument, with);
    }

    /// Inserts arguments before all others.
    pub fn prepend_arguments(&mut self, arguments: Vec<OsString>) {
        let first = self.after.iter().position(|word| word.kind == WordKind::Argument);
        let at = first.unwrap_or(self.after.len());
        self.after.splice(at..at, to_argument_words(arguments));
    }

    /// Adds arguments after all others.
    pub fn append_arguments(&mut self, arguments: Vec<OsString>) {
        self.after.extend(to_argument_words(arguments));
    }

    /// Replaces the entry, but not an introduction that is joined to it. Without an entry, does
    /// nothing.
    pub fn set_entry(&mut self, entry: &OsStr) {
        for word in &mut self.after {
            if let WordKind::Entry { joined } = word.kind {
                let mut text = word.text.as_bytes()[..joined].to_vec();
                text.extend(entry.as_bytes());
                word.text = OsString::from_vec(text);
                return;
            }
        }
    }

    /// Inserts `--` before the first argument where the interpreter would take it for an option:
    /// after code (`node -e CODE`), and if it begins with `-`. An edit can bring such an argument
    /// there.
    pub(super) fn close_options(&mut self) {
        let argument = self.after.iter().position(|word| word.kind == WordKind::Argument);
        let Some((first, leading)) = argument.map(|first| (first, &self.after[..first])) else {
            return;
        };
        let continued = matches!(self.interpreter, Some(Interpreter::Node | Interpreter::Ruby))
            && matches!(
                leading,
                [Word { kind: WordKind::Introduction | WordKind::Entry { joined: 1.. }, .. }, ..]
            )
            && leading.iter().all(|word| word.kind != WordKind::EndOfOptions);
        if continued && matches!(self.after[first].text.as_bytes(), [b'-', _, ..]) {
            self.after.insert(first, Word::new(WordKind::EndOfOptions, "--".into()));
        }
    }
}

fn to_argument_words(texts: Vec<OsString>) -> impl Iterator<Item = Word> {
    texts.into_iter().map(|text| Word::new(WordKind::Argument, text))
}

#[cfg(test)]
mod tests {
    use crate::command_line::CommandLine;
    use crate::command_line::tests::{edited, replacement, split};

    #[test]
    fn arguments_are_edited() {
        let edit = |line: &mut CommandLine| {
            line.remove_arguments(|word| word == "x");
            line.replace_arguments(replacement("y", "z"));
            line.prepend_arguments(split("1 2"));
            line.prepend_arguments(split("0"));
            line.append_arguments(split("3"));
        };
        edited("python3 -X y app.py x y -x", edit, "python3 -X y app.py 0 1 2 z -x 3");
        edited("app x y", edit, "app 0 1 2 z 3");
        edited("node -e y -- x y", edit, "node -e y -- 0 1 2 z 3");
    }

    #[test]
    fn argument_after_code_does_not_become_an_option() {
        let prepend = |line: &mut CommandLine| line.prepend_arguments(split("-x"));
        edited("node -e a b", prepend, "node -e a -- -x b");
        edited("node --eval=a -r b", prepend, "node --eval=a -r b -- -x");
        edited("ruby -ne a", prepend, "ruby -ne a -- -x");
        edited("ruby -e a -- b", prepend, "ruby -e a -- -x b");
        edited("node app.js b", prepend, "node app.js -x b");
        edited("node -- app.js b", prepend, "node -- app.js -x b");
        edited("python3 -c a b", prepend, "python3 -c a -x b");
        edited(
            "node -e a b -x",
            |line| line.remove_arguments(|word| word == "b"),
            "node -e a -- -x",
        );
    }

    #[test]
    fn entry_keeps_its_joined_introduction() {
        let edit = |line: &mut CommandLine| line.set_entry("new".as_ref());
        edited("python3 -mapp x", edit, "python3 -mnew x");
        edited("python3 -Im app app", edit, "python3 -Im new app");
        edited("java --module=a/b x", edit, "java --module=new x");
        edited("java -jar -Xmx64m a.jar", edit, "java -jar -Xmx64m new");
        edited("node", edit, "node");
        edited("app x", edit, "app x");
    }
}
