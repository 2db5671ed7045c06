//! The edits of the arguments, and of the entry that receives them.

use super::{CommandLine, Interpreter, Kind, Word};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

impl CommandLine {
    /// Removes the arguments that match.
    pub fn remove_arguments(&mut self, matches: impl Fn(&OsStr) -> bool) {
        self.after.retain(|word| word.kind != Kind::Argument || !matches(&word.text));
    }

    /// Replaces arguments, each as a whole, where `with` has a text for it.
    pub fn replace_arguments(&mut self, with: impl Fn(&OsStr) -> Option<OsString>) {
        self.replace(|kind| kind == Kind::Argument, with);
    }

    /// Inserts arguments before all others.
    pub fn prepend_arguments(&mut self, arguments: Vec<OsString>) {
        let first = self.after.iter().position(|word| word.kind == Kind::Argument);
        let at = first.unwrap_or(self.after.len());
        self.after.splice(at..at, as_arguments(arguments));
    }

    /// Adds arguments behind all others.
    pub fn append_arguments(&mut self, arguments: Vec<OsString>) {
        self.after.extend(as_arguments(arguments));
    }

    /// Replaces the entry, but not what is joined in front of it; without an entry nothing happens.
    pub fn set_entry(&mut self, entry: OsString) {
        for word in &mut self.after {
            if let Kind::Entry { joined } = word.kind {
                let mut text = word.text.as_bytes()[..joined].to_vec();
                text.extend(entry.as_bytes());
                word.text = OsString::from_vec(text);
                return;
            }
        }
    }

    /// Where options may follow the entry (`node -e CODE`), an edit can bring an argument that
    /// looks like one to the front; `--` keeps it an argument.
    pub(super) fn close_options(&mut self) {
        let argument = self.after.iter().position(|word| word.kind == Kind::Argument);
        let Some((first, leading)) = argument.map(|first| (first, &self.after[..first])) else {
            return;
        };
        let continued = matches!(self.interpreter, Some(Interpreter::Node | Interpreter::Ruby))
            && matches!(
                leading,
                [Word { kind: Kind::Introduction | Kind::Entry { joined: 1.. }, .. }, ..]
            )
            && leading.iter().all(|word| word.kind != Kind::EndOfOptions);
        if continued && matches!(self.after[first].text.as_bytes(), [b'-', _, ..]) {
            self.after.insert(first, Word::new(Kind::EndOfOptions, "--".into()));
        }
    }
}

fn as_arguments(texts: Vec<OsString>) -> impl Iterator<Item = Word> {
    texts.into_iter().map(|text| Word::new(Kind::Argument, text))
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
    fn an_argument_behind_code_does_not_become_an_option() {
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
    fn the_entry_keeps_what_is_joined_in_front_of_it() {
        let edit = |line: &mut CommandLine| line.set_entry("new".into());
        edited("python3 -mapp x", edit, "python3 -mnew x");
        edited("python3 -Im app app", edit, "python3 -Im new app");
        edited("java --module=a/b x", edit, "java --module=new x");
        edited("java -jar -Xmx64m a.jar", edit, "java -jar -Xmx64m new");
        edited("node", edit, "node");
        edited("app x", edit, "app x");
    }
}
