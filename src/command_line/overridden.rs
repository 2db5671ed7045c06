//! Finds options in an environment variable that have no effect because the command line overrides
//! them, for the tool. The variables are `NODE_OPTIONS`
//! (<https://nodejs.org/api/cli.html#node_optionsoptions>), `JAVA_TOOL_OPTIONS` and
//! `JDK_JAVA_OPTIONS` (<https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html>);
//! `_JAVA_OPTIONS` overrides the command line. A test of the real interpreters checks the results.

use super::Interpreter;
use std::fmt;

/// An option of a variable that an option of the command line overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    pub option: String,
    pub winner: String,
    /// Whether the interpreter fails to start with both.
    pub is_fatal: bool,
    /// The edit of `options` to make instead.
    pub instead: SuggestedEdit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuggestedEdit {
    Value { name: String, value: String },
    Append(String),
    Remove(String),
}

impl fmt::Display for SuggestedEdit {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            SuggestedEdit::Value { name, value } => {
                write!(formatter, "{{\"values\": {{{name:?}: {value:?}}}}}")
            }
            SuggestedEdit::Append(option) => write!(formatter, "{{\"append\": [{option:?}]}}"),
            SuggestedEdit::Remove(option) => write!(formatter, "{{\"remove\": [{option:?}]}}"),
        }
    }
}

/// The environment variables from which an interpreter takes options, where its command line wins.
pub const OPTIONS_VARIABLES: [(&str, Interpreter); 3] = [
    ("NODE_OPTIONS", Interpreter::Node),
    ("JAVA_TOOL_OPTIONS", Interpreter::Java),
    ("JDK_JAVA_OPTIONS", Interpreter::Java),
];

/// Finds the options in the value of a variable that the options of a command line override.
pub fn find_overridden(interpreter: Interpreter, value: &str, line: &[String]) -> Vec<Overridden> {
    let words: Vec<String> = value.split_ascii_whitespace().map(str::to_owned).collect();
    match interpreter {
        Interpreter::Node => of_node(&words, line),
        Interpreter::Java => of_java(&words, line),
        Interpreter::Python | Interpreter::Ruby | Interpreter::Dotnet => Vec::new(),
    }
}

/// Node's options of which the last one counts. Options that add up, such as `--import`, are not
/// among them.
const OF_ONE_VALUE: [&str; 3] =
    ["--max-http-header-size", "--max-old-space-size", "--max-semi-space-size"];

/// An option of Node.
struct NodeOption<'w> {
    /// The name as it is written.
    written: &'w str,
    name: String,
    value: Option<&'w str>,
}

fn node_options(words: &[String]) -> Vec<NodeOption<'_>> {
    let mut options = Vec::new();
    for (at, word) in words.iter().enumerate().filter(|(_, word)| word.starts_with("--")) {
        let (written, joined) =
            word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        let separate = words.get(at + 1).map(String::as_str).filter(|next| !next.starts_with('-'));
        options.push(NodeOption {
            written,
            name: written.replace('_', "-"),
            value: joined.or(separate),
        });
    }
    options
}

fn of_node(words: &[String], line: &[String]) -> Vec<Overridden> {
    let line = node_options(line);
    let of_one = |option: NodeOption| {
        let winner = line
            .iter()
            .rev()
            .find(|other| is_opposite(&option.name, &other.name) || option.name == other.name)?;
        if is_opposite(&option.name, &winner.name) {
            let (option, winner) = (option.written.to_owned(), winner.written.to_owned());
            return Some(Overridden {
                option,
                is_fatal: false,
                instead: SuggestedEdit::Remove(winner.clone()),
                winner,
            });
        }
        let value = option.value.filter(|_| {
            OF_ONE_VALUE.contains(&option.name.as_str()) && option.value != winner.value
        })?;
        Some(Overridden {
            option: format!("{}={value}", option.written),
            winner: winner
                .value
                .map_or(winner.written.into(), |value| format!("{} {value}", winner.written)),
            is_fatal: false,
            instead: SuggestedEdit::Value { name: winner.written.into(), value: value.into() },
        })
    };
    node_options(words).into_iter().filter_map(of_one).collect()
}

