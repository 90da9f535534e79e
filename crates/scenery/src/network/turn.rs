//! A process has one network at a time: the names of what belongs to it are made of its id.

use std::sync::{Condvar, Mutex, PoisonError};

static IS_TAKEN: Mutex<bool> = Mutex::new(false);
static FREE: Condvar = Condvar::new();

/// Held by the network that is there.
#[derive(Debug)]
pub struct Turn(());

impl Turn {
    /// Waits until no other network is there.
    pub fn take() -> Self {
        let is_taken = IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = FREE.wait_while(is_taken, |is_taken| *is_taken);
        *free.unwrap_or_else(PoisonError::into_inner) = true;
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = false;
        FREE.notify_one();
    }
}
