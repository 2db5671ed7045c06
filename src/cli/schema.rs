//! The JSON Schema of the configuration, as text.

pub const SCHEMA: &str = include_str!("schema.json");
