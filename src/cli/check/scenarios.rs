//! The scenarios that conditions tell apart: a runtime, an initialization, an architecture, values of
//! the variables that they ask for, files that are there or not. Asks the conditions themselves in
//! each; gives up where there are too many.

use crate::condition::{EnvTest, Facts, RuntimeName, When};
use crate::environ::Environ;
use crate::glob::Glob;
use crate::lambda::{INITIALIZATION, INITIALIZATIONS};
use crate::template::Template;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};

/// One identifier of each family; of what is none, Lambda gives the program alone.
const RUNTIMES: [&str; 5] = ["python3.12", "nodejs22.x", "java21", "ruby3.4", "dotnet8"];

const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];

/// Most scenarios that are looked at.
const MOST_SCENARIOS: usize = 50_000;

/// Most in which whole starts are made.
const MOST_FOR_SIDE_EFFECTS: usize = 500;

pub struct Scenarios<'c> {
    runtimes: Vec<RuntimeName>,
    /// The values that each variable may have.
    variables: Vec<(&'c str, Vec<Option<String>>)>,
    files: Vec<Glob>,
    /// Whether there is one for every way in which the conditions may turn out.
    are_all: bool,
}

impl<'c> Scenarios<'c> {
    /// None when the conditions ask for what only a function can know, or tell too many scenarios
    /// apart.
    pub fn of(conditions: impl IntoIterator<Item = &'c When<'c>>) -> Option<Self> {
        let mut builder = ScenarioBuilder::default();
        builder
            .variables
            .insert(INITIALIZATION, INITIALIZATIONS.map(|name| Some(name.to_owned())).into());
        for when in conditions {
            builder.add(when);
        }
        let mut runtimes =
            vec![RuntimeName::from_program(&Environ::default(), OsStr::new("bootstrap"))];
        runtimes.extend(
            RUNTIMES
                .into_iter()
                .chain(builder.runtimes.iter().map(String::as_str))
                .map(RuntimeName::declared),
        );
        let scenarios = Self {
            runtimes,
            variables: builder.variables.into_iter().collect(),
            files: builder.files,
            are_all: builder.globs.values().all(|&count| count < 3),
        };
        let values = scenarios.variables.iter().map(|(_, values)| values.len());
        let count = values
            .chain(scenarios.files.iter().map(|_| 2))
            .try_fold(scenarios.runtimes.len() * 2, usize::checked_mul);
        (!builder.is_unknown && count.is_some_and(|count| count <= MOST_SCENARIOS))
            .then_some(scenarios)
    }

    /// Whether there are so few that something that takes time can be done in each.
    pub fn are_few(&self) -> bool {
        let choices = self
            .variables
            .iter()
            .map(|(_, values)| values.len())
            .chain(self.files.iter().map(|_| 2));
        choices.product::<usize>() <= MOST_FOR_SIDE_EFFECTS
    }

    /// Whether there is a scenario of which something holds, as far as that can be told.
    pub fn any(&self, mut holds: impl FnMut(&Facts) -> bool) -> Option<bool> {
        let mut found = false;
        self.each(&mut |facts| found = found || holds(facts));
        if found { Some(true) } else { self.are_all.then_some(false) }
    }

    pub fn each(&self, see: &mut dyn FnMut(&Facts)) {
        self.each_on(&self.runtimes, see);
    }

    /// The same, on these runtimes alone.
    pub fn each_on(&self, runtimes: &[RuntimeName], see: &mut dyn FnMut(&Facts)) {
        let mut chosen = vec![0; self.variables.len() + self.files.len()];
        let choices = self
            .variables
            .iter()
            .map(|(_, values)| values.len())
            .chain(self.files.iter().map(|_| 2));
        let choices: Vec<usize> = choices.collect();
        loop {
            self.see(&chosen, runtimes, see);
            // The next combination, as a counter counts on.
            let Some(next) = (0..chosen.len()).find(|&at| chosen[at] + 1 < choices[at]) else {
                return;
            };
            chosen[..next].fill(0);
            chosen[next] += 1;
        }
    }

    fn see(&self, chosen: &[usize], runtimes: &[RuntimeName], see: &mut dyn FnMut(&Facts)) {
        let (values, files) = chosen.split_at(self.variables.len());
        let entries = self.variables.iter().zip(values).filter_map(|((name, values), &chosen)| {
            values[chosen].as_ref().and_then(|value| CString::new(format!("{name}={value}")).ok())
        });
        let entries: Vec<CString> = entries.collect();
        let environ = Environ::from_entries(entries.iter().map(CString::as_c_str));
        let exists = |glob: &Glob| {
            self.files.iter().position(|file| file == glob).is_some_and(|at| files[at] == 1)
        };
        for runtime in runtimes {
            for architecture in ARCHITECTURES {
                see(&Facts { environ: &environ, runtime, architecture, exists: &exists });
            }
        }
    }
}

/// What conditions ask for.
#[derive(Default)]
struct ScenarioBuilder<'c> {
    runtimes: Vec<String>,
    variables: BTreeMap<&'c str, Vec<Option<String>>>,
    /// How many globs that are more than a word each variable is compared with.
    globs: BTreeMap<&'c str, usize>,
    files: Vec<Glob>,
    /// Whether a text has a variable in it.
    is_unknown: bool,
}

