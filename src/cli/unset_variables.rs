//! Unset variables in the texts of a configuration: legal, expanded to nothing, and seldom
//! intended.

use crate::config::{Command, Edit, Hook, Rule, Secret, SecretSource, WordEdits, Wrapper};
use crate::environ::Environ;
use crate::template::Template;

/// An unset variable that a text refers to.
#[derive(Clone, PartialEq, Eq)]
pub struct UnsetVariable {
    pub place: String,
    /// The key of the text, unless the place is the text's own.
    pub key: Option<&'static str>,
    pub name: String,
}

impl UnsetVariable {
    /// Finds them in an edit; an edit that keeps the value it found does not expand its default.
    pub fn in_edit(edit: &Edit, place: &str, environ: &Environ, is_kept: bool) -> Vec<Self> {
        match edit {
            Edit::Default(_) if is_kept => Vec::new(),
            _ => of(edit.texts(), place, None, environ),
        }
    }

    /// Finds them in the texts of a rule that see the final environment.
    pub fn in_rule(rule: &Rule, environ: &Environ) -> Vec<Self> {
        let Rule {
            place,
            when: _,
            secrets: _,
            secrets_timeout: _,
            resolves_references: _,
            env: _,
            options,
            arguments,
            entry,
            program,
            prefix,
            wrappers: _,
            hooks: _,
            rules: _,
        } = rule;
        let place = place.to_string();
        let of = |key, texts: Vec<&Template>| of(texts, &place, Some(key), environ);
        [
            of("options", words(options)),
            of("arguments", words(arguments)),
            of("entry", entry.iter().collect()),
            of("program", program.iter().collect()),
            of("prefix", prefix.iter().collect()),
        ]
        .concat()
    }

    /// Finds them in the references to secrets, which see the environment that Lambda handed over.
    pub fn in_secrets(rule: &Rule, environ: &Environ) -> Vec<Self> {
        let of_secret = |secret: &Secret| {
            let Secret { place, name: _, source } = secret;
            let (SecretSource::Reference(text) | SecretSource::Path(text)) = source;
            of(vec![text], &place.to_string(), None, environ)
        };
        rule.secrets.iter().flat_map(of_secret).collect()
    }

    pub fn in_wrapper(wrapper: &Wrapper, environ: &Environ) -> Vec<Self> {
        let Wrapper { place, path, name: _, when: _, env: _, is_last: _ } = wrapper;
        of(vec![path], &place.to_string(), None, environ)
    }

    /// Finds them in the texts of a hook, which see its own environment.
    pub fn in_hook(hook: &Hook, environ: &Environ) -> Vec<Self> {
        let Hook {
            place,
            phase: _,
            name: _,
            command,
            env: _,
            cwd,
            timeout: _,
            on_failure: _,
            when: _,
            export: _,
            wait_for,
            attempts: _,
            pause: _,
            background: _,
        } = hook;
        let place = place.to_string();
        let (key, texts) = match command {
            Command::Words(words) => ("command", words.iter().collect()),
            Command::Http(request) => ("http", vec![request]),
            Command::Shell(_) | Command::Nothing => ("command", Vec::new()),
        };
        let keys =
            [("wait_for", wait_for.iter().collect()), (key, texts), ("cwd", cwd.iter().collect())];
        keys.into_iter().flat_map(|(key, texts)| of(texts, &place, Some(key), environ)).collect()
    }
}

fn words<'e>(edits: &'e WordEdits<'e>) -> Vec<&'e Template<'e>> {
    let WordEdits { remove, replace, values, prepend, append } = edits;
    let replace = replace.iter().flat_map(|(from, to)| [from, to]);
    let values = values.iter().flat_map(|(_, edit)| edit.texts());
    remove.iter().chain(replace).chain(values).chain(prepend).chain(append).collect()
}

fn of(
    texts: Vec<&Template>,
    place: &str,
    key: Option<&'static str>,
    environ: &Environ,
) -> Vec<UnsetVariable> {
    let mut all = Vec::new();
    for name in texts.into_iter().flat_map(|text| text.unset_variables(environ)) {
        let unset = UnsetVariable { place: place.into(), key, name: name.into() };
        if !all.contains(&unset) {
            all.push(unset);
        }
    }
    all
}
