//! Wrappers that never come back because they execute another program: well-known ones that are not
//! marked `last`, and what is impossible behind one that is.

use super::Diagnostic;
use super::rules::{ReachableRule, possible, runs};
use crate::command_line::base_name;
use crate::condition::When;
use crate::config::Wrapper;
use crate::config::inspect::Step;
use crate::phase::Phase;
use crate::plan;
use std::ffi::OsStr;

/// The name of custom runtimes, which take no command line. That of Lambda Web Adapter is used as a
/// wrapper (<https://github.com/awslabs/aws-lambda-web-adapter/blob/main/layer/bootstrap>).
const BOOTSTRAP: &[u8] = b"bootstrap";

/// A wrapper with all of its conditions.
struct Listed<'r> {
    rule_in_context: &'r ReachableRule<'r>,
    wrapper: &'r Wrapper<'r>,
    conditions: Vec<&'r When<'r>>,
}

pub fn check<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let all: Vec<_> = rules.iter().flat_map(listed).collect();
    for (index, listed) in all.iter().enumerate() {
        if listed.wrapper.is_last {
            let refused = refused(listed, &all[index + 1..], rules).into_iter();
            diagnostics
                .extend(refused.map(|message| Diagnostic::error(listed.wrapper.place, message)));
        } else if base_name(OsStr::new(listed.wrapper.path.written())) == BOOTSTRAP {
            let place = listed
                .rule_in_context
                .document
                .inside(listed.wrapper.place, &[Step::Member("path")]);
            diagnostics.push(Diagnostic::warning(
                place,
                never_comes_back(listed.wrapper, "a bootstrap, such as Lambda Web Adapter's,"),
            ));
        }
    }
}

/// Returns the message about a wrapper that never comes back.
pub fn never_comes_back(wrapper: &Wrapper, who: &str) -> String {
    format!(
        "{who} executes something of its own and never comes back, so that nothing is done behind \
         the wrapper {:?}; let it stand last and add \"last\": true",
        wrapper.display_name()
    )
}

fn listed<'r>(rule_in_context: &'r ReachableRule<'r>) -> impl Iterator<Item = Listed<'r>> {
    rule_in_context.rule.wrappers.iter().map(move |wrapper| {
        let own = Some(&wrapper.when).filter(|when| !when.is_empty());
        Listed {
            rule_in_context,
            wrapper,
            conditions: rule_in_context.conditions.iter().copied().chain(own).collect(),
        }
    })
}

/// Returns the refusals of the wrapper in any environment.
fn refused(last: &Listed, behind: &[Listed], rules: &[ReachableRule]) -> Vec<String> {
    let mut refused = Vec::new();
    let with = |conditions: &[&When]| -> bool {
        possible(&[&last.conditions, conditions].concat()) == Some(true)
    };
    let behind = behind.iter().filter(|other| with(&other.conditions));
    refused.extend(behind.map(|other| plan::refuse_wrapper(last.wrapper, other.wrapper)));
    for rule_in_context in rules {
        if with(&rule_in_context.conditions) {
            let keys = rule_in_context.rule.command_line_keys();
            refused.extend(keys.map(|key| {
                plan::refuse_edit(last.wrapper, key, &rule_in_context.place(key).to_string())
            }));
        }
        for (hook, conditions) in rule_in_context.hooks() {
            let is_around = matches!(hook.phase, Phase::BeforeSnapshot | Phase::AfterRestore);
            if is_around
                && runs(hook.phase, &[&last.conditions, &conditions[..]].concat()) == Some(true)
            {
                refused.push(plan::refuse_hook(
                    last.wrapper,
                    hook.phase,
                    hook.name,
                    &hook.place.to_string(),
                ));
            }
        }
    }
    refused
}
