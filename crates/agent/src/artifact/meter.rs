//! Counting and hashing what is read.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use toehold_core::model::Digest;

/// How many bytes may be read before somebody has to say that it is in order. An archive can put
/// gigabytes where a name belongs; whoever reads it must not follow.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowance(Rc<Cell<u64>>);

impl Allowance {
    /// Allows `bytes` from here on, whatever is left of what was allowed before.
    pub(super) fn set(&self, bytes: u64) {
        self.0.set(bytes);
    }
}

/// Reads through, hashes all of it, and fails beyond the allowance.
pub(super) struct Meter<R> {
    inner: R,
    hash: Sha256,
    allowance: Allowance,
}

impl<R: Read> Meter<R> {
    pub(super) fn new(inner: R, allowance: Allowance) -> Self {
        Self { inner, hash: Sha256::new(), allowance }
    }

    /// The digest of all that was read.
    pub(super) fn digest(self) -> Digest {
        Digest::from_raw(&self.hash.finalize().into())
    }
}

impl<R: Read> Read for Meter<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        let left = self.allowance.0.get().checked_sub(count as u64);
        self.allowance.0.set(left.ok_or_else(|| io::Error::other(Exceeded))?);
        self.hash.update(&out[..count]);
        Ok(count)
    }
}

/// More was read than was allowed.
#[derive(Debug, thiserror::Error)]
#[error("it has more bytes than it may")]
pub(super) struct Exceeded;
