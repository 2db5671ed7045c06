//! The plan for people.

use super::overview::{
    HookCommandKind, HookOverview, Overview, PhaseOverview, Redacted, RuleDescription, RunBy,
    SecretOverview, SecretsOverview, SkippedPart, VariableEdit,
};
use crate::cli::printer::{Colors, DIM, GREEN, ListLine, Printer, RED, YELLOW, escaped, seconds};
use crate::config::OnFailure;
use crate::environ::REDACTED;
use crate::phase::Phase;
use crate::secrets::PROGRAM;
use anstyle::Style;

/// Widest name that aligns what follows the names of a list.
const WIDEST_NAME: usize = 32;

pub fn render(overview: &Overview, colors: Colors) -> String {
    let mut page = Page { printer: Printer::new(colors) };
    page.sources(overview);
    page.command_line(overview);
    page.secrets(overview.secrets.as_ref());
    page.environment(&overview.env_edits, overview.secrets.as_ref());
    page.skipped(overview);
    page.hooks(&overview.phases, &overview.relay.why, &overview.extension.why);
    page.others(overview);
    page.messages("Only a run can tell", &overview.notes, DIM);
    page.messages("Warnings", &overview.warnings, YELLOW);
    page.printer.into_text()
}

struct Page {
    printer: Printer,
}

impl Page {
    fn sources(&mut self, overview: &Overview) {
        self.printer.section("Configuration");
        if overview.is_disabled {
            self.printer
                .line("not read: FOREWORD_DISABLED is set, and the runtime is executed untouched");
        } else if overview.sources.is_empty() {
            self.printer.line("none is found, and the runtime is executed untouched");
        }
        overview.sources.iter().for_each(|source| self.printer.line(&escaped(source)));
        let line = |described: &RuleDescription| {
            let text = escaped(&described.place);
            ListLine { width: text.chars().count(), text, aside: described.description.clone() }
        };
        self.printer.list(overview.descriptions.iter().map(line).collect());
        if overview.task_root == "." {
            self.printer.styled_line(DIM, &escaped("this directory stands for /var/task"));
        }
    }

    fn command_line(&mut self, overview: &Overview) {
        self.printer.section("Command line");
        self.printer.styled_line(DIM, &escaped(&format!("{:<10} {}", "runtime", overview.runtime)));
        let line = &overview.command_line;
        for (name, words) in [
            ("prefix", &line.prefix[..]),
            ("program", std::slice::from_ref(&line.program)),
            ("launches", &line.launched),
            ("options", &line.options),
            ("entry", &line.entry),
            ("arguments", &line.arguments),
        ] {
            if !words.is_empty() {
                self.printer.line(&format!("{name:<10} {}", joined(words)));
            }
        }
        let rules: Vec<_> = overview.word_edits.iter().map(|edit| edit.rule.as_str()).collect();
        if !rules.is_empty() {
            for (name, what) in
                [("received", joined(&overview.received)), ("edited by", rules.join(", "))]
            {
                self.printer.styled_line(DIM, &escaped(&format!("{name:<10} {what}")));
            }
        }
    }

    fn secrets(&mut self, secrets: Option<&SecretsOverview>) {
        let Some(SecretsOverview { variables, paths, timeout_ms, is_needed }) = secrets else {
            return;
        };
        self.printer.section("Secrets");
        if *is_needed {
            let about = format!("resolved by {PROGRAM} at the start, within {timeout_ms} ms");
            self.printer.line(&about);
        } else {
            self.printer.line(&format!("none to resolve: {PROGRAM} is not started"));
        }
        let line = |secret: &SecretOverview, suffix| {
            let SecretOverview { name, reference, place, is_kept } = secret;
            let text = match is_kept {
                true => format!("{name} keeps its value, {reference} is not asked for"),
                false => format!("{name}{suffix} from {reference}"),
            };
            let text = escaped(&text);
            let aside = place.clone().unwrap_or_else(|| "the variable itself".into());
            ListLine { width: text.chars().count(), text, aside }
        };
        let paths = paths.iter().map(|path| line(path, "*"));
        let lines = variables.iter().map(|variable| line(variable, "")).chain(paths).collect();
        self.printer.list(lines);
    }

