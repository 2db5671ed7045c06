//! The life of an environment as Lambda leads it: init, snapshot and restore, invocations, and what
//! becomes of them when something breaks. Limits are those of AWS's documentation, "Understanding
//! the Lambda execution environment lifecycle".

use super::Simulation;
use super::environment::{ExecutionEnvironment, SPINDOWN};
use super::event::{Caller, LifecycleStage, TimelineEvent};
use super::failure::{EnvironmentFailure, LARGEST_EVENT, event_too_large, invocation_error};
use super::platform::{self, InitEvents, PlatformStatus};
use crate::phase::Phase;
use crate::simulated_lambda::service::request_id;
use crate::simulated_lambda::{Outcome, Parked};
use std::time::{Duration, Instant};

/// The init of an on-demand function.
const INIT: Duration = Duration::from_secs(10);

/// What the init before a snapshot has at least; it has the function's timeout, if that is more.
const INIT_BEFORE_SNAPSHOT: Duration = Duration::from_secs(130);

/// From the restore until the runtime is ready.
const RESTORE: Duration = Duration::from_secs(10);

/// What the caller of a function gets whose restore takes too long (AWS's documentation,
/// "Troubleshooting SnapStart errors").
const TOO_LATE: &str = r#"{"errorType":"Lambda.SnapStartTimeoutException","errorMessage":"Lambda couldn't restore the snapshot within the timeout limit."}"#;