impl<'c> ScenarioBuilder<'c> {
    fn add(&mut self, when: &'c When<'c>) {
        let When { runtime, initialization, architecture, file, env, not, any } = when;
        for text in runtime.iter().flatten() {
            let samples = self.samples(text);
            self.runtimes.extend(samples);
        }
        for text in initialization.iter().flatten() {
            let samples = self.samples(text);
            self.add_values(INITIALIZATION, samples.into_iter().map(Some));
        }
        // Every scenario is there on all architectures of Lambda's.
        let _: &Option<Vec<&str>> = architecture;
        for text in file {
            self.is_unknown |= !text.is_plain();
            let glob = Glob::new(text, &Environ::default());
            if !self.files.contains(&glob) {
                self.files.push(glob);
            }
        }
        for (name, test) in env {
            self.add_values(name, [None, Some("something else".into())]);
            let globs = match test {
                EnvTest::NonEmpty | EnvTest::UnsetOrEmpty => continue,
                EnvTest::Matches(globs, _) => globs,
            };
            for text in globs {
                let samples = self.samples(text);
                if samples.len() > 1 {
                    *self.globs.entry(name).or_default() += 1;
                    // Two of them may meet: one's end may follow the other's beginning.
                    let known: Vec<String> =
                        self.variables[name].iter().flatten().cloned().collect();
                    let both = known.iter().flat_map(|known| {
                        samples.iter().flat_map(move |sample| {
                            [format!("{known}{sample}"), format!("{sample}{known}")]
                        })
                    });
                    self.add_values(name, both.map(Some).collect::<Vec<_>>());
                }
                self.add_values(name, samples.into_iter().map(Some));
            }
        }
        not.iter().for_each(|when| self.add(when));
        any.iter().flatten().for_each(|when| self.add(when));
    }

    fn add_values(&mut self, name: &'c str, values: impl IntoIterator<Item = Option<String>>) {
        let known = self.variables.entry(name).or_default();
        for value in values {
            if !known.contains(&value) {
                known.push(value);
            }
        }
    }

    /// Texts that a glob matches: one, if it is a word.
    fn samples(&mut self, text: &Template) -> Vec<String> {
        self.is_unknown |= !text.is_plain();
        Glob::new(text, &Environ::default()).samples()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, decode_rules, parse_sources};

    /// Whether all conditions of a list may hold at once.
    fn possible(conditions: &str) -> Option<bool> {
        let text = format!(r#"{{"rules": [{}]}}"#, conditions);
        let sources = [Source { name: "test".into(), text }];
        let documents = parse_sources(&sources);
        let rules =
            decode_rules(&documents).unwrap_or_else(|failure| panic!("{}", failure.message));
        let conditions = || rules[0].rules.iter().map(|rule| &rule.when);
        Scenarios::of(conditions())?.any(|facts| conditions().all(|when| when.holds(facts)))
    }

    #[test]
    fn finds_out_whether_conditions_exclude_each_other() {
        for (conditions, expected) in [
            (r#"{}"#, Some(true)),
            (r#"{"when": {"not": {}}}"#, Some(false)),
            (r#"{"when": {"runtime": "python"}}, {"when": {"runtime": "python3.*"}}"#, Some(true)),
            (
                r#"{"when": {"runtime": "python"}}, {"when": {"runtime": "nodejs2[24].x"}}"#,
                Some(false),
            ),
            (r#"{"when": {"runtime": "provided"}}"#, Some(true)),
            (
                r#"{"when": {"architecture": "arm64"}}, {"when": {"architecture": "x86_64"}}"#,
                Some(false),
            ),
            (
                r#"{"when": {"initialization": "snap-start"}}, {"when": {"initialization": "new-one"}}"#,
                Some(false),
            ),
            (r#"{"when": {"env": {"A": true}}}, {"when": {"env": {"A": false}}}"#, Some(false)),
            (r#"{"when": {"env": {"A": "x*"}}}, {"when": {"env": {"A": "*y"}}}"#, Some(true)),
            (r#"{"when": {"env": {"A": "x"}}}, {"when": {"env": {"A": "y"}}}"#, Some(false)),
            (r#"{"when": {"env": {"A": ["x", "y"]}}}, {"when": {"env": {"A": "y"}}}"#, Some(true)),
            (r#"{"when": {"env": {"A": "[!a]?"}}}"#, Some(true)),
            (
                r#"{"when": {"env": {"A": "x"}}}, {"when": {"not": {"env": {"A": "x"}}}}"#,
                Some(false),
            ),
            (r#"{"when": {"file": "/a"}}, {"when": {"not": {"file": "/a"}}}"#, Some(false)),
            (
                r#"{"when": {"any": [{"file": "/a"}, {"runtime": "java"}]}}, {"when": {"runtime": "node"}}"#,
                Some(true),
            ),
            (r#"{"when": {"env": {"A": "${B}"}}}"#, None),
        ] {
            assert_eq!(possible(conditions), expected, "{conditions}");
        }
    }

    #[test]
    fn gives_up_where_there_are_too_many() {
        let many = |count: usize| {
            let tests: Vec<_> = (0..count).map(|index| format!(r#""V{index}": true"#)).collect();
            format!(r#"{{"when": {{"env": {{{}}}}}}}"#, tests.join(", "))
        };
        assert_eq!(possible(&many(4)), Some(true));
        assert_eq!(possible(&many(40)), None);
    }
}
