//! Writes the tool's shell completions and man pages into a directory: `cargo run --package
//! foreword-manual -- DIRECTORY`.

use clap_complete::Shell;
use foreword::command;
use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let directory = std::env::args_os().nth(1).expect("usage: foreword-manual DIRECTORY");
    let (completions, man) =
        (Path::new(&directory).join("completions"), Path::new(&directory).join("man"));
    fs::create_dir_all(&completions)?;
    fs::create_dir_all(&man)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command(), "foreword", &mut script);
        fs::write(completions.join(shell.to_string()), script)?;
    }
    clap_mangen::generate_to(command(), &man)
}
