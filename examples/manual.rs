//! Writes the tool's shell completions and man pages into a folder: `cargo run --example manual -- FOLDER`.

#[path = "../src/cli/arguments.rs"]
mod arguments;
#[path = "../src/cli/help.rs"]
mod help;

use clap_complete::Shell;
use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("usage: manual FOLDER");
    let (completions, man) = (Path::new(&folder).join("completions"), Path::new(&folder).join("man"));
    fs::create_dir_all(&completions)?;
    fs::create_dir_all(&man)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut arguments::command(), "foreword", &mut script);
        fs::write(completions.join(shell.to_string()), script)?;
    }
    clap_mangen::generate_to(arguments::command(), &man)
}
