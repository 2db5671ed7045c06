//! One binary for all tests of the built program, one file for each behaviour.

mod clients;
mod configuration;
mod edits;
mod emulator;
mod every_byte;
mod exports;
mod extension_emulator;
mod extension_faults;
mod extension_handover;
mod extension_shutdown;
mod hook_failures;
mod hooks;
mod init_error;
mod lambda_api;
mod lambda_python;
mod logs;
mod mistakes;
mod opentelemetry;
mod programs;
mod readme;
mod roles;
mod support;
mod transparency;
mod unprivileged;
