//! Hints about what is legal in a rule and probably a mistake. `check` and `plan` both show them;
//! the wrapper never looks for them.

mod expansion;
mod joined_options;
mod shell_syntax;
mod switch_conditions;
pub mod unmatched_edits;
mod unread_files;

pub use unread_files::{find_unread_files, is_other_format, unread_file_message};

use crate::config::inspect::Step;
use crate::config::{Command, Document, EnvEdit, Place, Rule, SecretSource, WordEdits};
use crate::environ::is_secret_name;
use crate::template::Template;

pub struct Hint<'r> {
    pub place: Place<'r>,
    pub message: String,
}

/// A string of a rule and its place.
struct ConfigString<'r> {
    place: Place<'r>,
    text: &'r Template<'r>,
    /// True if it names a file or a directory.
    is_path: bool,
}

/// Returns the hints about a rule, without those about the rules in it.
pub fn of_rule<'r>(document: &'r Document<'r>, rule: &'r Rule<'r>) -> Vec<Hint<'r>> {
    let mut hints = Vec::new();
    let mut add = |place, messages: Vec<String>| {
        hints.extend(messages.into_iter().map(|message| Hint { place, message }));
    };
    for found in texts(document, rule) {
        add(found.place, expansion::unexpanded_syntax(found.text.written(), found.is_path));
    }
    for (name, list) in [("prepend", &rule.options.prepend), ("append", &rule.options.append)] {
        for (index, text) in list.iter().enumerate() {
            let steps = [Step::Member("options"), Step::Member(name), Step::Item(index)];
            add(
                document.inside(rule.place, &steps),
                joined_options::joined_option(text.written()).into_iter().collect(),
            );
        }
    }
    for hook in &rule.hooks {
        if let Command::Words(words) = &hook.command {
            for (index, message) in shell_syntax::shell_syntax_in(words) {
                add(
                    document.inside(hook.place, &[Step::Member("command"), Step::Item(index)]),
                    vec![message],
                );
            }
        }
    }
    for (key, text) in [("program", rule.program.as_ref()), ("prefix", rule.prefix.first())] {
        let message = text.and_then(|text| shell_syntax::space_in_program(text.written()));
        add(
            document.inside(rule.place, &[Step::Member(key), Step::First]),
            message.into_iter().collect(),
        );
    }
    for wrapper in &rule.wrappers {
        let message = shell_syntax::space_in_program(wrapper.path.written());
        add(document.inside(wrapper.place, &[Step::Member("path")]), message.into_iter().collect());
    }
    let conditions = [(rule.place, &rule.when)].into_iter();
    let conditions = conditions.chain(rule.hooks.iter().map(|hook| (hook.place, &hook.when)));
    for (place, when) in
        conditions.chain(rule.wrappers.iter().map(|wrapper| (wrapper.place, &wrapper.when)))
    {
        for (name, message) in switch_conditions::switches_taken_for_on(when) {
            let steps = [Step::Member("when"), Step::Member("env"), Step::Member(name)];
            add(document.inside(place, &steps), vec![message]);
        }
    }
    hints
}

/// Returns the strings of a rule in which `${NAME}` is expanded, except those that may be secrets.
fn texts<'r>(document: &'r Document<'r>, rule: &'r Rule<'r>) -> Vec<ConfigString<'r>> {
    let Rule {
        place,
        when,
        secrets,
        secrets_timeout: _,
        resolves_references: _,
        env,
        options,
        arguments,
        entry,
        program,
        prefix,
        wrappers,
        hooks,
        rules: _,
    } = rule;
    let mut texts = Vec::new();
    of_edits(env, &mut texts);
    for (key, edits) in [("options", options), ("arguments", arguments)] {
        of_words(document, rule, key, edits, &mut texts);
    }
    let found = |place, text, is_path| ConfigString { place, text, is_path };
    let inside = |place, key| document.inside(place, &[Step::Member(key)]);
    for secret in secrets {
        let (text, steps) = match &secret.source {
            SecretSource::Reference(text) => (text, &[][..]),
            SecretSource::Path(text) => (text, &[Step::Member("path")][..]),
        };
        texts.push(found(document.inside(secret.place, steps), text, false));
    }
    texts.extend(entry.iter().map(|text| found(inside(*place, "entry"), text, true)));
    texts.extend(program.iter().map(|text| found(inside(*place, "program"), text, true)));
    for (index, text) in prefix.iter().enumerate() {
        texts.push(found(
            document.inside(*place, &[Step::Member("prefix"), Step::Item(index)]),
            text,
            index == 0,
        ));
    }
    for (index, text) in when.file.iter().enumerate() {
        let steps = [Step::Member("when"), Step::Member("file"), Step::Item(index)];
        texts.push(found(document.inside(*place, &steps), text, true));
    }
    texts.extend(
        wrappers.iter().map(|wrapper| found(inside(wrapper.place, "path"), &wrapper.path, true)),
    );
    for hook in hooks {
        of_edits(&hook.env, &mut texts);
        texts.extend(hook.cwd.iter().map(|text| found(inside(hook.place, "cwd"), text, true)));
        if let Command::Words(words) = &hook.command
            && !shell_syntax::runs_shell(words)
        {
            for (index, text) in words.iter().enumerate() {
                let place =
                    document.inside(hook.place, &[Step::Member("command"), Step::Item(index)]);
                texts.push(found(place, text, index == 0));
            }
        }
    }
    texts
}

fn of_edits<'r>(edits: &'r [EnvEdit<'r>], texts: &mut Vec<ConfigString<'r>>) {
    for edit in edits.iter().filter(|edit| !is_secret_name(edit.name.as_bytes())) {
        let found = |text| ConfigString { place: edit.place, text, is_path: false };
        texts.extend(edit.edit.texts().into_iter().map(found));
    }
}

fn of_words<'r>(
    document: &'r Document<'r>,
    rule: &'r Rule<'r>,
    key: &'static str,
    edits: &'r WordEdits<'r>,
    texts: &mut Vec<ConfigString<'r>>,
) {
    let inside =
        |name, step| document.inside(rule.place, &[Step::Member(key), Step::Member(name), step]);
    let WordEdits { remove, replace, values, prepend, append } = edits;
    for (name, list) in [("remove", remove), ("prepend", prepend), ("append", append)] {
        let found = |(index, text)| ConfigString {
            place: inside(name, Step::Item(index)),
            text,
            is_path: false,
        };
        texts.extend(list.iter().enumerate().map(found));
    }
    for (from, to) in replace {
        let place = inside("replace", Step::Member(from.written()));
        texts.extend([from, to].map(|text| ConfigString { place, text, is_path: false }));
    }
    for (name, edit) in values {
        let place = inside("values", Step::Member(name));
        texts.extend(edit.texts().into_iter().map(|text| ConfigString {
            place,
            text,
            is_path: false,
        }));
    }
}
