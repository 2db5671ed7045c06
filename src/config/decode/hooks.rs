//! Decodes hooks.

use super::{A_HOOK, Decoder, HOOKS, Node, PHASES};
use crate::config::{Command, Export, Hook, OnFailure};
use crate::json::{self, Number, Value};
use crate::loopback::{Address, Request};
use crate::phase::Phase;
use crate::template::Template;
use std::time::Duration;

/// The keys that a hook may have.
const KEYS: [&str; 13] = [
    "name",
    "command",
    "http",
    "wait_for",
    "env",
    "cwd",
    "timeout_ms",
    "attempts",
    "pause_ms",
    "on_failure",
    "when",
    "export",
    "background",
];

/// The keys of a hook that exclude or need others, as far as it has them.
#[derive(Default)]
struct FoundKeys<'a> {
    command: Option<Node<'a>>,
    http: Option<Node<'a>>,
    cwd: Option<Node<'a>>,
    export: Option<Node<'a>>,
    pause: Option<Node<'a>>,
}

impl<'a> FoundKeys<'a> {
    /// Returns the first key that cannot stand beside the others, with the reason.
    fn conflict(&self, hook: &Hook) -> Option<(Node<'a>, &'static str)> {
        let Self { command, http, cwd, export, pause } = *self;
        let has_output = command.or(http).is_some();
        let conflicts = [
            (http.and(command), "\"command\" and \"http\" cannot stand in one hook"),
            (http.and(cwd), "\"cwd\" goes with \"command\" only"),
            (
                export.filter(|_| hook.background),
                "nobody waits for the export of a hook in the background",
            ),
            (export.filter(|_| !has_output), "\"export\" goes with \"command\" or \"http\""),
            (pause.filter(|_| hook.attempts == 1), "\"pause_ms\" goes with \"attempts\" above 1"),
        ];
        conflicts.into_iter().find_map(|(key, why)| Some((key?, why)))
    }
}