fn is_opposite(one: &str, other: &str) -> bool {
    let negates = |one: &str, other: &str| one.strip_prefix("--no-") == other.strip_prefix("--");
    negates(one, other) || negates(other, one)
}

fn of_java(words: &[String], line: &[String]) -> Vec<Overridden> {
    let of_one = |option: &String| {
        let key = java_setting(option)?;
        if key == JavaSetting::HeapShare {
            let winner =
                line.iter().rev().find(|other| java_setting(other) == Some(JavaSetting::Heap))?;
            let name = winner.split_once('=').map_or("-Xmx", |(name, _)| name);
            let separator = if name == "-Xmx" { "" } else { "=" };
            let instead = SuggestedEdit::Remove(format!("{name}{separator}*"));
            return Some(Overridden {
                option: option.clone(),
                winner: winner.clone(),
                is_fatal: false,
                instead,
            });
        }
        let winner = line
            .iter()
            .rev()
            .find(|other| java_setting(other).as_ref() == Some(&key))
            .filter(|other| *other != option)?;
        let is_collector = key == JavaSetting::Collector;
        let instead = if is_collector {
            SuggestedEdit::Remove(winner.clone())
        } else {
            SuggestedEdit::Append(option.clone())
        };
        Some(Overridden {
            option: option.clone(),
            winner: winner.clone(),
            is_fatal: is_collector,
            instead,
        })
    };
    words.iter().filter_map(of_one).collect()
}

/// The setting that an option of `java` changes.
#[derive(Debug, PartialEq, Eq)]
enum JavaSetting<'w> {
    Heap,
    /// A share of the memory as heap, which has no effect if the heap's size is set.
    HeapShare,
    /// The garbage collector; `java` fails to start with two.
    Collector,
    Other(&'w str),
}

