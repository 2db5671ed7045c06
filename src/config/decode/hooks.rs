//! The part of decoding that reads hooks.

use super::Decoder;
use crate::condition::When;
use crate::config::{Command, Export, Hook, OnFailure, Phase};
use crate::json::{Kind, Node};
use std::borrow::Cow;
use std::time::Duration;

impl<'a> Decoder<'a> {
    pub(super) fn hooks(&mut self, node: Node<'a>) -> Vec<Hook<'a>> {
        let mut hooks = Vec::new();
        for (key, _, value) in self.object(node, &Phase::ALL.map(Phase::name)) {
            let phase =
                Phase::ALL.into_iter().find(|phase| phase.name() == key).expect("object() passes these keys only");
            let list = self.list(value);
            hooks.extend(list.into_iter().filter_map(|node| self.hook(node, phase)));
        }
        hooks
    }

    fn hook(&mut self, node: Node<'a>, phase: Phase) -> Option<Hook<'a>> {
        const KEYS: [&str; 8] = ["name", "command", "env", "cwd", "timeout_ms", "on_failure", "when", "export"];
        let (mut name, mut command) = (None, None);
        let mut hook = Hook {
            place: self.place(node),
            phase,
            name: Cow::Borrowed(""),
            command: Command::Words(Vec::new()),
            env: Vec::new(),
            cwd: None,
            timeout: None,
            on_failure: OnFailure::Fail,
            when: When::default(),
            export: None,
        };
        let before = self.problems.len();
        for (key, at, value) in self.object(node, &KEYS) {
            match &*key {
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
                "when" => hook.when = self.nested(value, Self::when).unwrap_or_default(),
                _ if phase == Phase::Initialize => {
                    hook.export = self.one_of(value, &[("json", Export::Json), ("dotenv", Export::Dotenv)])
                }
                _ => self.problem(
                    at,
                    format!(
                        "a hook in {} cannot export: the runtime runs already; \"export\" goes with \"initialize\"",
                        phase.name()
                    ),
                ),
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
        match node.kind() {
            Kind::Text => self.filled(node).map(Command::Shell),
            Kind::List => {
                let words = self.texts(node);
                let first = node.items().into_iter().next();
                match (first, words.first()) {
                    (None, _) => self.problem(node, "the command is empty; its first text is the program".into()),
                    (Some(first), Some(word)) if word.written().is_empty() => {
                        self.problem(first, "the command's program is an empty text".into())
                    }
                    _ => return Some(Command::Words(words)),
                }
                None
            }
            other => {
                self.problem(
                    node,
                    format!("expected a list of texts, or a text for /bin/sh, found {}", other.described()),
                );
                None
            }
        }
    }

    fn milliseconds(&mut self, node: Node<'a>) -> Option<Duration> {
        match (node.kind(), node.written().parse::<u32>()) {
            (Kind::Number, Ok(1..)) => node.written().parse().ok().map(Duration::from_millis),
            (Kind::Number, _) => {
                self.problem(
                    node,
                    format!("\"timeout_ms\" is {}; it takes whole milliseconds from 1 to {}", node.written(), u32::MAX),
                );
                None
            }
            _ => self.wrong(node, "a number of milliseconds"),
        }
    }
}
