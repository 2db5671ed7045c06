//! The part of a plan that is saved for the process after the wrapper chain: the function's
//! context, the edits of the command line, and the hooks that the relay and the extension run. All
//! of it is unexpanded, as the configuration has it. To decode it takes a fraction of the time that
//! the configuration would take.

use super::{NoSnapshot, Plan, SnapshotHooks};
use crate::config::encode::{
    put_edit, put_hook, put_template, take_edit, take_hook, take_template,
};
use crate::config::{Hook, Place, Rule, WordEdits};
use crate::environ::Environ;
use crate::wire::{Reader, Writer};
use std::ffi::OsString;

/// The usual size in Lambda, in bytes; more is allocated when it is needed.
const USUAL_SIZE: usize = 1024;

/// A plan as it was saved.
pub struct SavedPlan<'a> {
    /// The variables of the function's context ([`crate::lambda::LambdaContext::only`]).
    pub context: Environ<'a>,
    snapshot_hooks: SnapshotHooks,
    has_pre_stop: bool,
    /// The rules that edit the command line, in order.
    rules: Vec<Rule<'a>>,
    /// The hooks of the relay and the extension, in the order of the configuration.
    hooks: Vec<Hook<'a>>,
}

/// Saves a plan, with the variables of the function's context. Places of rules are saved only for
/// the log, since it takes long to find them.
pub fn encode(plan: &Plan, context: &Environ, with_places: bool) -> Vec<u8> {
    let mut items = Writer::with_capacity(USUAL_SIZE);
    context.encode(&mut items.bytes);
    items.put_number((plan.snapshot_hooks == SnapshotHooks::Relay).into());
    items.put_number(plan.has_pre_stop.into());
    let rules: Vec<_> = plan.rules.iter().filter(|rule| rule.edits_command_line()).collect();
    items.put_list(&rules, |items, rule| put_rule(items, rule, with_places));
    items.put_list(&plan.hooks_after_wrappers(), |items, hook| put_hook(items, hook));
    items.bytes.shrink_to_fit();
    items.bytes
}

impl<'a> SavedPlan<'a> {
    /// Reads what [`encode`] wrote; returns `None` for anything else.
    pub fn decode(mut bytes: &'a [u8]) -> Option<Self> {
        let context = Environ::decode(&mut bytes)?;
        let mut items = Reader(bytes);
        Some(Self {
            context,
            // All other processes have run their hooks by now.
            snapshot_hooks: match items.take_number()? {
                1 => SnapshotHooks::Relay,
                _ => SnapshotHooks::Nobody(NoSnapshot::NoHooks),
            },
            has_pre_stop: items.take_number()? == 1,
            rules: items.take_list(take_rule)?,
            hooks: items.take_list(take_hook)?,
        })
    }

    /// Plans the rest of the start for the command line that the wrappers returned.
    pub fn to_plan<'p>(&'p self, received: &'p [OsString]) -> Plan<'p>
    where
        'a: 'p,
    {
        Plan {
            received,
            rules: self.rules.iter().collect(),
            wrappers: Vec::new(),
            skipped: Vec::new(),
            snapshot_hooks: self.snapshot_hooks,
            has_pre_stop: self.has_pre_stop,
            hooks: self.hooks.iter().collect(),
        }
    }
}

/// Writes the edits of the command line of a rule.
fn put_rule(items: &mut Writer, rule: &Rule, with_places: bool) {
    let Rule {
        place,
        options,
        arguments,
        entry,
        program,
        prefix,
        // The wrapper has evaluated the condition, performed the edits of the environment and
        // listed the other parts.
        when: _,
        secrets: _,
        secrets_timeout: _,
        resolves_references: _,
        env: _,
        wrappers: _,
        hooks: _,
        rules: _,
    } = rule;
    let place = if with_places { place.to_string() } else { String::new() };
    items.put(place.as_bytes());
    put_word_edits(items, options);
    put_word_edits(items, arguments);
    items.put_list(entry.as_slice(), put_template);
    items.put_list(program.as_slice(), put_template);
    items.put_list(prefix, put_template);
}

