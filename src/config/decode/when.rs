//! The part of decoding that reads conditions.

use super::super::near::near;
use super::Decoder;
use crate::condition::{EnvTest, Runtime, When};
use crate::glob::Case;
use crate::json::{Kind, Node};
use crate::text::Text;

impl<'a> Decoder<'a> {
    pub(super) fn when(&mut self, node: Node<'a>) -> When<'a> {
        const KEYS: [&str; 7] = ["runtime", "initialization", "architecture", "file", "env", "not", "any"];
        let mut when = When::default();
        for (key, _, value) in self.object(node, &KEYS) {
            match &*key {
                "runtime" => when.runtime = Some(self.one_or_more(value, Self::runtime)),
                "initialization" => when.initialization = Some(self.one_or_more(value, Self::text)),
                "architecture" => {
                    when.architecture = Some(self.one_or_more(value, |decoder, node| {
                        decoder.one_of(node, &[("x86_64", "x86_64"), ("arm64", "arm64")])
                    }));
                }
                "file" => when.file = self.one_or_more(value, Self::filled_glob),
                "env" => {
                    when.env = self
                        .map(value)
                        .into_iter()
                        .filter_map(|(name, _, test)| Some((name, self.env_test(test)?)))
                        .collect();
                }
                "not" => when.not = self.nested(value, Self::when).map(Box::new),
                _ => {
                    when.any = Some(
                        self.filled_list(value).into_iter().filter_map(|node| self.nested(node, Self::when)).collect(),
                    )
                }
            }
        }
        when
    }

    fn runtime(&mut self, node: Node<'a>) -> Option<Text<'a>> {
        let glob = self.filled_glob(node)?;
        let written = glob.written();
        if Runtime::of_family(written).is_none()
            && !written.contains(|c: char| c.is_ascii_digit() || "*?[$".contains(c))
        {
            let families = Runtime::ALL.map(Runtime::name);
            let hint = near(written, &families).map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
            self.problem(
                node,
                format!(
                    "\"{written}\" is no runtime{hint} (one of {}, or a glob such as \"python3.*\")",
                    families.join(", ")
                ),
            );
        }
        Some(glob)
    }

    fn env_test(&mut self, node: Node<'a>) -> Option<EnvTest<'a>> {
        match node.kind() {
            Kind::Boolean if node.written() == "true" => Some(EnvTest::NonEmpty),
            Kind::Boolean => Some(EnvTest::UnsetOrEmpty),
            Kind::Text | Kind::List => Some(EnvTest::Matches(self.one_or_more(node, Self::glob), Case::Respected)),
            Kind::Object => {
                let (mut globs, mut case) = (None, Case::Respected);
                for (key, _, value) in self.object(node, &["matches", "ignore_case"]) {
                    match (&*key, value.kind()) {
                        ("matches", _) => globs = Some(self.one_or_more(value, Self::glob)),
                        (_, Kind::Boolean) if value.written() == "true" => case = Case::Ignored,
                        (_, Kind::Boolean) => case = Case::Respected,
                        _ => self.wrong(value, "true or false").unwrap_or_default(),
                    }
                }
                if globs.is_none() {
                    self.problem(node, "the test has no \"matches\"".into());
                }
                Some(EnvTest::Matches(globs?, case))
            }
            _ => self.wrong(node, "true, false, a glob, a list of globs or an object with \"matches\""),
        }
    }
}
