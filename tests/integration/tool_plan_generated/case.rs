//! Starts put together at random, the same ones for the same seed: a configuration of every kind of
//! edit, an environment with duplicates, oddities and bytes that are not UTF-8, and a command line
//! of an interpreter or of another program.

use serde_json::json;

/// One start in the test's directory, where scripts of the programs' names are.
pub struct Case {
    pub command: Vec<Vec<u8>>,
    pub environment: Vec<Vec<u8>>,
    /// The configuration beside the code, and what a layer may have dropped in.
    pub config: String,
    pub dropin: Option<String>,
}

/// The programs; each is found in the directory, and in `PATH` under a name of its own.
pub const PROGRAMS: [&str; 6] = ["python3", "node", "java", "ruby", "dotnet", "tool"];

/// What a variable whose name says that it is a secret has.
pub const SECRET: &str = "hunter2-hunter2";

/// Variables that environments have and texts ask for; some are never set.
const NAMES: [&str; 8] =
    ["A", "B", "LONG_NAME_OF_A_VARIABLE", "EMPTY", "BYTES", "_HANDLER", "UNSET", "API_TOKEN"];

impl Case {
    pub fn new(seed: u64) -> Self {
        // Seeds that follow each other are far apart here.
        let mut dice = Dice(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.roll(2);
        let program = dice.choose(&PROGRAMS);
        let dropin = dice.in_ten(3).then(|| dice.rule(2));
        Case {
            command: dice.command(program),
            environment: dice.environment(),
            config: dice.rule(0),
            dropin,
        }
    }
}

/// Xorshift: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("a small number")
    }

    fn in_ten(&mut self, chances: usize) -> bool {
        self.roll(10) < chances
    }

    fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len())]
    }

    /// Up to so many, one after the other.
    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.roll(most + 1)).map(|_| make(self)).collect()
    }

    fn command(&mut self, program: &str) -> Vec<Vec<u8>> {
        let (options, entries): (&[&str], &[&str]) = match program {
            "python3" => (
                &["-X dev", "-W x", "-I", "-vv", "-Wx", "--check-hash-based-pycs always"],
                &["a.py", "-m mod", "-c code", "-mjson.tool", "-Im mod", "-- a.py", "-", ""],
            ),
            "node" => (
                &[
                    "--expose-gc",
                    "-r ./a.js",
                    "--max-http-header-size 81920",
                    "--max-old-space-size=116",
                ],
                &["a.mjs", "-e code", "--eval=code", "-- a.js", "-p code -r x", "inspect", ""],
            ),
            "java" => (
                &[
                    "-cp a.jar:b.jar",
                    "-Xmx1m",
                    "-Da=b",
                    "--class-path=a",
                    "@options",
                    "@whole",
                    "-Da=@x",
                ],
                &["Main", "-jar a.jar", "-m mod/Main", "--module=mod/Main", "A.java", "@entry", ""],
            ),
            "ruby" => (
                &["-W0", "-I lib", "-r a", "--encoding=x", "-ne code"],
                &["a.rb", "-e code", "-e code -W0 -e more", "-- a.rb", "-ecode", ""],
            ),
            "dotnet" => (
                &["--depsfile a.deps.json", "--runtimeconfig a.json", "--roll-forward Major"],
                &["a.dll", "b.exe", ""],
            ),
            _ => (&["-x", "--long=1"], &["", "a"]),
        };
        let mut line = vec![format!("./{program}")];
        if program == "dotnet" && self.in_ten(8) {
            line.push("exec".into());
        }
        line.extend(self.some(3, |dice| dice.choose(options).to_owned()));
        line.push(self.choose(entries).to_owned());
        let mut words: Vec<Vec<u8>> = line
            .iter()
            .flat_map(|part| part.split_whitespace())
            .map(|word| word.as_bytes().to_vec())
            .collect();
        words.extend(self.some(4, Dice::bytes));
        words
    }

    /// An argument, or a variable's value.
    fn bytes(&mut self) -> Vec<u8> {
        let parts: [&[u8]; 14] = [
            b"a",
            b"x y",
            b"-x",
            b"--",
            b"",
            b"\xff\xfe",
            "é".as_bytes(),
            b"$A ${B}",
            b"\"'\\",
            b"a\nb\t",
            b"app.handler",
            b"*",
            b"@x",
            b"=",
        ];
        self.some(2, |dice| dice.choose(&parts)).concat()
    }

    fn environment(&mut self) -> Vec<Vec<u8>> {
        let entry = |dice: &mut Self| match dice.roll(12) {
            0 => b"no equals sign".to_vec(),
            1 => b"=no name".to_vec(),
            2 => b"\xffNAME=\xfe".to_vec(),
            3 => Vec::new(),
            _ => {
                let name = dice.choose(&NAMES[..6]);
                let value = if name == "EMPTY" { Vec::new() } else { dice.bytes() };
                [name.as_bytes(), b"=", &value].concat()
            }
        };
        let mut environment = self.some(8, entry);
        if self.in_ten(2) {
            environment.push(format!("API_TOKEN={SECRET}").into_bytes());
        }
        for (name, values) in [
            ("AWS_EXECUTION_ENV", ["AWS_Lambda_python3.12", "AWS_Lambda_java21"]),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", ["on-demand", "snap-start"]),
        ] {
            if self.in_ten(5) {
                environment.push(format!("{name}={}", self.choose(&values)).into_bytes());
            }
        }
        environment
    }

    /// A text with variables in it, as JSON has it.
    fn text(&mut self) -> String {
        json!(self.raw_text(0)).to_string()
    }

    fn raw_text(&mut self, depth: usize) -> String {
        let parts = self.some(3, |dice| {
            let name = dice.choose(&NAMES);
            match dice.roll(8) {
                0 | 1 => format!("${{{name}}}"),
                2 if depth < 2 => format!("${{{name}:-{}}}", dice.raw_text(depth + 1)),
                _ => dice
                    .choose(&[
                        "a",
                        "-x",
                        "$$",
                        "$",
                        "x y",
                        "é",
                        "\\\"",
                        "}",
                        ":",
                        "app.handler",
                        "",
                    ])
                    .to_owned(),
            }
        });
        parts.concat()
    }

    fn filled_text(&mut self) -> String {
        json!(self.raw_text(0) + "z").to_string()
    }

    fn edit(&mut self) -> String {
        let (text, separator) = (self.text(), self.choose(&[r#"":""#, r#""""#, r#"" ${A}""#]));
        match self.roll(6) {
            0 => "null".into(),
            1 => format!(r#"{{"default": {text}}}"#),
            2 => format!(r#"{{"prepend": {text}, "separator": {separator}}}"#),
            3 => format!(r#"{{"append": {text}, "separator": {separator}}}"#),
            _ => text,
        }
    }

    /// An object of edits, each of a name of its own.
    fn edits(&mut self, names: &[&str]) -> String {
        let mut left = names.to_vec();
        let members = self.some(4, |dice| {
            let name = left.remove(dice.roll(left.len()));
            format!("{}: {}", json!(name), dice.edit())
        });
        format!("{{{}}}", members.join(", "))
    }

    fn texts(&mut self) -> String {
        let options = [
            "-X",
            "dev",
            "-W0",
            "-cp",
            "c.jar",
            "-r",
            "--expose-gc",
            "--",
            "-e",
            "-Da=1",
            "x",
            "@file",
        ];
        let texts = self.some(3, |dice| match dice.in_ten(5) {
            true => json!(dice.choose(&options)).to_string(),
            false => dice.text(),
        });
        format!("[{}]", texts.join(", "))
    }

    fn word_edits(&mut self, is_of_options: bool) -> String {
        let globs = [
            "-X *",
            "-W*",
            "*",
            "-cp",
            "-[a-z]",
            "--*=?*",
            "a*",
            "${A}",
            "[x",
            "app.handler",
            "-r ./a.js",
            "é?",
        ];
        let words = [
            "-x",
            "a",
            "./a.js",
            "a.jar:b.jar",
            "${_HANDLER}",
            "app.handler",
            "${UNSET}",
            "x y",
            "-W0",
        ];
        let remove = self.some(1, |dice| json!(dice.choose(&globs)).to_string()).join(", ");
        let mut left = words.to_vec();
        let replace = self.some(3, |dice| {
            let word = left.remove(dice.roll(left.len()));
            format!("{}: {}", json!(word), dice.text())
        });
        let mut members = vec![
            format!(r#""remove": [{remove}]"#),
            format!(r#""replace": {{{}}}"#, replace.join(", ")),
            format!(r#""prepend": {}"#, self.texts()),
            format!(r#""append": {}"#, self.texts()),
        ];
        if is_of_options {
            let options = [
                "-cp",
                "-X",
                "-W",
                "--max-old-space-size",
                "-r",
                "--depsfile",
                "-I",
                "--class-path",
            ];
            members.push(format!(r#""values": {}"#, self.edits(&options)));
        }
        members.retain(|_| self.in_ten(5));
        format!("{{{}}}", members.join(", "))
    }

    fn when(&mut self, depth: usize) -> String {
        let (value, glob) = (self.choose(&["true", "false"]), self.filled_text());
        let name = self.choose(&NAMES);
        let mut members = vec![
            format!(
                r#""runtime": {}"#,
                self.choose(&[r#""python""#, r#"["java", "nodejs2?.x", "provided"]"#])
            ),
            format!(
                r#""initialization": {}"#,
                self.choose(&[r#""on-demand""#, r#"["snap-start", "${A}"]"#])
            ),
            format!(
                r#""architecture": {}"#,
                self.choose(&[r#""x86_64""#, r#"["arm64", "x86_64"]"#])
            ),
            format!(
                r#""file": {}"#,
                self.choose(&[r#""there.txt""#, r#""th*.t?t""#, r#"["there.txt", "missing"]"#])
            ),
            match self.roll(3) {
                0 => format!(r#""env": {{"{name}": {value}}}"#),
                1 => format!(r#""env": {{"{name}": ["*a*", {glob}]}}"#),
                _ => format!(r#""env": {{"{name}": {{"matches": "*A*", "ignore_case": true}}}}"#),
            },
        ];
        if depth < 2 {
            members.push(format!(r#""not": {}"#, self.when(depth + 1)));
            members.push(format!(r#""any": [{}, {}]"#, self.when(depth + 1), self.when(depth + 1)));
        }
        members.retain(|_| self.in_ten(2));
        format!("{{{}}}", members.join(", "))
    }

    fn rule(&mut self, depth: usize) -> String {
        let program = self.choose(&["./tool", "./${PROGRAM:-node}", "in-path", "./python3"]);
        let mut members = vec![
            format!(r#""env": {}"#, self.edits(&NAMES)),
            format!(r#""options": {}"#, self.word_edits(true)),
            format!(r#""arguments": {}"#, self.word_edits(false)),
        ];
        members.retain(|_| self.in_ten(7));
        for (chances, member) in [
            (1, format!(r#""program": "{program}""#)),
            (1, format!(r#""prefix": ["./tool", {}]"#, self.text())),
            (2, format!(r#""entry": {}"#, self.filled_text())),
            (
                1,
                format!(
                    r#""hooks": {{"initialize": [{{"name": "h", "command": "true", "env": {}, "when": {}}}]}}"#,
                    self.edits(&NAMES),
                    self.when(1)
                ),
            ),
        ] {
            if self.in_ten(chances) {
                members.push(member);
            }
        }
        if depth > 0 || self.in_ten(2) {
            members.push(format!(r#""when": {}"#, self.when(0)));
        }
        if depth < 2 {
            let rules = self.some(3, |dice| dice.rule(depth + 1));
            members.push(format!(r#""rules": [{}]"#, rules.join(", ")));
        }
        format!("{{{}}}", members.join(",\n"))
    }
}
