//! The overview of a plan, the one value that all formats print: the wrapper's plan of the same
//! command line, environment and sources. Its secrets are redacted.

mod explanations;
mod overwritten_edits;
mod phases;
mod redacted;
mod secrets;
mod variable_edits;
mod wrappers;

pub use explanations::Participation;
pub use phases::{HookCommandKind, HookOverview, PhaseOverview, RunBy};
pub use redacted::Redacted;
pub use secrets::{SecretOverview, SecretsOverview};
pub use variable_edits::VariableEdit;
pub use wrappers::WrapperOverview;

use crate::cli::function::Function;
use crate::cli::hints;
use crate::cli::side_effects::{self, EditedStart, SideEffect};
use crate::cli::snap_start;
use crate::cli::unset_variables::UnsetVariable;
use crate::command_line::Parts;
use crate::condition::{Facts, RuntimeName};
use crate::config::{self, Document, Place, Source};
use crate::environ::Environ;
use crate::glob::Glob;
use crate::lambda::{ARCHITECTURE, LambdaContext};
use crate::log;
use crate::phase::Phase;
use crate::plan::{Execution, Plan, Skipped};
use crate::report::Failure;
use explanations::UnsetContext;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use variable_edits::EditRecorder;

pub struct Overview {
    /// Lambda's identifier.
    pub runtime: String,
    /// True if `FOREWORD_DISABLED` is set: nothing is read and nothing changes.
    pub is_disabled: bool,
    pub sources: Vec<String>,
    /// The rules that apply and have a description.
    pub descriptions: Vec<RuleDescription>,
    /// The directory on this machine that stands for that of the code.
    pub task_root: String,
    pub received: Vec<Redacted>,
    pub command_line: CommandLineOverview,
    pub word_edits: Vec<WordEdit>,
    /// The environment of the runtime, as far as it is known.
    pub environment: Vec<Redacted>,
    /// `None` when no secret is resolved.
    pub secrets: Option<SecretsOverview>,
    pub env_edits: Vec<VariableEdit>,
    pub skipped: Vec<SkippedPart>,
    pub phases: Vec<PhaseOverview>,
    pub wrappers: Vec<WrapperOverview>,
    pub relay: Participation,
    pub extension: Participation,
    /// Notes about what only hooks and other wrappers determine.
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// The final command line, whole and in parts.
pub struct CommandLineOverview {
    pub words: Vec<Redacted>,
    pub prefix: Vec<Redacted>,
    pub program: Redacted,
    /// The launcher's words, up to the interpreter that it starts.
    pub launched: Vec<Redacted>,
    pub options: Vec<Redacted>,
    pub entry: Vec<Redacted>,
    pub arguments: Vec<Redacted>,
}

/// The command line after the edits of a rule.
pub struct WordEdit {
    pub rule: String,
    pub words: Vec<Redacted>,
}

/// The place of a rule, and its description.
pub struct RuleDescription {
    pub place: String,
    pub description: String,
}

pub struct SkippedPart {
    /// `rule`, `wrapper` or `hook`.
    pub kind: &'static str,
    pub name: Option<String>,
    /// The description of a rule.
    pub description: Option<String>,
    pub place: String,
    pub why: Vec<String>,
}

impl Overview {
    /// # Errors
    /// With the failure of the wrapper.
    pub fn new(function: &Function, sources: &[Source]) -> Result<Self, Failure> {
        let (received, environ) = (&function.received, &function.environ);
        let documents = config::parse_sources(sources);
        let rules = config::decode_rules(&documents)?;
        let runtime = RuntimeName::from_command(environ, received);
        let exists = |glob: &Glob| function.has(glob);
        let facts =
            Facts { environ, runtime: &runtime, architecture: ARCHITECTURE, exists: &exists };
        let mut plan = Plan::new(received, &rules, &facts);
        let request = plan.secrets(environ)?;
        let mut edited = environ.clone();
        secrets::put_placeholders(&request, &mut edited);
        let mut edits = EditRecorder::new(&edited);
        let mut changed = Vec::new();
        plan.edit_environ(&mut edited, &facts, |rule, edit, change| {
            edits.add(rule.place.to_string(), edit, change);
            if change.is_some() {
                changed.push((edit.name.to_owned(), edit.place.to_string()));
            }
        });
        plan.check()?;

        let (wrappers, unset_of_wrappers, behind_wrappers) = WrapperOverview::chain(&plan, &edited);
        let last = &behind_wrappers;
        let of_wrappers = plan.wrappers.iter().flat_map(|wrapper| &wrapper.env);
        changed.extend(of_wrappers.map(|edit| (edit.name.to_owned(), edit.place.to_string())));
        let read = |path: &OsStr| fs::read(function.here(Path::new(path)));
        let mut made = vec![(String::new(), received.clone())];
        let mut unmatched = Vec::new();
        let mut line = Execution::new(received, &read).line;
        let execution = plan.execution(last, &read, |rule, execution| {
            let document = document_of(&documents, rule.place);
            unmatched.extend(
                hints::unmatched_edits::unmatched_edits(rule, &line, last).iter().filter_map(
                    |unmatched| {
                        let place = unmatched.place(document?, rule);
                        Some(format!("{place}: {}", unmatched.message("the command line")))
                    },
                ),
            );
            line = execution.line.clone();
            let words = execution.clone().into_words();
            if made.last().is_some_and(|(_, before)| *before != words) {
                made.push((rule.place.to_string(), words));
            }
        });

        let exports = plan.hooks(Phase::Initialize).iter().any(|hook| hook.export.is_some());
        let mut warnings: Vec<_> = log::describe_unknown_level(environ).into_iter().collect();
        warnings.extend(function.note.clone());
        warnings
            .extend(function.bootstrap_of_code().map(|file| explanations::about_bootstrap(&file)));
        let start = EditedStart {
            runtime: &runtime.identifier,
            received,
            before: environ,
            last,
            line: &execution.line,
        };
        let changed: Vec<_> =
            changed.iter().map(|(name, place)| (name.as_str(), place.as_str())).collect();
        let about_effect = |(place, effect): (&str, SideEffect)| {
            format!("{place}: {}", effect.message(&runtime.identifier, false))
        };
        warnings.extend(side_effects::side_effects(&start, &changed).into_iter().map(about_effect));
        warnings.extend(snap_start::absent_in_conditions(&rules, &facts));
        let secrets = SecretsOverview::new(&request, last);
        let paths = secrets.as_ref().map_or(&[][..], |secrets| &secrets.paths);
        let before_secrets = UnsetContext { facts: &facts, paths: &[] };
        let unset_context = UnsetContext { facts: &facts, paths };
        let of_secrets =
            plan.rules.iter().flat_map(|rule| UnsetVariable::in_secrets(rule, environ));
        warnings.extend(of_secrets.map(|unset| before_secrets.describe(&unset, false)));
        warnings.extend(edits.unset.iter().map(|unset| unset_context.describe(unset, false)));
        let of_rules = plan.rules.iter().flat_map(|rule| UnsetVariable::in_rule(rule, last));
        warnings.extend(
            of_rules.chain(unset_of_wrappers).map(|unset| unset_context.describe(&unset, exports)),
        );
        let context = LambdaContext { environ, runtime: &runtime.identifier };
        let phase = |phase| {
            PhaseOverview::new(phase, &plan, &edited, last, &context, &unset_context, &mut warnings)
        };
        let phases = Phase::ALL.map(phase).into();
        warnings.extend(execution.warnings.iter().cloned());
        let program = execution.prefix.first().unwrap_or(&execution.line.program);
        if function.is_missing(program, last) && plan.wrappers.is_empty() && !exports {
            let path = last.lossy("PATH").unwrap_or("unset".into());
            let program = last.redact(program);
            warnings.push(format!(
                "there is no program {program:?} in PATH ({path}): the start ends with status 127"
            ));
        }
        warnings.extend(unmatched);
        warnings.extend(explanations::about_unknown_program(&plan, &execution, last));
        let env_edits = edits.shown(last);
        warnings.extend(env_edits.iter().filter(|edit| edit.is_changed).filter_map(|edit| {
            let wrapper = overwritten_edits::setter(&plan, &edited, runtime.family, &edit.name)?;
            Some(overwritten_edits::about(&edit.place, &edit.name, &wrapper))
        }));
        let mut descriptions = Vec::new();
        for rule in &plan.rules {
            let Some(document) = document_of(&documents, rule.place) else { continue };
            let hints = hints::of_rule(document, rule).into_iter();
            warnings.extend(hints.map(|hint| format!("{}: {}", hint.place, hint.message)));
            let described = |text: &str| RuleDescription {
                place: rule.place.to_string(),
                description: text.to_owned(),
            };
            descriptions.extend(document.string(rule.place, "description").map(described));
        }
        let skipped = plan.skipped.iter().map(|skipped| {
            let document = document_of(&documents, skipped.place());
            let description =
                document.and_then(|document| document.string(skipped.place(), "description"));
            SkippedPart::new(*skipped, description, &facts)
        });
        let skipped = skipped.collect();

        Ok(Self {
            runtime: runtime.identifier.clone(),
            is_disabled: false,
            sources: sources.iter().map(|source| source.name.clone()).collect(),
            descriptions,
            task_root: function.task_root().display().to_string(),
            received: words(received, last),
            command_line: CommandLineOverview::new(&execution, last),
            word_edits: made
                .drain(1..)
                .map(|(rule, left)| WordEdit { rule, words: words(&left, last) })
                .collect(),
            environment: redacted::environment(last),
            env_edits,
            skipped,
            phases,
            wrappers,
            relay: explanations::about_relay(&plan, &facts),
            extension: explanations::about_extension(&plan, environ),
            notes: explanations::notes(&plan, paths, function.inferred.as_deref()),
            secrets,
            warnings,
        })
    }
}

/// Returns the document of a place.
fn document_of<'d, 'a>(documents: &'d [Document<'a>], place: Place) -> Option<&'d Document<'a>> {
    documents.iter().find(|document| place.offset_in(document.source()).is_some())
}

