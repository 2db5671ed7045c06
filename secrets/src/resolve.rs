//! From references to variables: what has to be asked, each thing once, and which variable gets
//! which part of the answer. `aws` does the asking.

use crate::aws::{self, Answers, Target};
use crate::cli::{self, Request};
use crate::failure::Failure;
use crate::value::Value;
use foreword_secrets::reference::{Reference, Source};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::ffi::OsStr;

/// Resolves all of it, or names all that failed. A variable given by itself wins over a path.
pub fn resolve(request: &Request) -> Result<BTreeMap<String, Value>, Vec<Failure>> {
    let is_wanted = |name: &str, own: Option<&str>| {
        !request.keep_existing || !has_other_value(env::var_os(name).as_deref(), own)
    };
    let variables: Vec<&(String, Reference)> = request
        .variables
        .iter()
        .filter(|(name, reference)| is_wanted(name, Some(&reference.to_string())))
        .collect();
    let targets: BTreeSet<Target> =
        variables.iter().map(|(_, reference)| target(&reference.source)).collect();
    let paths: Vec<Target> = request
        .paths
        .iter()
        .map(|(_, path)| Target::Path {
            region: path.region.clone(),
            account: path.account.clone(),
            path: path.path.clone(),
        })
        .collect();
    let answers = aws::fetch(targets.into_iter().chain(paths.iter().cloned()), request.timeout);

    let mut failures = Vec::new();
    let is_left = |name: &str| {
        is_wanted(name, None) && variables.iter().all(|(variable, _)| variable != name)
    };
    let mut resolved = below_paths(request, &paths, &answers, &is_left, &mut failures);
    for (name, reference) in variables {
        match value(reference, &answers) {
            Ok(value) => {
                resolved.insert(name.clone(), value);
            }
            Err(cause) => failures.push(Failure {
                variable: name.clone(),
                reference: reference.to_string(),
                cause,
            }),
        }
    }
    if failures.is_empty() { Ok(resolved) } else { Err(failures) }
}

/// A reference that stands in a variable is no value of it.
fn has_other_value(value: Option<&OsStr>, reference: Option<&str>) -> bool {
    value.is_some_and(|value| !value.is_empty() && reference != value.to_str())
}

fn target(source: &Source) -> Target {
    match source.clone() {
        Source::Parameter { name, region } => Target::Parameter { region, name },
        Source::Secret { id, region, version, .. } => Target::Secret { region, id, version },
    }
}

/// The variables of all paths that are left to them. Those of a later path replace those of an
/// earlier one; two parameters below one path that have one name are a failure: one would be lost.
fn below_paths(
    request: &Request,
    targets: &[Target],
    answers: &Answers,
    is_left: &dyn Fn(&str) -> bool,
    failures: &mut Vec<Failure>,
) -> BTreeMap<String, Value> {
    let mut resolved = BTreeMap::new();
    for ((prefix, path), target) in request.paths.iter().zip(targets) {
        let mut fail = |cause| {
            failures.push(Failure {
                variable: format!("{prefix}*"),
                reference: path.to_string(),
                cause,
            });
        };
        let parameters = match answers.get(target) {
            Ok(parameters) => parameters,
            Err(cause) => {
                fail(cause);
                continue;
            }
        };
        let mut origins: HashMap<String, &str> = HashMap::new();
        for (parameter, value) in parameters {
            let Some(name) = path.variable(prefix, parameter).filter(|name| is_left(name)) else {
                continue;
            };
            if let Err(cause) = cli::check_name(&name, request.format) {
                fail(format!("{parameter} would be {name:?}: {cause}"));
            } else if let Err(cause) = without_nul(value) {
                fail(format!("{parameter}: {cause}"));
            } else if let Some(other) = origins.insert(name.clone(), parameter) {
                fail(format!("{other} and {parameter} would both be {name}; rename one of them"));
            } else {
                resolved.insert(name, value.clone());
            }
        }
    }
    resolved
}

fn value(reference: &Reference, answers: &Answers) -> Result<Value, String> {
    let found = answers.get(&target(&reference.source))?;
    let Some((_, whole)) = found.first() else {
        return Err("AWS gave no value".to_owned());
    };
    let value = match &reference.source {
        Source::Secret { field: Some(field), .. } => self::field(whole, field)?,
        _ => whole.clone(),
    };
    without_nul(&value).map(|()| value)
}

fn without_nul(value: &Value) -> Result<(), String> {
    match value.expose().contains('\0') {
        true => Err("the value holds a NUL character, which no variable can; encode it".to_owned()),
        false => Ok(()),
    }
}

/// A field of a JSON object: a text as it is, everything else as it is written there.
fn field(whole: &Value, name: &str) -> Result<Value, String> {
    let fields: HashMap<String, Box<RawValue>> = serde_json::from_str(whole.expose())
        .map_err(|_| format!("the secret is no JSON object, so it has no field {name:?}"))?;
    let Some(raw) = fields.get(name) else {
        return Err(format!("the secret has no field {name:?}"));
    };
    match raw.get() {
        "null" => Err(format!("the field {name:?} is null")),
        text if text.starts_with('"') => serde_json::from_str::<String>(text)
            .map(Value::from)
            .map_err(|_| format!("the field {name:?} holds half a character")),
        text => Ok(Value::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_is_as_it_is_written() {
        let secret = Value::from(
            r#"{"text": "a\n\u00e9", "number": 1.50, "big": 12345678901234567890123, "yes": true,
                "list": [1, "x"], "none": null, "": "empty"}"#,
        );
        for (name, expected) in [
            ("text", "a\né"),
            ("number", "1.50"),
            ("big", "12345678901234567890123"),
            ("yes", "true"),
            ("list", "[1, \"x\"]"),
            ("", "empty"),
        ] {
            assert_eq!(field(&secret, name).expect(name).expose(), expected);
        }
        assert_eq!(field(&secret, "none").expect_err("null"), "the field \"none\" is null");
        assert_eq!(field(&secret, "x").expect_err("x"), "the secret has no field \"x\"");
        for text in ["hidden", "[1]", "\"text\"", "1", "null", ""] {
            let cause = field(&Value::from(text), "x").expect_err(text);
            assert_eq!(cause, "the secret is no JSON object, so it has no field \"x\"");
        }
    }

    #[test]
    fn variable_keeps_every_value_but_the_reference() {
        let has = |value: Option<&str>| has_other_value(value.map(OsStr::new), Some("ssm:/x"));
        assert!(has(Some("local")));
        assert!(has(Some("ssm:/y")));
        assert!(!has(Some("ssm:/x")));
        assert!(!has(Some("")));
        assert!(!has(None));
    }
}
