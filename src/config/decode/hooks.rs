//! The part of decoding that reads hooks.

use super::{A_HOOK, Decoder, HOOKS, Node, PHASES};
use crate::condition::When;
use crate::config::{Command, Export, Hook, OnFailure, Phase};
use crate::json::{self, Value};
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
        const KEYS: [&str; 8] = ["name", "command", "env", "cwd", "timeout_ms", "on_failure", "when", "export"];
        if !matches!(node.value, Value::Object(_)) {
            return self.wrong(node, A_HOOK);
        }
        let (mut name, mut command) = (None, None);
        let mut hook = Hook {
            place: self.place(node),
            phase,
            name: "",
            command: Command::Words(Vec::new()),
            env: Vec::new(),
            cwd: None,
            timeout: None,
            on_failure: OnFailure::Fail,
            when: When::default(),
            export: None,
        };
        let before = self.problems.len();
        for (at, value) in self.object(node, &KEYS) {
            match at.as_key() {
                "name" => name = self.filled(value),
                "command" => command = self.command(value),
                "env" => hook.env = self.env(value),
                "cwd" => hook.cwd = self.filled_text(value),
                "timeout_ms" => hook.timeout = self.milliseconds(value),
                "on_failure" => {
                    hook.on_failure = self
                        .one_of(value, &[("fail", OnFailure::Fail), ("continue", OnFailure::Continue)])
                        .unwrap_or_default()
                }
                "when" => self.when(value, &mut hook.when),
                "export" if phase == Phase::Initialize => {
                    hook.export = self.one_of(value, &[("json", Export::Json), ("dotenv", Export::Dotenv)])
                }
                "export" => self.problem(
                    at,
                    format!(
                        "a hook in {} cannot export: the runtime runs already; let it write a file for the handler to \
                         read, or move it to \"initialize\"",
                        phase.name()
                    ),
                ),
                _ => {}
            }
        }
        if self.problems.len() == before {
            let missing =
                [("name", name.is_none()), ("command", command.is_none())].into_iter().find(|(_, missing)| *missing);
            if let Some((key, _)) = missing {
                self.problem(node, format!("the hook has no \"{key}\""));
            }
        }
        Some(Hook { name: name?, command: command?, ..hook })
    }

    fn command(&mut self, node: Node<'a>) -> Option<Command<'a>> {
        match &node.value {
            Value::Text(_) => self.filled(node).map(Command::Shell),
            Value::List(items) => match (items.first(), self.texts(node)) {
                (None, _) => self.refuse(node, "the command is empty; its first string is the program"),
                (Some(first), words) if words.first().is_some_and(|word| word.written().is_empty()) => {
                    self.refuse(first, "the command's program is an empty string")
                }
                (_, words) => Some(Command::Words(words)),
            },
            _ => self.wrong(node, "an array of strings, or a string for /bin/sh"),
        }
    }

    fn milliseconds(&mut self, node: Node<'a>) -> Option<Duration> {
        match node.value {
            Value::Number(Some(number @ 1..=0xffff_ffff)) => Some(Duration::from_millis(number)),
            Value::Number(_) => {
                let written = json::written(&self.source.text, node.number);
                self.refuse(
                    node,
                    &format!("\"timeout_ms\" is {written}; it takes whole milliseconds from 1 to {}", u32::MAX),
                )
            }
            _ => self.wrong(node, "a number of milliseconds"),
        }
    }
}
