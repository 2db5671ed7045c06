//! Tests that need what `scripts/real-parts.sh` installs: AWS's emulator, the runtime clients, and
//! programs that not every Linux machine has, such as `python3`, `node`, `java`, `ruby` and `curl`.
//! Each belongs to the module of the same name. Modules that need such parts as a whole are left
//! out in `main.rs`, and so is `command_line::real_interpreters` among the unit tests. The feature
//! `real-parts` compiles all of them.

#[cfg(feature = "real-parts")]
mod chain;
#[cfg(feature = "real-parts")]
mod chain_secrets;
#[cfg(feature = "real-parts")]
mod chain_wrappers;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod documentation;
#[cfg(feature = "real-parts")]
mod extension_handover;
#[cfg(feature = "real-parts")]
mod hook_requests;
#[cfg(feature = "real-parts")]
mod hook_retries;
#[cfg(feature = "real-parts")]
mod sandbox;
#[cfg(feature = "real-parts")]
mod secrets;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_colors;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_effects;

/// Stands for all of these tests when they are left out.
#[cfg(not(feature = "real-parts"))]
#[test]
#[ignore = "needs runtime clients and interpreters: run scripts/real-parts.sh, then cargo test \
            --features real-parts"]
fn every_test_on_real_parts() {
    panic!(
        "unable to run these tests: they are not compiled; run cargo test --features real-parts"
    );
}
