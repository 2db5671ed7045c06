//! The time limits of hooks and secrets, compared with what Lambda grants.

use super::Diagnostic;
use super::rules::{ReachableRule, has_phase, runs};
use super::scenarios::Scenarios;
use super::secrets::{has_secrets, secrets_place};
use crate::cli::printer::seconds;
use crate::condition::{Facts, When};
use crate::config::inspect::Step;
use crate::config::{Document, Hook, Place};
use crate::lambda::INITIALIZATION;
use crate::phase::Phase;
use crate::secrets::DEFAULT_TIMEOUT;
use std::ffi::OsStr;
use std::time::Duration;

/// A hook, with the conditions and the limit that apply.
struct LimitedHook<'r> {
    document: &'r Document<'r>,
    hook: &'r Hook<'r>,
    conditions: Vec<&'r When<'r>>,
    limit: Duration,
}

/// The limit of all secrets of a start together, which are resolved before the initialize hooks
/// run.
#[derive(Clone, Copy)]
struct SecretsLimit<'r> {
    limit: Duration,
    place: Place<'r>,
}

/// The time that all hooks of a phase have together, in some environments, and the words for it in
/// front of the number.
struct TimeBudget {
    most: Duration,
    whose: String,
    is_for: fn(&Facts) -> bool,
}

/// Tells whether all of some conditions hold in a start.
type Holds<'h> = &'h dyn Fn(&[&When]) -> bool;

/// The initialization types without the limit of 10 s
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
const LONG_INIT: [&str; 2] = ["snap-start", "provisioned-concurrency"];

/// Checks all phases; `timeout` is the function's, if it is known.
pub fn check<'r>(
    rules: &[ReachableRule<'r>],
    timeout: Option<Duration>,
    diagnostics: &mut Vec<Diagnostic<'r>>,
) {
    for phase in Phase::ALL {
        let of_phase = |rule_in_context: &ReachableRule<'r>| {
            let document = rule_in_context.document;
            let hooks = rule_in_context.hooks().filter(|(hook, _)| hook.phase == phase);
            let limited = move |(hook, conditions)| LimitedHook {
                document,
                hook,
                conditions,
                limit: limit(hook),
            };
            hooks.map(limited).collect::<Vec<_>>()
        };
        let hooks: Vec<_> = rules.iter().flat_map(of_phase).collect();
        let is_concerned = |rule_in_context: &&ReachableRule| {
            phase == Phase::Initialize
                && (has_secrets(rule_in_context) || rule_in_context.rule.secrets_timeout.is_some())
        };
        let secrets: Vec<_> = rules.iter().filter(is_concerned).collect();
        // One exceeded budget for each kind of environment is enough.
        for budgets in budgets(phase, timeout) {
            let mut passed =
                budgets.iter().filter_map(|budget| check_phase(phase, budget, &secrets, &hooks));
            diagnostics.extend(passed.next().into_iter().flatten());
        }
        if matches!(phase, Phase::AfterRestore | Phase::PreStop) {
            diagnostics.extend(unlimited(phase, &hooks));
        }
        diagnostics.extend(hooks.iter().filter_map(attempts));
    }
}

