//! What the warnings of `tool_effects` rest on, asked of real interpreters.

use std::process::Command;

/// That the command line wins is what the warnings rest on.
#[test]
fn command_line_in_real_interpreters_wins_over_variables() {
    let output = |program: &str, variable: &str, value: &str, arguments: &[&str]| {
        let output =
            Command::new(program).env(variable, value).args(arguments).output().expect(program);
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    };
    let limit = "Math.round(v8.getHeapStatistics().heap_size_limit / 1048576) < 300";
    let node = |value, arguments: &[&str]| {
        output("node", "NODE_OPTIONS", value, arguments).trim_end().to_owned()
    };
    assert_eq!(
        node("--max-old-space-size=512", &["--max-old-space-size=116", "-p", limit]),
        "true"
    );
    assert_eq!(node("--max-old-space-size=512", &["-p", limit]), "false");
    assert_eq!(
        node(
            "--max-http-header-size=9",
            &["--max-http-header-size", "81920", "-p", "http.maxHeaderSize"]
        ),
        "81920"
    );
    let shown = |variable, value: &str, name: &str| {
        let line = [
            "-XX:MaxHeapSize=111412k",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+PrintFlagsFinal",
            "-version",
        ];
        let shown = output("java", variable, value, &line);
        let found = shown
            .lines()
            .find(|line| line.split_whitespace().nth(1) == Some(name))
            .map(str::to_owned);
        found.and_then(|line| line.split_whitespace().nth(3).map(str::to_owned)).unwrap_or(shown)
    };
    for variable in ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"] {
        let heap = shown(variable, "-Da=b", "MaxHeapSize");
        assert_eq!(shown(variable, "-Xmx64m", "MaxHeapSize"), heap);
        assert_eq!(shown(variable, "-XX:MaxRAMPercentage=1", "MaxHeapSize"), heap);
        assert_eq!(shown(variable, "-XX:TieredStopAtLevel=4", "TieredStopAtLevel"), "1");
        assert!(
            shown(variable, "-XX:+UseG1GC", "MaxHeapSize")
                .contains("Multiple garbage collectors selected")
        );
    }
    assert_eq!(shown("_JAVA_OPTIONS", "-XX:TieredStopAtLevel=4", "TieredStopAtLevel"), "4");
}
