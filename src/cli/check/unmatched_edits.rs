//! Edits that find nothing on the command lines that Lambda starts a runtime with, as far as all of
//! those are known: Python's, Ruby's and .NET's are the same everywhere, while Node's and Java's
//! change with memory and version.

use super::Diagnostic;
use super::rules::ReachableRule;
use super::scenarios::Scenarios;
use crate::cli::hints::unmatched_edits::{self, UnmatchedEdit};
use crate::command_line::CommandLine;
use crate::environ::Environ;
use crate::lambda::{self, Runtime};
use crate::template::Template;
use std::ffi::OsString;
use std::io;

pub fn check<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    // Other wrappers add what they like.
    if rules.iter().any(|rule_in_context| !rule_in_context.rule.wrappers.is_empty()) {
        return;
    }
    for (index, rule_in_context) in rules.iter().enumerate() {
        let runtimes = runtimes(rule_in_context);
        let mut found: Option<Vec<UnmatchedEdit>> = None;
        for runtime in &runtimes {
            let Some((line, environ)) = start(runtime, &rules[..index]) else { continue };
            let here = unmatched_edits::unmatched_edits(rule_in_context.rule, &line, &environ);
            found = Some(match found {
                None => here,
                Some(before) => {
                    before.into_iter().filter(|unmatched| here.contains(unmatched)).collect()
                }
            });
        }
        for unmatched in found.into_iter().flatten() {
            let place = unmatched.place(rule_in_context.document, rule_in_context.rule);
            let line =
                format!("the command line that Lambda starts {} with", runtimes.join(" or "));
            diagnostics.push(Diagnostic::warning(place, unmatched.message(&line)));
        }
    }
}

/// The runtimes that a rule is for, where it asks for some and all of their command lines are
/// known.
fn runtimes(rule_in_context: &ReachableRule) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if !rule_in_context.conditions.iter().any(|when| when.runtime.is_some()) {
        return found;
    }
    let Some(scenarios) = Scenarios::of(rule_in_context.conditions.iter().copied()) else {
        return found;
    };
    scenarios.each(&mut |facts| {
        let name = &facts.runtime.identifier;
        if !found.contains(name) && rule_in_context.conditions.iter().all(|when| when.holds(facts))
        {
            found.push(name.clone());
        }
    });
    let is_known = |name: &String| {
        matches!(
            Runtime::from_identifier(name.as_bytes()),
            Runtime::Python | Runtime::Ruby | Runtime::Dotnet
        )
    };
    if !found.iter().all(is_known) {
        return Vec::new();
    }
    found.retain(|name| lambda::check_runtime(name).is_ok());
    found
}

/// The command line of a runtime's start, with all that the rules before may add to it.
fn start(runtime: &str, before: &[ReachableRule]) -> Option<(CommandLine, Environ<'static>)> {
    let environ = lambda::initial_environ(runtime, None).ok()?;
    let mut words = lambda::bootstrap_command_line(runtime, &environ, &|_| false);
    let arguments = words.split_off(1);
    let mut line =
        CommandLine::parse(words.pop()?, arguments, |_| Err(io::ErrorKind::NotFound.into()));
    let expanded = |texts: &[Template]| -> Vec<OsString> {
        texts.iter().map(|text| text.expand(&environ)).collect()
    };
    for rule_in_context in before {
        let (options, arguments) = (&rule_in_context.rule.options, &rule_in_context.rule.arguments);
        line.append_options([expanded(&options.prepend), expanded(&options.append)].concat());
        line.append_arguments([expanded(&arguments.prepend), expanded(&arguments.append)].concat());
    }
    Some((line, environ))
}
