//! The part of decoding that reads conditions.

use super::super::suggest::find_nearest;
use super::{Decoder, Node};
use crate::condition::{EnvTest, When};
use crate::glob::Case;
use crate::json::Value;
use crate::lambda::{INITIALIZATIONS, Runtime};
use crate::template::Template;

impl<'a> Decoder<'a> {
    /// Decodes into an empty condition, which is a part of something larger.
    pub(super) fn when(&mut self, node: Node<'a>, when: &mut When<'a>) {
        self.nested(node, |decoder, node| decoder.condition(node, when));
    }

    // With this in its frame a rule would take a page of the stack more.
    #[inline(never)]
    fn condition(&mut self, node: Node<'a>, when: &mut When<'a>) {
        const KEYS: [&str; 7] =
            ["runtime", "initialization", "architecture", "file", "env", "not", "any"];
        for (key, value) in self.object(node, &KEYS) {
            match key.as_key() {
                "runtime" => when.runtime = Some(self.one_or_more(value, Self::runtime)),
                "initialization" => {
                    when.initialization = Some(self.one_or_more(value, Self::initialization))
                }
                "architecture" => {
                    when.architecture = Some(self.one_or_more(value, |decoder, node| {
                        decoder.one_of(node, &[("x86_64", "x86_64"), ("arm64", "arm64")])
                    }));
                }
                "file" => when.file = self.one_or_more(value, Self::filled_glob),
                "env" => {
                    let tests = self.map(value);
                    when.env = self.each(tests, |decoder, (name, test)| {
                        Some((name.as_key(), decoder.env_test(test)?))
                    });
                }
                "not" => self.when(value, when.not.insert(Box::default())),
                "any" => {
                    let list = self.filled_list(value);
                    when.any = Some(self.each(list, |decoder, node| {
                        let mut one = When::default();
                        decoder.when(node, &mut one);
                        Some(one)
                    }));
                }
                _ => {}
            }
        }
    }

    fn runtime(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let glob = self.filled_glob(node)?;
        let written = glob.written();
        if Runtime::from_name(written).is_none()
            && !written.contains(|c: char| c.is_ascii_digit() || "*?[$".contains(c))
        {
            let families = Runtime::ALL.map(Runtime::name);
            let hint = find_nearest(written, &families)
                .map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
            self.problem(
                node,
                format!(
                    "\"{written}\" is no runtime{hint} (one of {}, or a glob such as \
                     \"python3.*\")",
                    families.join(", ")
                ),
            );
        } else if written != Runtime::Provided.name() && Runtime::is_only_provided(written) {
            self.problem(
                node,
                format!(
                    "\"{written}\" never holds: an OS-only function is not told which runtime it \
                     has (AWS_EXECUTION_ENV is not set there); write \"provided\""
                ),
            );
        }
        Some(glob)
    }

    /// Lambda may come to know more of them than these, so only what is nearly one of them is
    /// refused.
    fn initialization(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let text = self.filled_text(node)?;
        let near = if INITIALIZATIONS.contains(&text.written()) {
            None
        } else {
            find_nearest(text.written(), &INITIALIZATIONS)
        };
        match near {
            None => Some(text),
            Some(near) => self.refuse(
                node,
                &format!("\"{}\" is no initialization; did you mean \"{near}\"?", text.written()),
            ),
        }
    }

    fn env_test(&mut self, node: Node<'a>) -> Option<EnvTest<'a>> {
        match node.value {
            Value::Boolean(true) => Some(EnvTest::NonEmpty),
            Value::Boolean(false) => Some(EnvTest::UnsetOrEmpty),
            Value::String(_) | Value::Array(_) => {
                Some(EnvTest::Matches(self.one_or_more(node, Self::glob), Case::Sensitive))
            }
            Value::Object(_) => {
                let (mut globs, mut case) = (None, Case::Sensitive);
                let before = self.problems.len();
                for (key, value) in self.object(node, &["matches", "ignore_case"]) {
                    match (key.as_key(), &value.value) {
                        ("matches", _) => globs = Some(self.one_or_more(value, Self::glob)),
                        ("ignore_case", Value::Boolean(true)) => case = Case::Insensitive,
                        ("ignore_case", Value::Boolean(false)) => case = Case::Sensitive,
                        ("ignore_case", _) => {
                            self.wrong(value, "true or false").unwrap_or_default()
                        }
                        _ => {}
                    }
                }
                if globs.is_none() && self.problems.len() == before {
                    self.problem(node, "the test has no \"matches\"".into());
                }
                Some(EnvTest::Matches(globs?, case))
            }
            _ => self.wrong(
                node,
                "true, false, a glob, an array of globs or an object with \"matches\"",
            ),
        }
    }
}
