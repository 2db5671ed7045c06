//! Why a condition does not hold, in words. Only the tool asks; the wrapper wants to know no more
//! than whether.

use super::{EnvTest, Facts, When};
use crate::environ::{Environ, REDACTED, is_secret_name};
use crate::glob::{Case, Glob};
use crate::lambda::INITIALIZATION;
use crate::template::Template;

impl When<'_> {
    /// What keeps it from holding, key by key; nothing when it holds.
    pub fn explain(&self, facts: &Facts) -> Vec<String> {
        let Self { runtime, initialization, architecture, file, env, not, any } = self;
        let environ = facts.environ;
        let mut why = Vec::new();
        if let Some(globs) = runtime
            && !globs.iter().any(|glob| facts.runtime.is(glob, environ))
        {
            let found = &facts.runtime.identifier;
            why.push(format!(
                "the runtime is {found}, wanted {}",
                one_of(&expanded(globs, environ))
            ));
        }
        if let Some(texts) = initialization {
            let value = environ.value(INITIALIZATION);
            if !value.is_some_and(|value| texts.iter().any(|text| text.expand(environ) == value)) {
                let found = value.map_or("unknown".into(), |value| environ.redact(value));
                why.push(format!(
                    "the initialization is {found}, wanted {}",
                    one_of(&expanded(texts, environ))
                ));
            }
        }
        if let Some(names) = architecture
            && !names.contains(&facts.architecture)
        {
            let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
            why.push(format!("this machine is {}, wanted {}", facts.architecture, one_of(&names)));
        }
        let unmet = env.iter().filter(|(name, test)| !test.holds(name, environ));
        why.extend(unmet.map(|(name, test)| test.explain(name, environ)));
        let missing = file.iter().filter(|text| !(facts.exists)(&Glob::new(text, environ)));
        why.extend(
            missing
                .map(|text| format!("there is no file {}", environ.redact(&text.expand(environ)))),
        );
        if not.as_ref().is_some_and(|when| when.holds(facts)) {
            why.push("what stands in \"not\" holds".into());
        }
        if let Some(list) = any
            && !list.iter().any(|when| when.holds(facts))
        {
            let each: Vec<_> = list.iter().map(|when| when.explain(facts).join(" and ")).collect();
            why.push(format!("none of \"any\" holds ({})", each.join("; ")));
        }
        why
    }
}

impl EnvTest<'_> {
    fn explain(&self, name: &str, environ: &Environ) -> String {
        let found = match environ.value(name) {
            None => "unset".into(),
            Some(value) if value.is_empty() => "empty".into(),
            Some(value) => environ.redact_value(name, value),
        };
        let wanted = match self {
            EnvTest::NonEmpty => "some text".into(),
            EnvTest::UnsetOrEmpty => "nothing".into(),
            EnvTest::Matches(..) if is_secret_name(name.as_bytes()) => REDACTED.into(),
            EnvTest::Matches(globs, case) => {
                let globs: Vec<_> =
                    expanded(globs, environ).iter().map(|glob| format!("{glob:?}")).collect();
                one_of(&globs) + if *case == Case::Insensitive { " in any case" } else { "" }
            }
        };
        format!("{name} is {found}, wanted {wanted}")
    }
}

fn expanded(texts: &[Template], environ: &Environ) -> Vec<String> {
    texts.iter().map(|text| environ.redact(&text.expand(environ))).collect()
}

fn one_of(words: &[String]) -> String {
    match words {
        [] => "nothing".into(),
        [word] => word.clone(),
        [words @ .., last] => format!("{} or {last}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use crate::condition::{Facts, RuntimeName};
    use crate::config::{Source, decode_rules, parse_sources};
    use crate::environ::Environ;
    use std::ffi::OsStr;

    #[test]
    fn every_key_says_what_it_met() {
        let environ = Environ::from_entries([
            c"AWS_EXECUTION_ENV=AWS_Lambda_nodejs22.x",
            c"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
            c"A=yes",
            c"E=",
            c"API_TOKEN=hunter2",
        ]);
        for (when, expected) in [
            ("{}", &[] as &[&str]),
            (
                r#"{"runtime": "node", "env": {"A": "y*"}, "not": {"env": {"E": true}}, "any": [{}]}"#,
                &[],
            ),
            (
                r#"{"runtime": ["java", "python3.*"], "architecture": "arm64"}"#,
                &[
                    "the runtime is nodejs22.x, wanted java or python3.*",
                    "this machine is x86_64, wanted arm64",
                ],
            ),
            (
                r#"{"initialization": "snap-start"}"#,
                &["the initialization is on-demand, wanted snap-start"],
            ),
            (r#"{"file": ["/a", "/there"]}"#, &["there is no file /a"]),
            (
                r#"{"env": {"E": true, "A": false, "U": "*", "API_TOKEN": "hidden"}}"#,
                &[
                    "E is empty, wanted some text",
                    "A is \"yes\", wanted nothing",
                    "U is unset, wanted \"*\"",
                    "API_TOKEN is [redacted], wanted [redacted]",
                ],
            ),
            (
                r#"{"env": {"A": {"matches": ["a", "b", "${API_TOKEN}"], "ignore_case": true}}}"#,
                &["A is \"yes\", wanted \"a\", \"b\" or \"[redacted]\" in any case"],
            ),
            (r#"{"not": {"runtime": "node"}}"#, &["what stands in \"not\" holds"]),
            (
                r#"{"any": [{"runtime": "java", "env": {"E": "x"}}, {"env": {"U": true}}]}"#,
                &["none of \"any\" holds (the runtime is nodejs22.x, wanted java and E is empty, \
                   wanted \"x\"; U is unset, wanted some text)"],
            ),
        ] {
            let sources = [Source { name: "test".into(), text: format!(r#"{{"when": {when}}}"#) }];
            let documents = parse_sources(&sources);
            let rules =
                decode_rules(&documents).unwrap_or_else(|failure| panic!("{}", failure.message));
            let runtime = RuntimeName::from_program(&environ, OsStr::new("x"));
            let there = crate::glob::Glob::new(
                &crate::template::Template::new("/there").expect("a text"),
                &environ,
            );
            let exists = |glob: &_| *glob == there;
            let facts = Facts {
                environ: &environ,
                runtime: &runtime,
                architecture: "x86_64",
                exists: &exists,
            };
            assert_eq!(rules[0].when.explain(&facts), expected, "{when}");
            assert_eq!(rules[0].when.holds(&facts), expected.is_empty(), "{when}");
        }
    }
}