impl CommandLineOverview {
    fn new(execution: &Execution, last: &Environ) -> Self {
        let Parts { launched, options, entry, arguments } = execution.line.parts();
        Self {
            words: words(&execution.clone().into_words(), last),
            prefix: words(&execution.prefix, last),
            program: Redacted::word(&execution.line.program, last),
            launched: words(&launched, last),
            options: words(&options, last),
            entry: words(&entry, last),
            arguments: words(&arguments, last),
        }
    }
}

fn words(words: &[OsString], environ: &Environ) -> Vec<Redacted> {
    words.iter().map(|word| Redacted::word(word, environ)).collect()
}

impl SkippedPart {
    fn new(skipped: Skipped, description: Option<&str>, facts: &Facts) -> Self {
        let (kind, name, when) = match skipped {
            Skipped::Rule(rule) => ("rule", None, &rule.when),
            Skipped::Wrapper(wrapper) => {
                ("wrapper", Some(wrapper.name.unwrap_or(wrapper.path.written())), &wrapper.when)
            }
            Skipped::Hook(hook) => ("hook", Some(hook.name), &hook.when),
        };
        Self {
            kind,
            name: name.map(str::to_owned),
            description: description.map(str::to_owned),
            place: skipped.place().to_string(),
            why: when.explain(facts),
        }
    }
}