    fn environment(&mut self, edits: &[VariableEdit], secrets: Option<&SecretsOverview>) {
        self.printer.section("Environment");
        if edits.is_empty() {
            self.printer.line(match secrets {
                Some(secrets) if secrets.is_needed => "as received, with the secrets",
                _ => "as received",
            });
        }
        let lines = self.edits(edits);
        self.printer.list(lines);
    }

    fn edits(&self, edits: &[VariableEdit]) -> Vec<ListLine> {
        let widths = edits
            .iter()
            .map(|edit| edit.name.chars().count())
            .filter(|&width| width <= WIDEST_NAME);
        let column = widths.max().unwrap_or(0);
        let line = |edit: &VariableEdit| {
            let (sign, style, values) = match (&edit.before, &edit.after) {
                (Some(_), Some(after)) if !edit.is_changed => {
                    (' ', DIM, format!("stays {}", quoted(after)))
                }
                (None, None) => (' ', DIM, "stays unset".into()),
                (Some(before), Some(after)) => {
                    ('~', YELLOW, format!("{} → {}", quoted(before), quoted(after)))
                }
                (None, Some(after)) => ('+', GREEN, quoted(after)),
                (Some(before), None) => ('-', RED, quoted(before)),
            };
            let rest = format!("{:<column$}  {values}", escaped(&edit.name));
            let width = 2 + rest.chars().count();
            let text = format!("{} {rest}", self.printer.paint(style, &sign.to_string()));
            ListLine { width, text, aside: edit.place.clone() }
        };
        edits.iter().map(line).collect()
    }

    fn skipped(&mut self, overview: &Overview) {
        if overview.skipped.is_empty() {
            return;
        }
        self.printer.section("Does not apply");
        let line = |skipped: &SkippedPart| {
            let name = skipped.name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
            let about =
                skipped.description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
            let text =
                escaped(&format!("{}{name}{about}: {}", skipped.kind, skipped.why.join("; ")));
            ListLine { width: text.chars().count(), text, aside: skipped.place.clone() }
        };
        self.printer.list(overview.skipped.iter().map(line).collect());
    }

    fn hooks(&mut self, phases: &[PhaseOverview], why_no_relay: &str, why_no_extension: &str) {
        self.printer.section("Hooks");
        if phases.iter().all(|phase| phase.hooks.is_empty()) {
            self.printer.line("none");
        }
        for phase in phases.iter().filter(|phase| !phase.hooks.is_empty()) {
            let together = phase
                .limit
                .map(|limit| format!(", {} together", seconds(limit)))
                .unwrap_or_default();
            let about = match (phase.phase, phase.run_by) {
                (Phase::PreStop, RunBy::Nobody) => {
                    format!("not run: {}", escaped(why_no_extension))
                }
                (_, RunBy::Nobody) => format!("not run: {}", escaped(why_no_relay)),
                (Phase::Initialize, _) => "before the runtime is started".into(),
                (_, RunBy::Wrapper) => format!("before the runtime is started{together}"),
                (_, RunBy::Relay) => format!("by the relay{together}"),
                (_, RunBy::Extension) => format!("by the extension{together}"),
            };
            self.printer.line(&format!("{} ({about})", phase.phase.name()));
            let widths = phase.hooks.iter().map(|hook| hook.name.chars().count());
            let column = widths.filter(|&width| width <= WIDEST_NAME).max().unwrap_or(0);
            let details: Vec<_> = phase.hooks.iter().map(details).collect();
            let details_column =
                details.iter().map(|details| details.chars().count()).max().unwrap_or(0);
            let mut lines = Vec::new();
            for (index, hook) in phase.hooks.iter().enumerate() {
                let name = escaped(&hook.name);
                let text = format!("  {}. {name:<column$}  {}", index + 1, command(hook));
                let aside = format!("{:<details_column$}  {}", details[index], hook.place);
                lines.push(ListLine { width: text.chars().count(), text, aside });
                for edit in self.edits(&hook.env) {
                    let text = format!("       {}", edit.text);
                    let aside = format!("{:<details_column$}  {}", "", edit.aside);
                    lines.push(ListLine { width: 7 + edit.width, text, aside });
                }
            }
            self.printer.list(lines);
        }
    }

