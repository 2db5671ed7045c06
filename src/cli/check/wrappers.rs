//! Wrappers that execute something of their own and never come back: those that are known for it
//! and are not said to be `last`, and what could not be done behind one that is.

use super::Diagnostic;
use super::rules::{ReachableRule, possible, runs};
use crate::command_line::base_name;
use crate::condition::When;
use crate::config::Wrapper;
use crate::config::inspect::Step;
use crate::phase::Phase;
use crate::plan;
use std::ffi::OsStr;

/// What Lambda calls the start of a runtime of one's own: such a file takes no command line. Lambda
/// Web Adapter's (`/opt/bootstrap`, <https://github.com/awslabs/aws-lambda-web-adapter/blob/main/layer/bootstrap>) is used as a wrapper.
const BOOTSTRAP: &[u8] = b"bootstrap";

/// A wrapper among all, with all conditions that it is under.
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

/// Says what to do about a wrapper that never comes back.
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

/// What the wrapper would refuse, somewhere.
fn refused(last: &Listed, behind: &[Listed], rules: &[ReachableRule]) -> Vec<String> {
    let mut refused = Vec::new();
    let with = |conditions: &[&When]| -> bool {
        possible(&[&last.conditions, conditions].concat()) == Some(true)
    };
    let behind = behind.iter().filter(|other| with(&other.conditions));
    refused.extend(behind.map(|other| plan::refuse_wrapper(last.wrapper, other.wrapper)));
    for rule_in_context in rules {
        if with(&rule_in_context.conditions) {
            let keys = plan::command_line_keys(rule_in_context.rule);
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
