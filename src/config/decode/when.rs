//! Decodes conditions (`when`).

use super::{Decoder, Node, find_nearest};
use crate::condition::{EnvTest, When};
use crate::glob::Case;
use crate::json::Value;
use crate::lambda::{EXECUTION_ENV, INITIALIZATIONS, Runtime};
use crate::template::Template;

impl<'a> Decoder<'a> {
    /// Decodes a condition into an empty one, which saves the copy of a large value.
    pub(super) fn when(&mut self, node: Node<'a>, when: &mut When<'a>) {
        self.decode_nested(node, |decoder, node| decoder.condition(node, when));
    }

    // Inlined, it would add a page to the stack frame of a rule.
    #[inline(never)]
    fn condition(&mut self, node: Node<'a>, when: &mut When<'a>) {
        const KEYS: [&str; 7] =
            ["runtime", "initialization", "architecture", "file", "env", "not", "any"];
        for (key, value) in self.known_members(node, &KEYS) {
            match key.as_key() {
                "runtime" => when.runtime = Some(self.one_or_more(value, Self::runtime)),
                "initialization" => {
                    when.initialization = Some(self.one_or_more(value, Self::initialization));
                }
                "architecture" => {
                    when.architecture = Some(self.one_or_more(value, |decoder, node| {
                        decoder.one_of(node, &[("x86_64", "x86_64"), ("arm64", "arm64")])
                    }));
                }
                "file" => when.file = self.one_or_more(value, Self::non_empty_glob),
                "env" => {
                    let tests = self.data_members(value);
                    when.env = self.decode_each(tests, |decoder, (name, test)| {
                        Some((name.as_key(), decoder.env_test(test)?))
                    });
                }
                "not" => self.when(value, when.not.insert(Box::default())),
                "any" => {
                    let array = self.non_empty_array(value);
                    when.any = Some(self.decode_each(array, |decoder, node| {
                        let mut one = When::default();
                        decoder.when(node, &mut one);
                        Some(one)
                    }));
                }
                _ => {}
            }
        }
    }

    /// Decodes a family of runtimes, or a glob of their identifiers.
    fn runtime(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let glob = self.non_empty_glob(node)?;
        let written = glob.written();
        if Runtime::from_name(written).is_none()
            && !written.contains(|c: char| c.is_ascii_digit() || "*?[$".contains(c))
        {
            let families = Runtime::ALL.map(Runtime::name);
            let hint = find_nearest(written, &families)
                .map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
            self.report(
                node,
                format!(
                    "\"{written}\" is no runtime{hint} (one of {}, or a glob such as \
                     \"python3.*\")",
                    families.join(", ")
                ),
            );
        } else if written != Runtime::Provided.name() && Runtime::is_only_provided(written) {
            self.report(
                node,
                format!(
                    "\"{written}\" never holds: an OS-only function is not told which runtime it \
                     has ({EXECUTION_ENV} is not set there); write \"provided\""
                ),
            );
        }
        Some(glob)
    }

    /// Decodes a value of `AWS_LAMBDA_INITIALIZATION_TYPE`. Lambda may get more of them, so this refuses
    /// only a word that is nearly one of those known.
    fn initialization(&mut self, node: Node<'a>) -> Option<Template<'a>> {
        let text = self.non_empty_template(node)?;
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

    /// Decodes the test of a variable.
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
                for (key, value) in self.known_members(node, &["matches", "ignore_case"]) {
                    match (key.as_key(), &value.value) {
                        ("matches", _) => globs = Some(self.one_or_more(value, Self::glob)),
                        ("ignore_case", Value::Boolean(true)) => case = Case::Insensitive,
                        ("ignore_case", Value::Boolean(false)) => case = Case::Sensitive,
                        ("ignore_case", _) => {
                            self.wrong_type::<()>(value, "true or false");
                        }
                        _ => {}
                    }
                }
                if globs.is_none() && self.problems.len() == before {
                    self.report(node, "the test has no \"matches\"".into());
                }
                Some(EnvTest::Matches(globs?, case))
            }
            _ => self.wrong_type(
                node,
                "true, false, a glob, an array of globs or an object with \"matches\"",
            ),
        }
    }
}
