//! The phases, the events in an execution environment's lifecycle at which hooks run: their names,
//! their order and their limits.

use std::time::Duration;

/// An event in the lifecycle of an execution environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the runtime starts.
    Initialize,
    /// Before Lambda takes a SnapStart snapshot.
    BeforeSnapshot,
    /// After Lambda has restored an environment from a snapshot.
    AfterRestore,
    /// When Lambda shuts the environment down.
    PreStop,
}

/// The order of the hooks of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The order of the configuration.
    AsRegistered,
    /// The reverse, so that what was set up last is torn down first.
    Reversed,
}

impl Phase {
    /// All phases, in the order of the lifecycle.
    pub const ALL: [Self; 4] =
        [Self::Initialize, Self::BeforeSnapshot, Self::AfterRestore, Self::PreStop];

    /// Returns the phase's name, which is its key in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::BeforeSnapshot => "before_snapshot",
            Self::AfterRestore => "after_restore",
            Self::PreStop => "pre_stop",
        }
    }

    /// Finds a phase by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// Returns the order in which its hooks run.
    pub fn order(self) -> Order {
        match self {
            Self::Initialize | Self::AfterRestore => Order::AsRegistered,
            Self::BeforeSnapshot | Self::PreStop => Order::Reversed,
        }
    }

    /// Reports whether its hooks run only in environments with a snapshot.
    pub fn is_around_snapshot(self) -> bool {
        match self {
            Self::BeforeSnapshot | Self::AfterRestore => true,
            Self::Initialize | Self::PreStop => false,
        }
    }

    /// Returns the timeout of a hook that sets none.
    pub fn default_timeout(self) -> Duration {
        match self {
            Self::Initialize => Duration::from_secs(10),
            Self::BeforeSnapshot => Duration::from_secs(30),
            Self::AfterRestore | Self::PreStop => self.budget().unwrap_or_default(),
        }
    }

    /// Returns the time that all hooks of the phase share, if it is limited.
    ///
    /// Lambda gives an init before a snapshot 130 s, a restore 10 s, of which the runtime needs
    /// some, and a shutdown 2 s
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
    pub fn budget(self) -> Option<Duration> {
        match self {
            Self::Initialize => None,
            Self::BeforeSnapshot => Some(Duration::from_secs(120)),
            Self::AfterRestore => Some(Duration::from_secs(8)),
            Self::PreStop => Some(Duration::from_secs(2)),
        }
    }
}