/// Returns the diagnostics if hooks, and the secrets of these rules, may take more time than they
/// have together.
fn check_phase<'r>(
    phase: Phase,
    budget: &TimeBudget,
    secrets: &[&ReachableRule<'r>],
    hooks: &[LimitedHook<'r>],
) -> Option<Vec<Diagnostic<'r>>> {
    let TimeBudget { most, whose, is_for } = budget;
    let most = *most;
    let counts = |facts: &Facts| has_phase(facts, phase) && is_for(facts);
    let mut alone = Vec::new();
    let of_secrets =
        || secrets.iter().flat_map(|rule_in_context| rule_in_context.conditions.iter().copied());
    let mut longest: Option<SecretsLimit> = None;
    each_start(of_secrets(), &counts, &mut |holds| {
        let here = secrets_limit(secrets, holds).filter(|here| here.limit > most);
        longest = here.filter(|here| longest.is_none_or(|it| it.limit < here.limit)).or(longest);
    });
    if let Some(SecretsLimit { limit, place }) = longest {
        let (limit, most) = (seconds(limit), seconds(most));
        let message = format!(
            "the secrets may take {limit}, and {whose} {most}; lower \"secrets_timeout_ms\""
        );
        alone.push(Diagnostic::warning(place, message));
    }
    for hook in hooks.iter().filter(|hook| hook.limit > most) {
        let scenarios = Scenarios::of(hook.conditions.iter().copied());
        if scenarios.is_none_or(|scenarios| {
            let is_run = |facts: &Facts| hook.conditions.iter().all(|when| when.holds(facts));
            scenarios.any(|facts| counts(facts) && is_run(facts)) != Some(false)
        }) {
            let (name, limit, most) = (hook.hook.name, seconds(hook.limit), seconds(most));
            let message = format!(
                "the hook {name:?} may take {limit}, and {whose} {most}; lower its \"timeout_ms\""
            );
            alone.push(Diagnostic::warning(hook.place(), message));
        }
    }
    if !alone.is_empty() {
        return Some(alone);
    }
    // The largest sum of one start, the hook that exceeds the budget, and whether secrets count.
    let mut worst: Option<(Duration, &LimitedHook, bool)> = None;
    let conditions = hooks.iter().flat_map(|hook| hook.conditions.iter().copied());
    each_start(conditions.chain(of_secrets()), &counts, &mut |holds| {
        let secrets = secrets_limit(secrets, holds);
        let (mut total, mut first) =
            (secrets.map_or(Duration::ZERO, |secrets| secrets.limit), None);
        for hook in hooks.iter().filter(|hook| holds(&hook.conditions)) {
            total += hook.limit;
            first = first.or(Some(hook).filter(|_| total > most));
        }
        if let Some(hook) = first
            && worst.is_none_or(|(worst, _, _)| worst < total)
        {
            worst = Some((total, hook, secrets.is_some()));
        }
    });
    let (total, hook, has_secrets) = worst?;
    let (name, total, most) = (phase.name(), seconds(total), seconds(most));
    let (what, keys) = match has_secrets {
        true => ("secrets and the ", "\"secrets_timeout_ms\", \"timeout_ms\""),
        false => ("", "\"timeout_ms\""),
    };
    let message = format!(
        "with this one, the {what}{name} hooks may take {total}, and {whose} {most}; lower their \
         limits ({keys})"
    );
    Some(vec![Diagnostic::warning(hook.place(), message)])
}

/// Visits the starts that conditions distinguish and that count; `see` gets what tells which
/// conditions hold. Where the starts are not known, nothing under a condition applies.
fn each_start<'r>(
    conditions: impl Iterator<Item = &'r When<'r>>,
    counts: &dyn Fn(&Facts) -> bool,
    see: &mut dyn FnMut(Holds),
) {
    match Scenarios::of(conditions) {
        None => see(&|conditions| conditions.is_empty()),
        Some(scenarios) => scenarios.each(&mut |facts| {
            if counts(facts) {
                see(&|conditions| conditions.iter().all(|when| when.holds(facts)));
            }
        }),
    }
}

/// Returns the limit of the secrets in a start: the last that a rule names. `None` if there are no
/// secrets.
fn secrets_limit<'r>(rules: &[&ReachableRule<'r>], holds: Holds) -> Option<SecretsLimit<'r>> {
    let applying = || rules.iter().filter(|rule_in_context| holds(&rule_in_context.conditions));
    let first = applying().find(|rule_in_context| has_secrets(rule_in_context))?;
    let named = applying().filter_map(|rule_in_context| {
        let place = rule_in_context.place("secrets_timeout_ms");
        Some(SecretsLimit { limit: rule_in_context.rule.secrets_timeout?, place })
    });
    let default = SecretsLimit { limit: DEFAULT_TIMEOUT, place: secrets_place(first) };
    Some(named.last().unwrap_or(default))
}

