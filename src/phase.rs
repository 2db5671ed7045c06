//! The phases of an environment's life in which hooks run: their names, their order, and how long
//! they may take.

use std::time::Duration;

/// A point in an environment's life at which hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Initialize,
    BeforeSnapshot,
    AfterRestore,
    PreStop,
}

/// The order of hooks in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    AsRegistered,
    /// What was set up last is torn down first.
    Reversed,
}

impl Phase {
    /// All phases, in the order of an environment's life.
    pub const ALL: [Self; 4] =
        [Self::Initialize, Self::BeforeSnapshot, Self::AfterRestore, Self::PreStop];

    /// The key of the configuration, and the phase's name in logs.
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

    pub fn order(self) -> Order {
        match self {
            Self::Initialize | Self::AfterRestore => Order::AsRegistered,
            Self::BeforeSnapshot | Self::PreStop => Order::Reversed,
        }
    }

    /// Whether its hooks run only in environments that are made from a snapshot.
    pub fn is_around_snapshot(self) -> bool {
        match self {
            Self::BeforeSnapshot | Self::AfterRestore => true,
            Self::Initialize | Self::PreStop => false,
        }
    }

    /// The timeout of one hook that has none of its own.
    pub fn default_timeout(self) -> Duration {
        match self {
            Self::Initialize => Duration::from_secs(10),
            Self::BeforeSnapshot => Duration::from_secs(30),
            Self::AfterRestore | Self::PreStop => self.budget().unwrap_or_default(),
        }
    }

    /// The time that all hooks of the phase share, if there is a limit.
    ///
    /// Lambda gives an init before a snapshot 130 s, a restore 10 s, of which the runtime needs
    /// some, and a shutdown 2 s (AWS's documentation, "Understanding the Lambda execution
    /// environment lifecycle",
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
    pub fn budget(self) -> Option<Duration> {
        match self {
            Self::Initialize => None,
            Self::BeforeSnapshot => Some(Duration::from_secs(120)),
            Self::AfterRestore => Some(Duration::from_secs(8)),
            Self::PreStop => Some(Duration::from_secs(2)),
        }
    }
}