    fn others(&mut self, overview: &Overview) {
        self.printer.section("Wrappers, relay, extension");
        let mut lines = Vec::new();
        for (index, wrapper) in overview.wrappers.iter().enumerate() {
            let text =
                format!("wrapper {}  {}", index + 1, joined(std::slice::from_ref(&wrapper.path)));
            let comes_back = if wrapper.is_last { "last, never comes back  " } else { "" };
            let aside = format!("{comes_back}{}", wrapper.place);
            lines.push(ListLine { width: text.chars().count(), text, aside });
            for edit in self.edits(&wrapper.env) {
                let text = format!("       {}", edit.text);
                lines.push(ListLine { width: 7 + edit.width, text, aside: edit.aside });
            }
        }
        self.printer.list(lines);
        if overview.wrappers.is_empty() {
            self.printer.line("wrappers   none");
        }
        for (name, answer) in [("relay", &overview.relay), ("extension", &overview.extension)] {
            let why = escaped(&answer.why);
            self.printer
                .line(&format!("{name:<9}  {}: {why}", if answer.is_yes { "yes" } else { "no" }));
        }
    }

    fn messages(&mut self, title: &str, messages: &[String], style: Style) {
        if messages.is_empty() {
            return;
        }
        self.printer.section(title);
        for message in messages {
            self.printer.styled_line(style, &escaped(message));
        }
    }
}

/// Returns the command of a hook; that of a shell hook as it is written.
fn command(hook: &HookOverview) -> String {
    match (hook.action, &hook.words[..]) {
        (HookCommandKind::Shell, [_, _, text]) => escaped(&String::from_utf8_lossy(&text.0)),
        (HookCommandKind::Http, [request]) => {
            format!("http {}", escaped(&String::from_utf8_lossy(&request.0)))
        }
        (HookCommandKind::Nothing, _) => "only waits".into(),
        (_, words) => joined(words),
    }
}

fn details(hook: &HookOverview) -> String {
    let mut details = vec![match hook.limit {
        None => "without a limit".into(),
        Some(limit) if hook.has_own_limit => seconds(limit),
        Some(_) => "what is left".into(),
    }];
    details.extend(
        hook.wait_for
            .as_ref()
            .map(|address| format!("waits for {}", joined(std::slice::from_ref(address)))),
    );
    if hook.attempts > 1 {
        details.push(format!(
            "{} attempts, the second after {}",
            hook.attempts,
            seconds(hook.pause)
        ));
    }
    if hook.background {
        details.push("in the background".into());
    }
    details
        .extend(hook.cwd.as_ref().map(|cwd| format!("in {}", joined(std::slice::from_ref(cwd)))));
    details.extend(hook.export.map(|export| format!("exports {}", export.name())));
    if hook.on_failure == OnFailure::Continue {
        details.push("may fail".into());
    }
    details.join(", ")
}

/// Quotes words for a shell, if they are text.
fn joined(words: &[Redacted]) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-[]".contains(c);
    let word = |word: &Redacted| match str::from_utf8(&word.0) {
        Ok(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Ok(text) if !text.contains(char::is_control) => {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
        _ => quoted(word),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Quotes a value; bytes that are not UTF-8 are escaped.
fn quoted(shown: &Redacted) -> String {
    match str::from_utf8(&shown.0) {
        Ok(REDACTED) => REDACTED.into(),
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", shown.0.escape_ascii()),
    }
}
