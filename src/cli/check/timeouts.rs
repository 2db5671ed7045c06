//! The time that hooks may take, against what Lambda leaves them.

use super::Diagnostic;
use super::rules::{ReachableRule, has_phase, runs};
use super::scenarios::Scenarios;
use crate::cli::printer::seconds;
use crate::condition::{Facts, When};
use crate::config::inspect::Step;
use crate::config::{Document, Hook, Place};
use crate::lambda::INITIALIZATION;
use crate::phase::Phase;
use std::ffi::OsStr;
use std::time::Duration;

/// A hook, and what decides whether and how long it runs.
struct LimitedHook<'r> {
    document: &'r Document<'r>,
    hook: &'r Hook<'r>,
    conditions: Vec<&'r When<'r>>,
    limit: Duration,
}

/// What hooks of a phase have together, in environments of some kind, and the text that says so
/// before the time.
struct TimeBudget {
    most: Duration,
    whose: String,
    is_for: fn(&Facts) -> bool,
}

/// The kinds of environments whose init has no limit of 10 s (AWS's documentation, "Lambda
/// execution environment").
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
        // Of the budgets of one kind of environment, the first that is passed says all.
        for budgets in budgets(phase, timeout) {
            let mut passed = budgets.iter().filter_map(|budget| check_phase(phase, budget, &hooks));
            diagnostics.extend(passed.next().into_iter().flatten());
        }
        if matches!(phase, Phase::AfterRestore | Phase::PreStop) {
            diagnostics.extend(unlimited(phase, &hooks));
        }
        diagnostics.extend(hooks.iter().filter_map(attempts));
    }
}

/// What is wrong when hooks may take more than they have together; none when they may not.
fn check_phase<'r>(
    phase: Phase,
    budget: &TimeBudget,
    hooks: &[LimitedHook<'r>],
) -> Option<Vec<Diagnostic<'r>>> {
    let TimeBudget { most, whose, is_for } = budget;
    let most = *most;
    let counts = |facts: &Facts| has_phase(facts, phase) && is_for(facts);
    let is_run =
        |hook: &LimitedHook, facts: &Facts| hook.conditions.iter().all(|when| when.holds(facts));
    let mut alone = Vec::new();
    for hook in hooks.iter().filter(|hook| hook.limit > most) {
        let scenarios = Scenarios::of(hook.conditions.iter().copied());
        if scenarios.is_none_or(|scenarios| {
            scenarios.any(|facts| counts(facts) && is_run(hook, facts)) != Some(false)
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
    // The sum of those that run in one scenario, where it is largest, and the hook that takes it past
    // the limit.
    let mut worst: Option<(Duration, &LimitedHook)> = None;
    let mut sum = |is_counted: &dyn Fn(&LimitedHook) -> bool| {
        let (mut total, mut first) = (Duration::ZERO, None);
        for hook in hooks.iter().filter(|hook| is_counted(hook)) {
            total += hook.limit;
            first = first.or(Some(hook).filter(|_| total > most));
        }
        if let Some(hook) = first
            && worst.is_none_or(|(worst, _)| worst < total)
        {
            worst = Some((total, hook));
        }
    };
    match Scenarios::of(hooks.iter().flat_map(|hook| hook.conditions.iter().copied())) {
        None => sum(&|hook| hook.conditions.is_empty()),
        Some(scenarios) => scenarios.each(&mut |facts| {
            if counts(facts) {
                sum(&|hook| is_run(hook, facts));
            }
        }),
    }
    let (total, hook) = worst?;
    let (name, total, most) = (phase.name(), seconds(total), seconds(most));
    let message = format!(
        "with this one, the {name} hooks may take {total}, and {whose} {most}; lower their limits"
    );
    Some(vec![Diagnostic::warning(hook.place(), format!("{message} (\"timeout_ms\")"))])
}

/// A hook without a limit may use up the time that its phase has for those that run after it, too.
fn unlimited<'r>(phase: Phase, hooks: &[LimitedHook<'r>]) -> Option<Diagnostic<'r>> {
    let both = |a: &LimitedHook<'r>, b: &LimitedHook<'r>| -> Vec<&'r When<'r>> {
        a.conditions.iter().chain(&b.conditions).copied().collect()
    };
    let together =
        |a: &LimitedHook<'r>, b: &LimitedHook<'r>| runs(phase, &both(a, b)) == Some(true);
    let mut in_order: Vec<_> = hooks.iter().filter(|hook| !hook.hook.background).collect();
    // What was registered last is stopped first.
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

/// What is wrong when the pauses between a hook's attempts alone leave no time for the last of
/// them.
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

/// What a hook may take; one that has what is left to it takes nothing from others.
fn limit(hook: &Hook) -> Duration {
    match (hook.timeout, hook.phase) {
        // Nobody waits for it.
        _ if hook.background => Duration::ZERO,
        (Some(limit), _) => limit,
        (None, Phase::Initialize | Phase::BeforeSnapshot) => hook.phase.default_timeout(),
        (None, Phase::AfterRestore | Phase::PreStop) => Duration::ZERO,
    }
}

/// What all hooks of a phase have together, for each kind of environment (AWS's documentation,
/// "Lambda execution environment").
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
