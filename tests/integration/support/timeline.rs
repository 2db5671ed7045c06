//! The timeline of `foreword simulate` without durations and bars, which vary.

#[cfg(feature = "real-parts")]
use super::{Test, real_part};

/// Replaces `▏   12 ms of 10 s` by `N ms of 10 s` in each row, and milliseconds in foreword's
/// messages. Removes the lines about the configuration and about missing credentials, which have
/// tests of their own.
pub fn timeless(output: &[u8]) -> String {
    let output = String::from_utf8_lossy(output);
    output
        .lines()
        .filter(|line| !is_about_the_shell(line))
        .map(|line| timeless_line(line) + "\n")
        .collect()
}

/// Reports whether a line, or the message of a note, depends on this shell alone.
pub fn is_about_the_shell(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("configuration: ") || line.starts_with("there are no credentials: ")
}

fn timeless_line(line: &str) -> String {
    let is_bar = |character: char| ('\u{2588}'..='\u{258f}').contains(&character);
    let row = line.find(is_bar).zip(line.find(" ms of "));
    let line = match row {
        Some((start, end)) => format!("{}N{}", &line[..start], &line[end..]),
        None => line.to_owned(),
    };
    let Some((before, after)) = line.split_once(" after ") else { return line };
    let rest = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
    if rest.len() < after.len() { format!("{before} after N{rest}") } else { line }
}

/// Adds the machine's programs, and before them the Python that has AWS's runtime client.
#[cfg(feature = "real-parts")]
pub fn with_python(test: Test) -> Test {
    let machine = std::env::var("PATH").expect("a PATH");
    test.env("PATH", format!("{}:{machine}", real_part("python/bin").display()))
}
