//! What the wrappers of a chain do not change and the process behind them needs: what Lambda said
//! about the function, and of the plan the edits of words and the hooks that the relay and the
//! extension run, unexpanded, as the configuration has them. To read it again takes a fraction of
//! what the configuration would take.

use crate::config::{Hook, Place, Rule, WordEdits};
use crate::environ::Environ;
use crate::plan::{AroundSnapshot, Plan};
use crate::runtime_api::ADDRESS;
use crate::wire::{Reader, Writer, put_edit, put_hook, put_text, take_edit, take_hook, take_text};

/// All variables whose values travel: what hooks are told of the function, where failures are
/// reported to, how to log, and where pre_stop hooks run.
const TOLD: [&str; 11] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "_HANDLER",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    ADDRESS,
    "FOREWORD_LOG",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_FORMAT",
    "LAMBDA_TASK_ROOT",
];

/// About as many bytes as it takes in Lambda.
const USUAL: usize = 1024;

pub struct Rest<'a> {
    /// The variables that Lambda handed over, as far as hooks and reports are told them.
    pub received: Environ<'a>,
    pub has_pre_stop: bool,
    /// The rules that edit words, in order.
    pub rules: Vec<Rule<'a>>,
    /// As registered.
    pub hooks: Vec<Hook<'a>>,
}

/// Writes it down. To find out where rules stand takes long, and is of use only to who wants to
/// know everything.
pub fn encoded(
    plan: &Plan,
    around_snapshot: AroundSnapshot,
    received: &Environ,
    with_places: bool,
) -> Vec<u8> {
    let mut items = Writer::with_room(USUAL);
    received.only(&TOLD).encode(&mut items.bytes);
    items.put_number(plan.has_pre_stop.into());
    let rules: Vec<_> = plan.rules.iter().filter(|rule| rule.edits_words()).collect();
    items.put_list(&rules, |items, rule| {
        let place = if with_places { rule.place.to_string() } else { String::new() };
        items.put(place.as_bytes());
        put_words(items, &rule.options);
        put_words(items, &rule.arguments);
        items.put_list(rule.entry.as_slice(), put_text);
        items.put_list(rule.program.as_slice(), put_text);
        items.put_list(&rule.prefix, put_text);
    });
    items.put_list(&plan.hooks_behind_wrappers(around_snapshot), |items, hook| {
        put_hook(items, hook)
    });
    items.bytes.shrink_to_fit();
    items.bytes
}

impl<'a> Rest<'a> {
    /// Reads what was encoded; nothing when it is something else.
    pub fn decode(mut bytes: &'a [u8]) -> Option<Self> {
        let received = Environ::decode(&mut bytes)?;
        let mut items = Reader(bytes);
        Some(Self {
            received,
            has_pre_stop: items.take_number()? == 1,
            rules: items.take_list(take_rule)?,
            hooks: items.take_list(take_hook)?,
        })
    }
}

// Most chains have none of either, and would pay for the room on the stack.
#[inline(never)]
fn take_rule<'a>(items: &mut Reader<'a>) -> Option<Rule<'a>> {
    let place = Place::Told(items.take_str()?);
    Some(Rule {
        options: take_words(items)?,
        arguments: take_words(items)?,
        entry: items.take_list(take_text)?.pop(),
        program: items.take_list(take_text)?.pop(),
        prefix: items.take_list(take_text)?,
        ..Rule::empty(place)
    })
}

fn put_words(items: &mut Writer, edits: &WordEdits) {
    items.put_list(&edits.remove, put_text);
    items.put_list(&edits.replace, |items, (from, to)| {
        put_text(items, from);
        put_text(items, to);
    });
    items.put_list(&edits.values, |items, (name, edit)| {
        items.put(name.as_bytes());
        put_edit(items, edit);
    });
    items.put_list(&edits.prepend, put_text);
    items.put_list(&edits.append, put_text);
}

