//! One binary for all tests of the built program, with one file for each behavior. Tests that need
//! the feature `real-parts` are in `real_parts`, and in the modules that are left out below without
//! it.

#![allow(clippy::print_stderr, reason = "a test that is left out says so")]

mod architecture;
#[cfg(feature = "real-parts")]
mod bootstrap;
mod chain;
mod chain_conflicts;
mod chain_env;
mod chain_last;
mod chain_order;
#[cfg(feature = "real-parts")]
mod chain_relay;
mod chain_secrets;
mod chain_wrappers;
#[cfg(feature = "real-parts")]
mod clients;
mod configuration;
mod documentation;
mod edits;
#[cfg(feature = "real-parts")]
mod emulator;
mod every_byte;
mod exports;
#[cfg(feature = "real-parts")]
mod extension_emulator;
mod extension_faults;
mod extension_handover;
mod extension_shutdown;
mod hook_failures;
mod hook_requests;
mod hook_retries;
mod hooks;
mod init_error;
mod lambda_api;
#[cfg(feature = "real-parts")]
mod lambda_python;
mod logs;
mod mistakes;
mod mistakes_of_form;
mod opentelemetry;
mod patterns;
mod programs;
mod real_parts;
mod relay_absent;
#[cfg(feature = "real-parts")]
mod relay_clients;
mod relay_failures;
mod relay_life;
mod relay_phases;
mod relay_process;
mod relay_protocol;
mod relay_tunnel;
mod roles;
mod sandbox;
mod secrets;
mod stand_in;
// Some of it is only used by tests with real parts.
#[cfg_attr(not(feature = "real-parts"), allow(dead_code))]
mod support;
mod thaw;
#[cfg(feature = "tool")]
mod tool_check;
#[cfg(feature = "tool")]
mod tool_check_limits;
#[cfg(feature = "tool")]
mod tool_check_programs;
#[cfg(feature = "tool")]
mod tool_check_secrets;
#[cfg(feature = "tool")]
mod tool_check_sources;
#[cfg(feature = "tool")]
mod tool_effects;
#[cfg(feature = "tool")]
mod tool_files;
#[cfg(feature = "tool")]
mod tool_hints;
#[cfg(feature = "tool")]
mod tool_layers;
#[cfg(feature = "tool")]
mod tool_plan;
#[cfg(feature = "tool")]
mod tool_plan_documentation;
#[cfg(feature = "tool")]
mod tool_plan_generated;
#[cfg(feature = "tool")]
mod tool_plan_runtimes;
#[cfg(feature = "tool")]
mod tool_plan_secrets;
#[cfg(feature = "tool")]
mod tool_plan_snapshot;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_schema;
#[cfg(feature = "tool")]
mod tool_schema_descriptions;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_simulate;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_simulate_failures;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_simulate_json;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_simulate_lambda;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_simulate_places;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_simulate_secrets;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_simulate_start;
#[cfg(all(feature = "tool", feature = "real-parts"))]
mod tool_simulate_telemetry;
#[cfg(feature = "tool")]
mod tool_simulate_usage;
mod transparency;
mod unprivileged;