/// Reads what [`put_rule`] wrote.
// Inlined, it would take room on the stack of every chain, and most have no such rules.
#[inline(never)]
fn take_rule<'a>(items: &mut Reader<'a>) -> Option<Rule<'a>> {
    let place = Place::Formatted(items.take_str()?);
    Some(Rule {
        options: take_word_edits(items)?,
        arguments: take_word_edits(items)?,
        entry: items.take_list(take_template)?.pop(),
        program: items.take_list(take_template)?.pop(),
        prefix: items.take_list(take_template)?,
        ..Rule::empty(place)
    })
}

fn put_word_edits(items: &mut Writer, edits: &WordEdits) {
    let WordEdits { remove, replace, values, prepend, append } = edits;
    items.put_list(remove, put_template);
    items.put_list(replace, |items, (from, to)| {
        put_template(items, from);
        put_template(items, to);
    });
    items.put_list(values, |items, (name, edit)| {
        items.put(name.as_bytes());
        put_edit(items, edit);
    });
    items.put_list(prepend, put_template);
    items.put_list(append, put_template);
}

fn take_word_edits<'a>(items: &mut Reader<'a>) -> Option<WordEdits<'a>> {
    Some(WordEdits {
        remove: items.take_list(take_template)?,
        replace: items.take_list(|items| Some((take_template(items)?, take_template(items)?)))?,
        values: items.take_list(|items| Some((items.take_str()?, take_edit(items)?)))?,
        prepend: items.take_list(take_template)?,
        append: items.take_list(take_template)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{Facts, RuntimeName};
    use crate::config::{Source, decode_rules, parse_sources};
    use crate::lambda::LambdaContext;
    use crate::phase::Phase;
    use std::ffi::OsStr;

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
    fn saved_plan_has_everything_that_comes_after_the_wrappers() {
        let sources = [Source { name: "file".into(), text: EVERYTHING.into() }];
        let documents = parse_sources(&sources);
        let rules =
            decode_rules(&documents).unwrap_or_else(|failure| panic!("{}", failure.message));
        let received = Environ::from_entries([
            c"_HANDLER=a",
            c"DB_PASSWORD=hidden",
            c"odd",
            c"AWS_EXECUTION_ENV=b",
            c"A=x",
        ]);
        let words = [OsString::from("python3")];
        let runtime = RuntimeName::from_program(&received, OsStr::new("python3"));
        let facts = Facts {
            environ: &received,
            runtime: &runtime,
            architecture: "x86_64",
            exists: &|_| false,
        };
        let mut plan = Plan::new(&words, &rules, &facts);
        let context = LambdaContext::only(&received, "FOREWORD_LOG");

        let own = [&rules[0], &rules[0].rules[0]].map(shown);
        for (snapshot_hooks, phases, count) in [
            (
                SnapshotHooks::Relay,
                &[Phase::BeforeSnapshot, Phase::AfterRestore, Phase::PreStop][..],
                5,
            ),
            (SnapshotHooks::Wrapper, &[Phase::PreStop], 2),
        ] {
            plan.snapshot_hooks = snapshot_hooks;
            let bytes = encode(&plan, &context, true);
            let saved = SavedPlan::decode(&bytes).expect("what was encoded");
            assert_eq!(saved.context.entries(), [c"_HANDLER=a", c"AWS_EXECUTION_ENV=b"]);
            let is_relay = |hooks| hooks == SnapshotHooks::Relay;
            assert_eq!(is_relay(saved.snapshot_hooks), is_relay(snapshot_hooks));
            assert!(saved.has_pre_stop);
            assert_eq!(saved.rules.iter().map(shown).collect::<Vec<_>>(), own);
            // One list is in execution order, the other in the order of the configuration.
            let sorted = |mut hooks: Vec<_>| {
                hooks.sort();
                hooks
            };
            let hooks = sorted(
                phases.iter().flat_map(|&phase| plan.hooks(phase)).map(shown_hook).collect(),
            );
            assert_eq!(sorted(saved.hooks.iter().map(shown_hook).collect()), hooks);
            assert_eq!(hooks.len(), count);
            for length in 0..bytes.len() {
                assert!(SavedPlan::decode(&bytes[..length]).is_none(), "{length}");
            }
        }
        let bytes = encode(&plan, &context, false);
        let saved = SavedPlan::decode(&bytes).expect("what was encoded");
        assert_eq!(saved.rules[0].place.to_string(), "");
    }
}