/// Returns the setting that an option changes; `None` for options that add up, such as
/// `-javaagent:`.
fn java_setting(option: &str) -> Option<JavaSetting<'_>> {
    const SHARES: [&str; 3] = ["MaxRAMPercentage", "MaxRAMFraction", "MaxRAM"];
    if let Some(flag) = option.strip_prefix("-XX:") {
        let name = flag.split('=').next().unwrap_or(flag);
        let is_collector = |name: &str| name.starts_with("Use") && name.ends_with("GC");
        return Some(match name.strip_prefix('+') {
            _ if name == "MaxHeapSize" => JavaSetting::Heap,
            _ if SHARES.contains(&name) => JavaSetting::HeapShare,
            Some(name) if is_collector(name) => JavaSetting::Collector,
            Some(name) => JavaSetting::Other(name),
            None => JavaSetting::Other(name.strip_prefix('-').unwrap_or(name)),
        });
    }
    match option {
        _ if option.starts_with("-Xmx") => Some(JavaSetting::Heap),
        _ if option.starts_with("-Xshare:") => Some(JavaSetting::Other("-Xshare")),
        _ if option.starts_with("-D") => {
            Some(JavaSetting::Other(option.split('=').next().unwrap_or(option)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(interpreter: Interpreter, value: &str, line: &str) -> Vec<String> {
        let line: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let shown = |one: Overridden| format!("{} < {}: {}", one.option, one.winner, one.instead);
        find_overridden(interpreter, value, &line).into_iter().map(shown).collect()
    }

    #[test]
    fn options_of_node_are_overridden_by_the_command_line() {
        let line = "--expose-gc --max-http-header-size 81920 --max-semi-space-size=6 \
                    --max-old-space-size=116 --no-experimental-require-module";
        for (value, expected) in [
            (
                "--max-old-space-size=64",
                "--max-old-space-size=64 < --max-old-space-size 116: {\"values\": \
                 {\"--max-old-space-size\": \"64\"}}",
            ),
            (
                "--max_old_space_size=64",
                "--max_old_space_size=64 < --max-old-space-size 116: {\"values\": \
                 {\"--max-old-space-size\": \"64\"}}",
            ),
            (
                "--max-http-header-size 9",
                "--max-http-header-size=9 < --max-http-header-size 81920: {\"values\": \
                 {\"--max-http-header-size\": \"9\"}}",
            ),
            (
                "--max-semi-space-size=1",
                "--max-semi-space-size=1 < --max-semi-space-size 6: {\"values\": \
                 {\"--max-semi-space-size\": \"1\"}}",
            ),
            (
                "--experimental-require-module",
                "--experimental-require-module < --no-experimental-require-module: {\"remove\": \
                 [\"--no-experimental-require-module\"]}",
            ),
            ("--no-expose-gc", "--no-expose-gc < --expose-gc: {\"remove\": [\"--expose-gc\"]}"),
        ] {
            assert_eq!(found(Interpreter::Node, value, line), [expected], "{value}");
        }
        for value in [
            "",
            "--import /a.mjs",
            "--max-old-space-size=116",
            "--enable-source-maps",
            "--expose-gc",
            "-r ./a.js",
        ] {
            assert_eq!(
                found(Interpreter::Node, value, &format!("{line} --import /b.mjs")),
                [] as [&str; 0],
                "{value}"
            );
        }
    }

    #[test]
    fn options_of_java_are_overridden_by_the_command_line() {
        let line = "-XX:MaxHeapSize=111412k -javaagent:/a.jar -XX:+UseSerialGC -Xshare:on \
                    -XX:+TieredCompilation -XX:TieredStopAtLevel=1 \
                    --add-opens=java.base/java.io=ALL-UNNAMED -Da=b";
        for (value, expected) in [
            ("-Xmx50m", "-Xmx50m < -XX:MaxHeapSize=111412k: {\"append\": [\"-Xmx50m\"]}"),
            (
                "-XX:MaxHeapSize=50m",
                "-XX:MaxHeapSize=50m < -XX:MaxHeapSize=111412k: {\"append\": \
                 [\"-XX:MaxHeapSize=50m\"]}",
            ),
            (
                "-XX:MaxRAMPercentage=75",
                "-XX:MaxRAMPercentage=75 < -XX:MaxHeapSize=111412k: {\"remove\": \
                 [\"-XX:MaxHeapSize=*\"]}",
            ),
            (
                "-XX:-TieredCompilation",
                "-XX:-TieredCompilation < -XX:+TieredCompilation: {\"append\": \
                 [\"-XX:-TieredCompilation\"]}",
            ),
            (
                "-XX:TieredStopAtLevel=4",
                "-XX:TieredStopAtLevel=4 < -XX:TieredStopAtLevel=1: {\"append\": \
                 [\"-XX:TieredStopAtLevel=4\"]}",
            ),
            ("-Xshare:auto", "-Xshare:auto < -Xshare:on: {\"append\": [\"-Xshare:auto\"]}"),
            (
                "-XX:+UseG1GC",
                "-XX:+UseG1GC < -XX:+UseSerialGC: {\"remove\": [\"-XX:+UseSerialGC\"]}",
            ),
            ("-Da=c", "-Da=c < -Da=b: {\"append\": [\"-Da=c\"]}"),
        ] {
            assert_eq!(found(Interpreter::Java, value, line), [expected], "{value}");
        }
        for value in [
            "",
            "-javaagent:/b.jar",
            "-XX:+UseSerialGC",
            "-Db=1",
            "--add-opens=a/b=C",
            "-XX:+UseStringDeduplication",
        ] {
            assert_eq!(found(Interpreter::Java, value, line), [] as [&str; 0], "{value}");
        }
    }
}
