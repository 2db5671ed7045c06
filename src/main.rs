//! C's entry point. It is C's because Rust's own start-up changes what must reach the runtime
//! untouched: it ignores SIGPIPE, opens closed standard descriptors and sets up a signal stack.

#![no_main]
#![allow(unsafe_code)]

use foreword::{Arena, Strings};
use std::ffi::{c_char, c_int};

#[global_allocator]
static ARENA: Arena = Arena;

/// Called by C's start-up code.
// SAFETY: nothing else in the program defines `main`; the crate is `no_main`.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    // SAFETY: C's start-up code passes the two lists that the kernel made.
    let (arguments, environment) = unsafe { (Strings::new(argv), Strings::new(envp)) };
    foreword::start(arguments, environment)
}
