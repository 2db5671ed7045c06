//! The part of decoding that reads hooks.

use super::{A_HOOK, Decoder, HOOKS, Node, PHASES};
use crate::config::{Command, Export, Hook, OnFailure};
use crate::json::{self, Value};
use crate::loopback::{Address, Request};
use crate::phase::Phase;
use crate::template::Template;
use std::time::Duration;

impl<'a> Decoder<'a> {
    // With this in its frame a rule would take a page of the stack more.
    #[inline(never)]
    pub(super) fn hooks(&mut self, node: Node<'a>) -> Vec<Hook<'a>> {
        let mut hooks = Vec::new();
        if !matches!(node.value, Value::Object(_)) {
            return self.wrong(node, PHASES).unwrap_or_default();
        }
        for (key, value) in self.object(node, &Phase::ALL.map(Phase::name)) {
            if let Some(phase) = Phase::ALL.into_iter().find(|phase| phase.name() == key.as_key()) {
                let list = self.list_of(value, HOOKS);
                hooks.extend(self.each(list, |decoder, node| decoder.hook(node, phase)));
            }
        }
        hooks
    }

    fn hook(&mut self, node: Node<'a>, phase: Phase) -> Option<Hook<'a>> {
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
        if !matches!(node.value, Value::Object(_)) {
            return self.wrong(node, A_HOOK);
        }
        let (mut name, mut command, mut http, mut cwd, mut export, mut pause) =
            (None, None, None, None, None, None);
        let mut hook = Hook::empty(phase, self.place(node));
        let before = self.problems.len();
        for (at, value) in self.object(node, &KEYS) {
            match at.as_key() {
                "name" => name = self.filled(value),
                "command" => command = Some((at, self.command(value))),
                "http" => {
                    http = Some((at, self.loopback(value, |text| Request::parse(text).map(drop))))
                }
                "wait_for" => {
                    hook.wait_for = self.loopback(value, |text| Address::parse(text).map(drop))
                }
                "env" => hook.env = self.env(value),
                "cwd" => {
                    cwd = Some(at);
                    hook.cwd = self.filled_text(value);
                }
                "timeout_ms" => hook.timeout = self.milliseconds("timeout_ms", value),
                "pause_ms" => {
                    pause = Some(at);
                    hook.pause = self.milliseconds("pause_ms", value).unwrap_or(Hook::PAUSE);
                }
                "attempts" => hook.attempts = self.attempts(value).unwrap_or(1),
                "background" if phase == Phase::Initialize => match value.value {
                    Value::Boolean(background) => hook.background = background,
                    _ => self.wrong(value, "true or false").unwrap_or_default(),
                },
                "background" => self.problem(
                    at,
                    format!(
                        "a hook in {} cannot run in the background; \"background\" goes with \
                         \"initialize\"",
                        phase.name()
                    ),
                ),
                "on_failure" => {
                    hook.on_failure = self
                        .one_of(
                            value,
                            &[("fail", OnFailure::Fail), ("continue", OnFailure::Continue)],
                        )
                        .unwrap_or_default()
                }
                "when" => self.when(value, &mut hook.when),
                "export" if phase == Phase::Initialize => {
                    export = Some(at);
                    hook.export =
                        self.one_of(value, &[("json", Export::Json), ("dotenv", Export::Dotenv)])
                }
                "export" => self.problem(
                    at,
                    format!(
                        "a hook in {} cannot export: the runtime runs already; let it write a \
                         file for the handler to read, or move it to \"initialize\"",
                        phase.name()
                    ),
                ),
                _ => {}
            }
        }
        if self.problems.len() == before {
            let conflict = [
                (
                    http.as_ref().and(command.as_ref()).map(|(at, _)| *at),
                    "\"command\" and \"http\" cannot stand in one hook",
                ),
                (http.as_ref().and(cwd), "\"cwd\" goes with \"command\" only"),
                (
                    export.filter(|_| hook.background),
                    "nobody waits for the export of a hook in the background",
                ),
                (
                    export.filter(|_| http.is_none() && command.is_none()),
                    "\"export\" goes with \"command\" or \"http\"",
                ),
                (
                    pause.filter(|_| hook.attempts == 1),
                    "\"pause_ms\" goes with \"attempts\" above 1",
                ),
            ];
            if let Some((at, why)) = conflict.into_iter().find_map(|(at, why)| Some((at?, why))) {
                self.problem(at, why.into());
            } else if name.is_none() {
                self.problem(node, "the hook has no \"name\"".into());
            } else if command.is_none() && http.is_none() && hook.wait_for.is_none() {
                self.problem(node, "the hook has no \"command\"".into());
            }
        }
        let command = match (command, http) {
            (Some((_, command)), _) => command?,
            (None, Some((_, http))) => Command::Http(http?),
            (None, None) => Command::Nothing,
        };
        Some(Hook { name: name?, command, ..hook })
    }

    /// A text for a server of this machine, which is read now unless it depends on variables.
    fn loopback(
        &mut self,
        node: Node<'a>,
        read: impl Fn(&'a str) -> Result<(), String>,
    ) -> Option<Template<'a>> {
        let text = self.filled_text(node)?;
        match if text.is_plain() { read(text.written()) } else { Ok(()) } {
            Ok(()) => Some(text),
            Err(message) => self.refuse(node, &message),
        }
    }

    fn attempts(&mut self, node: Node<'a>) -> Option<u32> {
        match node.value {
            Value::Number(Some(number @ 1..=100)) => u32::try_from(number).ok(),
            Value::Number(_) => {
                let written = json::written(&self.source.text, node.number);
                self.refuse(
                    node,
                    &format!("\"attempts\" is {written}; it takes whole numbers from 1 to 100"),
                )
            }
            _ => self.wrong(node, "a number of attempts"),
        }
    }

    fn command(&mut self, node: Node<'a>) -> Option<Command<'a>> {
        match &node.value {
            Value::String(_) => self.filled(node).map(Command::Shell),
            Value::Array(items) => match (items.first(), self.texts(node)) {
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
            _ => self.wrong(node, "an array of strings, or a string for /bin/sh"),
        }
    }

    fn milliseconds(&mut self, key: &str, node: Node<'a>) -> Option<Duration> {
        match node.value {
            Value::Number(Some(number @ 1..=0xffff_ffff)) => Some(Duration::from_millis(number)),
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
            _ => self.wrong(node, "a number of milliseconds"),
        }
    }
}
