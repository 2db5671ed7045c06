//! Scenarios that conditions distinguish: combinations of runtime, initialization, architecture,
//! values of variables, and existing files. Each condition is evaluated in each scenario, unless
//! there are too many.

use crate::condition::{EnvTest, Facts, RuntimeName, When};
use crate::environ::Environ;
use crate::glob::Glob;
use crate::lambda::{INITIALIZATION, INITIALIZATIONS};
use crate::template::Template;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};

/// One identifier of each family; for an OS-only runtime there is none.
const RUNTIMES: [&str; 5] = ["python3.12", "nodejs22.x", "java21", "ruby3.4", "dotnet8"];

const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];

/// Most scenarios that are evaluated.
const MOST_SCENARIOS: usize = 50_000;

/// Most scenarios in which whole starts are simulated.
const MOST_FOR_SIDE_EFFECTS: usize = 500;

pub struct Scenarios<'c> {
    runtimes: Vec<RuntimeName>,
    /// The values of each variable.
    variables: Vec<(&'c str, Vec<Option<String>>)>,
    files: Vec<Glob>,
    /// True if all combinations of results of the conditions are covered.
    are_all: bool,
}

impl<'c> Scenarios<'c> {
    /// Returns the scenarios of conditions; `None` if only the function knows what they test, or
    /// there are too many.
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

    /// Returns whether there are few enough for slow checks.
    pub fn are_few(&self) -> bool {
        let choices = self
            .variables
            .iter()
            .map(|(_, values)| values.len())
            .chain(self.files.iter().map(|_| 2));
        choices.product::<usize>() <= MOST_FOR_SIDE_EFFECTS
    }

    /// Returns whether something holds in some scenario, if that is known.
    pub fn any(&self, mut holds: impl FnMut(&Facts) -> bool) -> Option<bool> {
        let mut found = false;
        self.each(&mut |facts| found = found || holds(facts));
        if found { Some(true) } else { self.are_all.then_some(false) }
    }

    pub fn each(&self, see: &mut dyn FnMut(&Facts)) {
        self.each_on(&self.runtimes, see);
    }

    /// Visits the scenarios of these runtimes only.
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
            // Counts up to the next combination.
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

/// Collects what conditions test.
#[derive(Default)]
struct ScenarioBuilder<'c> {
    runtimes: Vec<String>,
    variables: BTreeMap<&'c str, Vec<Option<String>>>,
    /// The number of globs with wildcards that each variable is compared with.
    globs: BTreeMap<&'c str, usize>,
    files: Vec<Glob>,
    /// True if a text refers to a variable.
    is_unknown: bool,
}

impl<'c> ScenarioBuilder<'c> {
    fn add(&mut self, when: &'c When<'c>) {
        // Each scenario has both architectures.
        let When { runtime, initialization, architecture: _, file, env, not, any } = when;
        for text in runtime.iter().flatten() {
            let samples = self.samples(text);
            self.runtimes.extend(samples);
        }
        for text in initialization.iter().flatten() {
            let samples = self.samples(text);
            self.add_values(INITIALIZATION, samples.into_iter().map(Some));
        }
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
                    // One value may match two globs, with the end of one behind the start of the
                    // other.
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

    /// Returns texts that a glob matches: one, if it has no wildcards.
    fn samples(&mut self, text: &Template) -> Vec<String> {
        self.is_unknown |= !text.is_plain();
        Glob::new(text, &Environ::default()).samples()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, decode_rules, parse_sources};

    /// Returns whether all conditions of a list may hold at once.
    fn possible(conditions: &str) -> Option<bool> {
        let text = format!(r#"{{"rules": [{conditions}]}}"#);
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
            ("{}", Some(true)),
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
