//! The grammar of Node: `node [option]... [SCRIPT | -e CODE | -] [--] [argument]...`; options may
//! follow code. Sources: "Command-line API" (<https://nodejs.org/api/cli.html>), and
//! `OptionsParser::Parse` in `src/node_options-inl.h` (<https://github.com/nodejs/node>).

use super::grammar::{AfterCode, Form, Grammar};

pub(super) const GRAMMAR: Grammar = Grammar { form, after_code: AfterCode::OptionsLastCodeIsEntry };

/// Options that take the next word as their value unless it is joined by `=`: those of type
/// integer, string, list and host:port in `internalBinding('options')` of Node 18, 20, 22 and 24,
/// and their aliases. V8's options take a value only after `=`. An option that takes the next word
/// in some of these versions only is not in the table.
pub(super) const WITH_VALUE: &[&str] = &[
    "--allow-fs-read",
    "--allow-fs-write",
    "--build-snapshot-config",
    "--conditions",
    "--cpu-prof-dir",
    "--cpu-prof-interval",
    "--cpu-prof-name",
    "--debug-port",
    "--diagnostic-dir",
    "--disable-proto",
    "--disable-warning",
    "--dns-result-order",
    "--env-file",
    "--env-file-if-exists",
    "--experimental-default-type",
    "--experimental-loader",
    "--experimental-package-map",
    "--experimental-policy",
    "--experimental-sea-config",
    "--experimental-test-isolation",
    "--experimental-test-tag-filter",
    "--heap-prof-dir",
    "--heap-prof-interval",
    "--heap-prof-name",
    "--heapsnapshot-near-heap-limit",
    "--heapsnapshot-signal",
    "--icu-data-dir",
    "--import",
    "--input-type",
    "--inspect-port",
    "--inspect-publish-uid",
    "--loader",
    "--localstorage-file",
    "--max-http-header-size",
    "--max-old-space-size-percentage",
    "--network-family-autoselection-attempt-timeout",
    "--openssl-config",
    "--policy-integrity",
    "--redirect-warnings",
    "--report-dir",
    "--report-directory",
    "--report-filename",
    "--report-signal",
    "--require",
    "--secure-heap",
    "--secure-heap-min",
    "--security-revert",
    "--security-reverts",
    "--snapshot-blob",
    "--test-concurrency",
    "--test-coverage-branches",
    "--test-coverage-exclude",
    "--test-coverage-functions",
    "--test-coverage-include",
    "--test-coverage-lines",
    "--test-global-setup",
    "--test-isolation",
    "--test-name-pattern",
    "--test-random-seed",
    "--test-reporter",
    "--test-reporter-destination",
    "--test-rerun-failures",
    "--test-shard",
    "--test-skip-pattern",
    "--test-timeout",
    "--title",
    "--tls-cipher-list",
    "--tls-keylog",
    "--trace-event-categories",
    "--trace-event-file-pattern",
    "--trace-require-module",
    "--unhandled-rejections",
    "--use-largepages",
    "--v8-pool-size",
    "--watch-kill-signal",
    "--watch-path",
    "-C",
    "-r",
];

/// Classifies a word. A value never begins with `-`. `--print` takes the next word as code if there
/// is one that is not empty; it does so even after `=`, whose text it drops. `--prof-process` ends
/// the options. `--run` names a task of `package.json`, which is an entry as code is.
fn form(word: &[u8], next: Option<&[u8]>) -> Form {
    if word.len() < 2 || word[0] != b'-' {
        return Form::Plain;
    }
    if word == b"--" {
        return Form::EndOfOptions;
    }
    let equals =
        if word.starts_with(b"--") { word.iter().position(|&byte| byte == b'=') } else { None };
    let name = &word[..equals.unwrap_or(word.len())];
    let value_follows = next.is_some_and(|next| !next.starts_with(b"-"));
    if is(name, "--print") || is(name, "-p") {
        let code_follows = value_follows && next != Some(b"");
        return if code_follows { Form::Introduction } else { Form::Option };
    }
    let is_code = is(name, "--eval") || is(name, "--run");
    match equals {
        Some(equals) if is_code => Form::Joined(equals + 1),
        Some(_) => Form::Option,
        None if is_code || is(name, "-e") || is(name, "-pe") => Form::Introduction,
        None if is(name, "--prof-process") => Form::EndOfOptions,
        None if value_follows && WITH_VALUE.iter().any(|option| is(name, option)) => {
            Form::TakesValue
        }
        None => Form::Option,
    }
}

/// Tells whether a name is that of an option. Node reads `_` in a name as `-`.
fn is(name: &[u8], option: &str) -> bool {
    let dashed = |(&byte, &wanted): (&u8, &u8)| byte == wanted || (byte == b'_' && wanted == b'-');
    name.len() == option.len()
        && name[..2] == option.as_bytes()[..2]
        && name.iter().zip(option.as_bytes()).all(dashed)
}

#[cfg(test)]
mod tests {
    use crate::command_line::tests::check;

    #[test]
    fn options_are_inserted_before_the_entry_and_its_introduction() {
        check(&[
            "/var/lang/bin/node < --expose-gc --max-http-header-size 81920 \
             --max-old-space-size=116 > [/var/runtime/index.mjs]",
            "node < -r ./a.js --import=./b.js > [app.js] -e x",
            "node < --max_http_header-size 81920 > [app.js]",
            "node < --no_deprecation --stack-size=900 > [app.js]",
            "node < -e=a > [app.js]",
            "node < > -e [a] --no-warnings x -e",
            "node < > --eval=[a] -r ./b.js -- -x",
            "node < -e a --no-warnings > -pe [b] x",
            "node < --eval=a > --eval [b] x",
            "node < > -p [a] x",
            "node < > --print=dropped [a] x",
            "node < -p > -e [a] x",
            "node < -p > -- [app.js] -x",
            "node < -r > -- [-app.js] --",
            "node < > [-] x",
            "node < > --run [task] --no-warnings -- x",
            "node < > --run=[task] x",
            "node < --prof > --prof-process [isolate.log] -x",
            "node < --test > [a.js] b.js",
            "node < > [inspect] app.js",
            "node < >",
            "node < > --version",
            "node < > -p",
            "node < > -e",
        ]);
    }

    #[test]
    fn options_table_is_sorted_without_duplicates() {
        assert!(super::WITH_VALUE.is_sorted_by(|one, next| one < next));
    }
}