impl<'a> Decoder<'a> {
    /// Decodes the hooks of all phases.
    // Inlined, it would add a page to the stack frame of a rule.
    #[inline(never)]
    pub(super) fn hooks(&mut self, node: Node<'a>) -> Vec<Hook<'a>> {
        let mut hooks = Vec::new();
        if !matches!(node.value, Value::Object(_)) {
            return self.wrong_type(node, PHASES).unwrap_or_default();
        }
        for (key, value) in self.known_members(node, &Phase::ALL.map(Phase::name)) {
            if let Some(phase) = Phase::from_name(key.as_key()) {
                let array = self.array_of(value, HOOKS);
                hooks.extend(self.decode_each(array, |decoder, node| decoder.hook(node, phase)));
            }
        }
        hooks
    }

    /// Decodes a hook of a phase.
    fn hook(&mut self, node: Node<'a>, phase: Phase) -> Option<Hook<'a>> {
        if !matches!(node.value, Value::Object(_)) {
            return self.wrong_type(node, A_HOOK);
        }
        let mut hook = Hook::empty(phase, self.place(node));
        let (mut name, mut command) = (None, None);
        let mut found = FoundKeys::default();
        let before = self.problems.len();
        for (key, value) in self.known_members(node, &KEYS) {
            match key.as_key() {
                "name" => name = self.non_empty_string(value),
                "command" => {
                    found.command = Some(key);
                    command = self.command(value);
                }
                "http" => {
                    found.http = Some(key);
                    command = self
                        .loopback_template(value, |text| Request::parse(text).map(drop))
                        .map(Command::Http);
                }
                "wait_for" => {
                    hook.wait_for =
                        self.loopback_template(value, |text| Address::parse(text).map(drop));
                }
                "env" => hook.env = self.env(value),
                "cwd" => {
                    found.cwd = Some(key);
                    hook.cwd = self.non_empty_template(value);
                }
                "timeout_ms" => hook.timeout = self.milliseconds("timeout_ms", value),
                "pause_ms" => {
                    found.pause = Some(key);
                    hook.pause = self.milliseconds("pause_ms", value).unwrap_or(Hook::PAUSE);
                }
                "attempts" => hook.attempts = self.attempts(value).unwrap_or(1),
                "background" if phase == Phase::Initialize => {
                    hook.background = self.boolean(value);
                }
                "background" => self.report(
                    key,
                    format!(
                        "a hook in {} cannot run in the background; \"background\" goes with \
                         \"initialize\"",
                        phase.name()
                    ),
                ),
                "on_failure" => {
                    let words = [("fail", OnFailure::Fail), ("continue", OnFailure::Continue)];
                    hook.on_failure = self.one_of(value, &words).unwrap_or_default();
                }
                "when" => self.when(value, &mut hook.when),
                "export" if phase == Phase::Initialize => {
                    found.export = Some(key);
                    hook.export =
                        self.one_of(value, &[("json", Export::Json), ("dotenv", Export::Dotenv)]);
                }
                "export" => self.report(
                    key,
                    format!(
                        "a hook in {} cannot export: the runtime runs already; let it write a \
                         file for the handler to read, or move it to \"initialize\"",
                        phase.name()
                    ),
                ),
                _ => {}
            }
        }
        let has_command = found.command.or(found.http).is_some();
        // A missing key may be there under a name that was just reported.
        if self.problems.len() == before {
            if let Some((key, why)) = found.conflict(&hook) {
                self.report(key, why.into());
            } else if name.is_none() {
                self.report(node, "the hook has no \"name\"".into());
            } else if !has_command && hook.wait_for.is_none() {
                self.report(node, "the hook has no \"command\"".into());
            }
        }
        let command = if has_command { command? } else { Command::Nothing };
        Some(Hook { name: name?, command, ..hook })
    }

    /// Decodes a template that names a server on this machine. Parses it now unless it depends on
    /// variables.
    fn loopback_template(
        &mut self,
        node: Node<'a>,
        parse: impl Fn(&'a str) -> Result<(), String>,
    ) -> Option<Template<'a>> {
        let template = self.non_empty_template(node)?;
        match if template.is_plain() { parse(template.written()) } else { Ok(()) } {
            Ok(()) => Some(template),
            Err(message) => self.refuse(node, &message),
        }
    }

    /// Decodes the most attempts.
    fn attempts(&mut self, node: Node<'a>) -> Option<u32> {
        match node.value {
            Value::Number(Number::Whole(number @ 1..=100)) => u32::try_from(number).ok(),
            Value::Number(_) => {
                let written = json::written(&self.source.text, node.number);
                self.refuse(
                    node,
                    &format!("\"attempts\" is {written}; it takes whole numbers from 1 to 100"),
                )
            }
            _ => self.wrong_type(node, "a number of attempts"),
        }
    }

    /// Decodes a command.
    fn command(&mut self, node: Node<'a>) -> Option<Command<'a>> {
        match &node.value {
            Value::String(_) => self.non_empty_string(node).map(Command::Shell),
            Value::Array(items) => match (items.first(), self.templates(node)) {
                (None, _) => {
                    self.refuse(node, "the command is empty; its first string is the program")
                }
                (Some(first), words)
                    if words.first().is_some_and(|word| word.written().is_empty()) =>
                {
                    self.refuse(first, "the command's program is an empty string")
                }
                (_, words) => Some(Command::Words(words)),
            },
            _ => self.wrong_type(node, "an array of strings, or a string for /bin/sh"),
        }
    }

    /// Decodes a duration in milliseconds.
    pub(super) fn milliseconds(&mut self, key: &str, node: Node<'a>) -> Option<Duration> {
        match node.value {
            Value::Number(Number::Whole(number @ 1..=0xffff_ffff)) => {
                Some(Duration::from_millis(number))
            }
            Value::Number(_) => {
                let written = json::written(&self.source.text, node.number);
                self.refuse(
                    node,
                    &format!(
                        "\"{key}\" is {written}; it takes whole milliseconds from 1 to {}",
                        u32::MAX
                    ),
                )
            }
            _ => self.wrong_type(node, "a number of milliseconds"),
        }
    }
}
