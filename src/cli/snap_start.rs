//! Variables that a function has everywhere but at the init before a snapshot: texts take them for
//! empty there, and conditions for unset.

use crate::condition::{EnvTest, Facts, When};
use crate::config::Rule;
use crate::lambda::{CREDENTIALS, CREDENTIALS_URI, INITIALIZATION, SNAP_START, variables};
use std::ffi::OsStr;

/// Whether a variable is missing in a start because that is one before a snapshot.
pub fn is_absent(name: &str, facts: &Facts) -> bool {
    variables::is_absent_at_snap_start(name)
        && facts.environ.value(INITIALIZATION) == Some(OsStr::new(SNAP_START))
        && facts.environ.value(name).is_none()
}

/// What to say of a text that wants one; `key` tells where, if it has to be told.
pub fn absent_in_text_message(name: &str, key: &str) -> String {
    format!(
        "${{{name}}}{key} counts as empty at the init before a snapshot, where Lambda does not \
         set it{}; write ${{{name}:-…}}, or a rule with \"not\": {{\"initialization\": \
         \"snap-start\"}}",
        instead(name)
    )
}

/// What to say of a condition that wants one.
pub fn absent_in_condition_message(name: &str) -> String {
    format!(
        "this asks for {name}, which Lambda does not set at the init before a snapshot{}, so that \
         it never holds there; ask for \"initialization\", too",
        instead(name)
    )
}

fn instead(name: &str) -> String {
    match CREDENTIALS.contains(&name) {
        true => format!(" ({CREDENTIALS_URI} leads to the keys)"),
        false => String::new(),
    }
}

/// The variables among them that have to be set for a condition to hold.
pub fn required_variables<'w>(when: &When<'w>) -> Vec<&'w str> {
    let mut names = Vec::new();
    add_wanted(when, true, &mut names);
    names
}

fn add_wanted<'w>(when: &When<'w>, is_positive: bool, names: &mut Vec<&'w str>) {
    let When { runtime: _, initialization: _, architecture: _, file: _, env, not, any } = when;
    for (name, test) in env {
        let wants_value = match test {
            EnvTest::NonEmpty | EnvTest::Matches(..) => true,
            EnvTest::UnsetOrEmpty => false,
        };
        if wants_value == is_positive
            && variables::is_absent_at_snap_start(name)
            && !names.contains(name)
        {
            names.push(name);
        }
    }
    not.iter().for_each(|when| add_wanted(when, !is_positive, names));
    any.iter().flatten().for_each(|when| add_wanted(when, is_positive, names));
}

/// What to say of the conditions of a start.
pub fn absent_in_conditions(rules: &[Rule], facts: &Facts) -> Vec<String> {
    let mut messages = Vec::new();
    for rule in rules {
        let hooks = rule.hooks.iter().map(|hook| (&hook.when, hook.place));
        let wrappers = rule.wrappers.iter().map(|wrapper| (&wrapper.when, wrapper.place));
        for (when, place) in std::iter::once((&rule.when, rule.place)).chain(hooks).chain(wrappers)
        {
            let absent = required_variables(when).into_iter().filter(|name| is_absent(name, facts));
            messages.extend(
                absent.map(|name| format!("{place}: {}", absent_in_condition_message(name))),
            );
        }
        messages.extend(absent_in_conditions(&rule.rules, facts));
    }
    messages
}