fn take_words<'a>(items: &mut Reader<'a>) -> Option<WordEdits<'a>> {
    Some(WordEdits {
        remove: items.take_list(take_text)?,
        replace: items.take_list(|items| Some((take_text(items)?, take_text(items)?)))?,
        values: items.take_list(|items| Some((items.take_str()?, take_edit(items)?)))?,
        prepend: items.take_list(take_text)?,
        append: items.take_list(take_text)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{Facts, RuntimeName};
    use crate::config::Phase;
    use crate::config::{Source, documents, rules};
    use std::ffi::{OsStr, OsString};

    const EVERYTHING: &str = r#"{
        "env": {"A": "1"},
        "options": {"remove": ["-x*", "${A}?"], "replace": {"a": "b", "": "é"}, "prepend": ["1", ""], "append": ["2"],
                    "values": {"-a": null, "-b": "s", "-c": {"default": "d"}, "-d": {"prepend": "p", "separator": ":"},
                               "-e": {"append": "q", "separator": ""}}},
        "arguments": {"remove": ["r"], "replace": {"c": "d"}, "prepend": ["3"], "append": ["4", "\n"]},
        "entry": "e", "program": "/p", "prefix": ["nice", "-n1"],
        "hooks": {
            "initialize": [{"name": "i", "command": "x"}],
            "before_snapshot": [{"name": "b", "command": ["x", "", "${A}"], "cwd": "/", "timeout_ms": 4294967295,
                                 "on_failure": "continue", "env": {"E": "f", "G": null}}],
            "after_restore": [{"name": "a", "command": "echo $A; ${"},
                              {"name": "h", "http": "POST http://127.0.0.1:${P}/", "attempts": 3, "pause_ms": 7}],
            "pre_stop": [{"name": "p", "command": "x"}, {"name": "w", "wait_for": "localhost:1"}, {"name": "not here", "command": "x", "when": {"not": {}}}]
        },
        "rules": [{"prefix": ["time"]}, {"env": {"B": "2"}}, {"when": {"not": {}}, "program": "not here"}]
    }"#;

    fn shown(rule: &Rule) -> String {
        let Rule { place, options, arguments, entry, program, prefix, .. } = rule;
        format!("{place} {options:?} {arguments:?} {entry:?} {program:?} {prefix:?}")
    }

    fn shown_hook(hook: &Hook) -> String {
        let Hook {
            phase, name, command, cwd, timeout, on_failure, wait_for, attempts, pause, ..
        } = hook;
        let env: Vec<_> = hook.env.iter().map(|edit| (edit.name, &edit.edit)).collect();
        format!(
            "{phase:?} {name} {command:?} {env:?} {cwd:?} {timeout:?} {on_failure:?} {wait_for:?} \
             {attempts} {pause:?}"
        )
    }

    #[test]
    fn all_that_comes_behind_the_wrappers_arrives() {
        let sources = [Source { name: "file".into(), text: EVERYTHING.into() }];
        let documents = documents(&sources);
        let rules = rules(&documents).unwrap_or_else(|failure| panic!("{}", failure.message));
        let received = Environ::from_entries([
            c"_HANDLER=a",
            c"DB_PASSWORD=hidden",
            c"odd",
            c"AWS_EXECUTION_ENV=b",
            c"A=x",
        ]);
        let words = [OsString::from("python3")];
        let runtime = RuntimeName::of(&received, OsStr::new("python3"));
        let facts = Facts {
            environ: &received,
            runtime: &runtime,
            architecture: "x86_64",
            exists: &|_| false,
        };
        let plan = Plan::new(&words, received.clone(), &rules, &facts, |_, _, _| {});

        let own = [&rules[0], &rules[0].rules[0]].map(shown);
        for (around_snapshot, phases, count) in [
            (
                AroundSnapshot::Relay,
                &[Phase::BeforeSnapshot, Phase::AfterRestore, Phase::PreStop][..],
                5,
            ),
            (AroundSnapshot::Wrapper, &[Phase::PreStop], 2),
        ] {
            let bytes = encoded(&plan, around_snapshot, &received, true);
            let rest = Rest::decode(&bytes).expect("what was encoded");
            assert_eq!(rest.received.entries(), [c"_HANDLER=a", c"AWS_EXECUTION_ENV=b"]);
            assert!(rest.has_pre_stop);
            assert_eq!(rest.rules.iter().map(shown).collect::<Vec<_>>(), own);
            // One is as they run, the other as they are registered.
            let sorted = |mut hooks: Vec<_>| {
                hooks.sort();
                hooks
            };
            let hooks = sorted(
                phases.iter().flat_map(|&phase| plan.hooks(phase)).map(shown_hook).collect(),
            );
            assert_eq!(sorted(rest.hooks.iter().map(shown_hook).collect()), hooks);
            assert_eq!(hooks.len(), count);
            for length in 0..bytes.len() {
                assert!(Rest::decode(&bytes[..length]).is_none(), "{length}");
            }
        }
        let bytes = encoded(&plan, AroundSnapshot::Nobody, &received, false);
        assert_eq!(Rest::decode(&bytes).expect("what was encoded").rules[0].place.to_string(), "");
    }
}
