//! The entry point, C's `main`. Before a Rust `main` the standard library ignores SIGPIPE, opens
//! closed standard streams and sets up a signal stack
//! (<https://doc.rust-lang.org/src/std/sys/pal/unix/mod.rs.html>); but the runtime has to inherit
//! these as Lambda set them.

#![no_main]
#![allow(unsafe_code)]

use foreword::{Arena, Strings};
use std::ffi::{c_char, c_int};

#[global_allocator]
static ARENA: Arena = Arena;

/// Starts foreword; the C library's start-up code calls it.
// SAFETY: the crate is `no_main`, so nothing else defines `main`.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    // SAFETY: the start-up code passes the kernel's `argv` and `envp`.
    let (arguments, environment) = unsafe { (Strings::new(argv), Strings::new(envp)) };
    foreword::start(arguments, environment)
}
