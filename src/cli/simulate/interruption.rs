//! A signal that would have ended this process, and whom it attach: the environment is shut down
//! first.

use crate::process::Signal;
use crate::simulated_lambda::Lambda;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

#[derive(Default)]
pub struct Interruption {
    signal: OnceLock<Signal>,
    current: Mutex<Weak<Lambda>>,
}

impl Interruption {
    pub fn signal(&self) -> Option<Signal> {
        self.signal.get().copied()
    }

    /// Whoever waits for this one waits no more when a signal comes.
    pub fn attach(&self, lambda: &Arc<Lambda>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(lambda);
        if self.signal().is_some() {
            lambda.runtime_exited();
        }
    }

    pub fn set_signal(&self, signal: Signal) {
        let _ = self.signal.set(signal);
        if let Some(lambda) = self.current.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
        {
            lambda.runtime_exited();
        }
    }
}
