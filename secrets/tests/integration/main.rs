//! The built program against moto, which checks signatures and policies, behind TLS. Each test of
//! a fault has a door of its own: see `server.py`.

#[cfg(feature = "real-parts")]
mod credentials;
#[cfg(feature = "real-parts")]
mod endpoints;
#[cfg(feature = "real-parts")]
mod faults;
#[cfg(feature = "real-parts")]
mod refusals;
#[cfg(feature = "real-parts")]
mod sandbox;
#[cfg(feature = "real-parts")]
mod secrecy;
// Some of it serves only tests on real parts.
#[cfg_attr(not(feature = "real-parts"), allow(dead_code))]
mod support;
mod usage;
#[cfg(feature = "real-parts")]
mod values;
