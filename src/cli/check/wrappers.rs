//! Wrappers that execute something of their own and never come back: those that are known for it
//! and are not said to be `last`, and what could not be done behind one that is.

use super::Advice;
use super::rules::{Reached, possible, runs};
use crate::command_line::base_name;
use crate::condition::When;
use crate::config::inspect::Step;
use crate::config::{Phase, Wrapper};
use crate::plan;
use std::ffi::OsStr;

/// What Lambda calls the start of a runtime of one's own: such a file takes no command line. Lambda
/// Web Adapter's (`/opt/bootstrap`, <https://github.com/awslabs/aws-lambda-web-adapter/blob/main/layer/bootstrap>) is used as a wrapper.
const BOOTSTRAP: &[u8] = b"bootstrap";

/// A wrapper among all, with all conditions that it is under.
struct Listed<'r> {
    reached: &'r Reached<'r>,
    wrapper: &'r Wrapper<'r>,
    conditions: Vec<&'r When<'r>>,
}

pub fn advise<'r>(rules: &'r [Reached<'r>], advice: &mut Vec<Advice<'r>>) {
    let all: Vec<_> = rules.iter().flat_map(listed).collect();
    for (index, listed) in all.iter().enumerate() {
        if listed.wrapper.is_last {
            let refused = refused(listed, &all[index + 1..], rules).into_iter();
            advice.extend(refused.map(|message| Advice::error(listed.wrapper.place, message)));
        } else if base_name(OsStr::new(listed.wrapper.path.written())) == BOOTSTRAP {
            let place =
                listed.reached.document.inside(listed.wrapper.place, &[Step::Member("path")]);
            advice.push(Advice::warning(
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
        wrapper.shown()
    )
}

fn listed<'r>(reached: &'r Reached<'r>) -> impl Iterator<Item = Listed<'r>> {
    reached.rule.wrappers.iter().map(move |wrapper| {
        let own = Some(&wrapper.when).filter(|when| !when.is_empty());
        Listed {
            reached,
            wrapper,
            conditions: reached.conditions.iter().copied().chain(own).collect(),
        }
    })
}

/// What the wrapper would refuse, somewhere.
fn refused(last: &Listed, behind: &[Listed], rules: &[Reached]) -> Vec<String> {
    let mut refused = Vec::new();
    let with = |conditions: &[&When]| -> bool {
        possible(&[&last.conditions, conditions].concat()) == Some(true)
    };
    let behind = behind.iter().filter(|other| with(&other.conditions));
    refused.extend(behind.map(|other| plan::behind_wrapper(last.wrapper, other.wrapper)));
    for reached in rules {
        if with(&reached.conditions) {
            let keys = plan::edited_words(reached.rule);
            refused.extend(
                keys.map(|key| {
                    plan::behind_edit(last.wrapper, key, &reached.place(key).to_string())
                }),
            );
        }
        for (hook, conditions) in reached.hooks() {
            let is_around = matches!(hook.phase, Phase::BeforeSnapshot | Phase::AfterRestore);
            if is_around
                && runs(hook.phase, &[&last.conditions, &conditions[..]].concat()) == Some(true)
            {
                refused.push(plan::behind_hook(
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
