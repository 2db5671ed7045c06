//! Node: listed and generated command lines.

use super::RealInterpreter;
use crate::command_line::CommandLine;
use std::fs;
use std::process::Command;

fn fixtures(test: &str) -> RealInterpreter {
    let code = |name: &str, code: bool| {
        let first = if code { 1 } else { 2 };
        format!(
            "console.log(['took','{name}',process.title==='foreword',...process.argv.\
             slice({first})].join('\\x1f'))"
        )
    };
    let node = RealInterpreter::new("node", test, code, &["--title", "foreword"]);
    node.script("a.js").file("preload.js", "")
}

#[test]
fn interpreter_takes_what_foreword_parses() {
    let node = fixtures("cases");
    let lines = "
        a.js
        a.js x -e y -- --title
        ./a.js --no-warnings
        -- a.js --
        -
        - x -e
        (none)
        --no-warnings
        -e {c}
        -e {c} x -e
        -e {c} --no-warnings x -e
        -e {c} -- -x --
        -e {c} --
        -e {c} -r ./preload.js - -x
        -e {c} ''
        -e {c} -e {d} x
        -e {c} --no-warnings --eval={d} -C dev x
        --eval {c} x
        --eval={c} x
        -p {c} x
        -p -e {c} x
        -p --eval={c} x
        -pe {c} x
        --print {c} x
        --print=dropped {c} x
        -e {c} -p -- x
        -e {c} -p {d} x
        -r ./preload.js a.js
        --require ./preload.js a.js x
        --require=./preload.js a.js
        -C dev a.js
        --conditions dev a.js
        --expose-gc --max-http-header-size 81920 --max-semi-space-size=6 --max-old-space-size=116 \
                 a.js
        --max_http_header_size 81920 a.js x
        --max-http-header_size=81920 a.js
        --stack-size=900 --no_deprecation a.js
        --unhandled-rejections warn --dns-result-order verbatim a.js
        --report-directory . --report-dir . a.js
        --inspect-port 0 a.js
        --debug-port 0 a.js
        --inspect-publish-uid http a.js
        --redirect-warnings warnings.txt --disable-proto throw a.js
        --import ./preload.js a.js x
        --trace-warnings --v8-pool-size 2 -- a.js
        --input-type commonjs -e {c} x";
    node.check_all(lines);
}

#[test]
fn interpreter_takes_what_foreword_parses_from_generated_lines() {
    let options = "--no-warnings | --no_deprecation | --expose-gc | --max-old-space-size=200 | \
                   --max-http-header-size 9000 | --max_http_header_size=9000 | -r ./preload.js | \
                   --require=./preload.js | -C dev | --conditions=dev | --unhandled-rejections \
                   warn | --disable-proto throw | --v8-pool-size 2 | --stack-trace-limit=5";
    let entries = "a.js | ./a.js | -- a.js | -";
    let code = "-e {c} | --eval {d} | --eval={e} | -pe {f} | -p {g} | --print {h} | -p -e {i}";
    fixtures("random").check_generated(60, options, entries, code);
}

/// Node returns the type of each of its options. Types above 2, which is boolean, take a value.
#[test]
fn each_option_of_node_with_a_value_is_in_the_table() {
    let program = "const{internalBinding}=require('internal/test/binding');const \
                   o=internalBinding('options');for(const[name,{type}]of(o.getCLIOptionsInfo||o.\
                   getCLIOptions)().options)console.log(name,type>2)";
    let node =
        Command::new("node").args(["--expose-internals", "--no-warnings", "-e", program]).output();
    let options =
        String::from_utf8(node.expect("node is needed by this test").stdout).expect("text");
    assert!(options.contains("--require true"), "{options}");
    // Code and task are entries; the others take the next word in some versions only, and are
    // written with `=`.
    let special = [
        "--eval",
        "--run",
        "--stack-trace-limit",
        "--experimental-specifier-resolution",
        "--experimental-config-file",
    ];
    for line in options.lines().filter(|line| line.starts_with("--")) {
        let (name, takes_value) = line.split_once(' ').expect("name and type");
        let command_line =
            CommandLine::parse("node".into(), vec![name.into(), "x".into()], |path| fs::read(path));
        let value = command_line.options().next().is_some_and(|(_, value)| value.is_some());
        assert!(special.contains(&name) || value.to_string() == takes_value, "{line}");
    }
}