impl Simulation<'_> {
    /// One environment from its beginning, until all events have been answered.
    pub fn run_environment(&self) {
        let mut environment = match self.prepare(None) {
            Ok(environment) => Some(environment),
            // Nobody can invoke a version that is not there, or an environment that is not
            // restored.
            Err(_) if self.options.snap_start => return,
            Err(EnvironmentFailure::Interrupted) => return,
            Err(_) => {
                self.recorder.record(&TimelineEvent::Note(
                    "Lambda tries again, inside the first invocation",
                ));
                None
            }
        };
        for (index, event) in self.events.iter().enumerate() {
            environment = self.invoke(environment, index + 1, event);
            if self.interruption.signal().is_some() {
                break;
            }
        }
        if let Some(environment) = environment {
            environment.shut_down(SPINDOWN);
        }
    }

    /// Brings an environment up to its first event; inside an invocation, within its limit. Tells
    /// what breaks.
    fn prepare(
        &self,
        inside: Option<Instant>,
    ) -> Result<ExecutionEnvironment<'_>, EnvironmentFailure> {
        let mut environment = ExecutionEnvironment::new(self);
        let limit = match inside {
            Some(_) => self.options.timeout,
            None if self.options.snap_start => INIT_BEFORE_SNAPSHOT.max(self.options.timeout),
            None => INIT,
        };
        self.recorder.begin_stage(LifecycleStage::Init, Some(limit));
        let begin = Instant::now();
        let init = self.init(inside.is_some());
        init.starts(&environment);
        let parked = environment.initialize(inside.unwrap_or(begin + limit));
        environment.init = Some(begin.elapsed());
        let status =
            parked.as_ref().map_or_else(PlatformStatus::of_failure, |_| PlatformStatus::SUCCESS);
        init.ends(&environment, &status, begin.elapsed());
        let parked = match parked {
            Ok(parked) => parked,
            Err(failure) => {
                let why = match inside {
                    Some(_) => format!("the function's timeout is {} s", limit.as_secs()),
                    None => format!("the init has {} s", limit.as_secs()),
                };
                let is_late = matches!(failure, EnvironmentFailure::TimedOut);
                let phases = [Phase::Initialize, Phase::BeforeSnapshot];
                let cut_off =
                    is_late.then(|| environment.record_timed_out_hook(&phases, &why)).flatten();
                let error = failure.caller_error(None, limit).filter(|_| self.options.snap_start);
                let what = match failure {
                    EnvironmentFailure::TimedOut if inside.is_none() => {
                        format!("Init phase exceeded {} s", limit.as_secs())
                    }
                    _ => failure.description(limit),
                };
                let what =
                    [Some(what), cut_off].into_iter().flatten().collect::<Vec<_>>().join("; ");
                self.give_up(environment, &failure, &what, Caller::Publisher, error);
                return Err(failure);
            }
        };
        self.recorder.end_stage();
        if self.options.snap_start { self.restore(environment, parked) } else { Ok(environment) }
    }

    fn restore<'s>(
        &self,
        mut environment: ExecutionEnvironment<'s>,
        parked: Parked,
    ) -> Result<ExecutionEnvironment<'s>, EnvironmentFailure> {
        self.recorder.begin_stage(LifecycleStage::Snapshot, None);
        if parked == Parked::InvocationNext {
            let note =
                "the runtime takes no part in it: it waits for events, and not to be restored";
            self.recorder.record(&TimelineEvent::Note(note));
        }
        self.recorder.end_stage();
        self.recorder.begin_stage(LifecycleStage::Restore, Some(RESTORE));
        let begin = Instant::now();
        platform::restore_starts(&environment, &self.init(false));
        let restored = environment.restore(begin + RESTORE);
        // What is billed and reported of an environment that was restored is the restore.
        (environment.init, environment.restore) = (None, Some(begin.elapsed()));
        let status =
            restored.as_ref().map_or_else(PlatformStatus::of_failure, |()| PlatformStatus::SUCCESS);
        platform::restore_ends(&environment, &status, begin.elapsed());
        if let Err(failure) = restored {
            let is_late = matches!(failure, EnvironmentFailure::TimedOut);
            let why = format!("the restore has {} s", RESTORE.as_secs());
            let cut_off = is_late
                .then(|| environment.record_timed_out_hook(&[Phase::AfterRestore], &why))
                .flatten();
            let error = match failure {
                EnvironmentFailure::TimedOut => Some(TOO_LATE.to_owned()),
                _ => failure.caller_error(None, RESTORE),
            };
            let what = [Some(failure.description(RESTORE)), cut_off]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("; ");
            self.give_up(environment, &failure, &what, Caller::Invoker(1), error);
            return Err(failure);
        }
        self.recorder.end_stage();
        Ok(environment)
    }

    /// Gives an event to the environment, or to a new one when there is none; gives it back if it
    /// can take another one.
    fn invoke<'s>(
        &'s self,
        environment: Option<ExecutionEnvironment<'s>>,
        number: usize,
        event: &str,
    ) -> Option<ExecutionEnvironment<'s>> {
        let (timeout, caller) = (self.options.timeout, Caller::Invoker(number));
        if event.len() > LARGEST_EVENT {
            // Whatever waits for events does not get to know of this one.
            self.recorder.begin_stage(LifecycleStage::Invocation(number), None);
            self.recorder
                .error(&TimelineEvent::Error { caller, body: &event_too_large(event.len()) });
            self.recorder.end_stage();
            return environment;
        }
        // A new environment of a function with snapshots is restored before, and any other is
        // initialized inside.
        let restored = match environment {
            None if self.options.snap_start => Some(self.prepare(None).ok()?),
            environment => environment,
        };
        let until = Instant::now() + timeout;
        let mut environment = match restored {
            Some(environment) => environment,
            None => match self.prepare(Some(until)) {
                Ok(environment) => environment,
                Err(failure) => {
                    self.fail_invocation(&failure, number, event);
                    return None;
                }
            },
        };
        self.recorder.begin_stage(LifecycleStage::Invocation(number), Some(timeout));
        // Whatever the function says about it comes behind it.
        let request = request_id(self.events_before() + 1);
        self.recorder.record(&TimelineEvent::Invocation {
            invocation: number,
            request: &request,
            body: event,
        });
        let begin = Instant::now();
        platform::invocation_starts(&environment, &request, self.version());
        let invoked = environment.invoke(event, until);
        let invocation = platform::InvocationReport {
            request: &request,
            took: begin.elapsed(),
            produced: invoked.as_ref().ok().map(|answer| answer.body.len()),
            memory: self.options.memory,
            init: environment.init.take(),
            restore: environment.restore.take(),
        };
        invocation.ends(
            &environment,
            &invoked.as_ref().map_or_else(PlatformStatus::of_failure, PlatformStatus::of),
        );
        match invoked {
            Ok(answer) if answer.outcome == Outcome::Response && answer.is_complete => {
                self.recorder.record(&TimelineEvent::Response {
                    invocation: number,
                    request: &request,
                    body: &answer.body,
                });
            }
            Ok(answer) => self
                .recorder
                .error(&TimelineEvent::Error { caller, body: &invocation_error(&answer) }),
            Err(failure) => {
                let error = failure.caller_error(Some(&request), timeout);
                self.give_up(environment, &failure, &failure.description(timeout), caller, error);
                return None;
            }
        }
        if let Err(failure) = environment.ready(until) {
            let what = format!("after its answer, {}", failure.description(timeout));
            self.give_up(environment, &failure, &what, caller, None);
            return None;
        }
        self.recorder.end_stage();
        Some(environment)
    }

    /// What the platform tells of an init.
    fn init(&self, is_inside: bool) -> InitEvents<'_> {
        InitEvents {
            initialization: if self.options.snap_start { "snap-start" } else { "on-demand" },
            is_inside,
            function: &self.function,
            version: self.version(),
            runtime: self.options.function.runtime.as_deref(),
            memory: self.options.memory,
        }
    }

    fn version(&self) -> &'static str {
        if self.options.snap_start { "1" } else { "$LATEST" }
    }

    /// An invocation for which no environment could be initialized.
    fn fail_invocation(&self, failure: &EnvironmentFailure, number: usize, event: &str) {
        self.recorder.begin_stage(LifecycleStage::Invocation(number), None);
        let request = request_id(self.count_event());
        self.recorder.record(&TimelineEvent::Invocation {
            invocation: number,
            request: &request,
            body: event,
        });
        if let Some(body) = failure.caller_error(Some(&request), self.options.timeout) {
            self.recorder
                .error(&TimelineEvent::Error { caller: Caller::Invoker(number), body: &body });
        }
        self.recorder.end_stage();
    }

    /// Tells what broke, and ends the environment.
    fn give_up(
        &self,
        environment: ExecutionEnvironment,
        failure: &EnvironmentFailure,
        what: &str,
        caller: Caller,
        error: Option<String>,
    ) {
        if !matches!(failure, EnvironmentFailure::Interrupted) {
            self.recorder.problem(what);
        }
        if let Some(body) = error {
            self.recorder.error(&TimelineEvent::Error { caller, body: &body });
        }
        self.recorder.end_stage();
        environment.shut_down(failure.shutdown_reason());
    }
}