/// Finds a hook without a limit, which may use up the time of the hooks behind it.
fn unlimited<'r>(phase: Phase, hooks: &[LimitedHook<'r>]) -> Option<Diagnostic<'r>> {
    let both = |a: &LimitedHook<'r>, b: &LimitedHook<'r>| -> Vec<&'r When<'r>> {
        a.conditions.iter().chain(&b.conditions).copied().collect()
    };
    let together =
        |a: &LimitedHook<'r>, b: &LimitedHook<'r>| runs(phase, &both(a, b)) == Some(true);
    let mut in_order: Vec<_> = hooks.iter().filter(|hook| !hook.hook.background).collect();
    // Hooks run in reverse order here.
    if phase == Phase::PreStop {
        in_order.reverse();
    }
    in_order.iter().enumerate().filter(|(_, hook)| hook.hook.timeout.is_none()).find_map(
        |(index, hook)| {
            let after = in_order[index + 1..].iter().find(|after| together(hook, after))?;
            let (name, after, most) =
                (hook.hook.name, after.hook.name, seconds(phase.default_timeout()));
            let message = format!(
                "the hook {name:?} has no limit and may use up the {most} that all {} hooks have; \
                 {after:?}, which runs after it, is then not started; give it a \"timeout_ms\"",
                phase.name()
            );
            Some(Diagnostic::warning(hook.place(), message))
        },
    )
}

/// Finds a hook whose pauses leave no time for its last attempt.
fn attempts<'r>(limited: &LimitedHook<'r>) -> Option<Diagnostic<'r>> {
    let hook = limited.hook;
    let limit = hook.limit()?;
    let (mut fit, mut begins, mut pause) = (1, hook.pause, hook.pause);
    while fit < hook.attempts && begins < limit {
        fit += 1;
        pause = pause.saturating_mul(2);
        begins = begins.saturating_add(pause);
    }
    (fit < hook.attempts).then(|| {
        let message = format!(
            "of the {} attempts of the hook {:?}, at most {fit} fit into its limit of {}, because \
             the pause between them doubles each time; lower \"attempts\" or \"pause_ms\", or \
             raise \"timeout_ms\"",
            hook.attempts,
            hook.name,
            seconds(limit)
        );
        let place = limited.document.inside(hook.place, &[Step::Member("attempts")]);
        Diagnostic::warning(place, message)
    })
}

impl<'r> LimitedHook<'r> {
    fn place(&self) -> Place<'r> {
        self.document.inside(self.hook.place, &[Step::Member("timeout_ms")])
    }
}

/// Returns the time that a hook can take from others; a hook that only has the rest of the phase
/// takes none.
fn limit(hook: &Hook) -> Duration {
    match (hook.timeout, hook.phase) {
        // Nobody waits for a hook in the background.
        _ if hook.background => Duration::ZERO,
        (Some(limit), _) => limit,
        (None, Phase::Initialize | Phase::BeforeSnapshot) => hook.phase.default_timeout(),
        (None, Phase::AfterRestore | Phase::PreStop) => Duration::ZERO,
    }
}

/// Returns the budgets of a phase, for each kind of environment
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
fn budgets(phase: Phase, timeout: Option<Duration>) -> Vec<Vec<TimeBudget>> {
    let budget = |most, whose: &str, is_for| TimeBudget {
        most: Duration::from_secs(most),
        whose: whose.into(),
        is_for,
    };
    let every: fn(&Facts) -> bool = |_| true;
    match phase {
        Phase::Initialize => {
            let on_demand: fn(&Facts) -> bool = |facts| is_initialized(facts, &["on-demand"]);
            let long: fn(&Facts) -> bool = |facts| is_initialized(facts, &LONG_INIT);
            let init = budget(10, "an on-demand function has an init phase of", on_demand);
            let Some(timeout) = timeout.map(|timeout| timeout.as_secs()) else {
                return vec![vec![init]];
            };
            let again = "an init that fails or takes more than 10 s runs again inside the first \
                         invocation, within the function's timeout of";
            let long_init = "for SnapStart and provisioned concurrency an init has the function's \
                             timeout, at least 130 s: here";
            let again = budget(timeout, again, on_demand);
            vec![vec![again, init], vec![budget(timeout.max(130), long_init, long)]]
        }
        Phase::BeforeSnapshot => vec![vec![budget(120, "before a snapshot there are", every)]],
        Phase::AfterRestore => {
            vec![vec![budget(8, "of the 10 s that Lambda gives a restore, hooks have", every)]]
        }
        Phase::PreStop => vec![vec![budget(2, "Lambda ends an environment within", every)]],
    }
}

fn is_initialized(facts: &Facts, names: &[&str]) -> bool {
    facts
        .environ
        .value(INITIALIZATION)
        .is_some_and(|value| names.iter().any(|name| value == OsStr::new(name)))
}
