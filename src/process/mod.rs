//! The operating system: becoming another program, running one in a process group of its own, and saying
//! in plain words why that did not work. Decides nothing; the only user of nix.

mod child;
mod diagnosis;
mod execute;
mod raw;

pub use child::{End, Request, Watch, die_of};
pub use diagnosis::cause;
pub use execute::{execute, find_in_path};
pub use nix::sys::signal::Signal;
