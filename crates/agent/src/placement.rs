//! The last good placement, on disk: what runs here is known without the control plane.

use std::path::{Path, PathBuf};

use toehold_core::wire::Order;
use toehold_core::wire::agent::Placement;
use toehold_host::durable::{self, DurableError};

/// The placement in force, and where it is kept.
#[derive(Debug)]
pub(crate) struct Placements {
    path: PathBuf,
    current: Option<Placement>,
}

/// A placement that is older than the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a placement of epoch {}.{} was refused: {}.{} is in force", given.epoch, given.rev, have.epoch, have.rev
)]
pub(crate) struct Older {
    given: Order,
    have: Order,
}

/// Why a placement was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlacementError {
    #[error(transparent)]
    Older(#[from] Older),
    #[error("a placement could not be kept, so it is not acted on")]
    Keep(#[source] DurableError),
}

impl Placements {
    /// What was in force when the last agent here ended; a machine that never had one has an empty
    /// one. The error says that the files are damaged: then nothing is known, and nothing may be
    /// ended before the control plane has spoken.
    pub(crate) fn open(dir: &Path) -> (Self, Result<(), DurableError>) {
        let path = dir.join("placement");
        match durable::load(&path) {
            Ok(found) => (Self { path, current: Some(found.unwrap_or_default()) }, Ok(())),
            Err(error) => (Self { path, current: None }, Err(error)),
        }
    }

    /// The placement in force.
    pub(crate) fn current(&self) -> Option<&Placement> {
        self.current.as_ref()
    }

    /// Takes a placement, once it is on disk. The one in force, sent again, is nothing new. It
    /// holds environments, so that the file is readable by its owner alone.
    pub(crate) fn accept(&mut self, given: Placement) -> Result<bool, PlacementError> {
        if let Some(have) = &self.current {
            if given.order < have.order {
                return Err(Older { given: given.order, have: have.order }.into());
            }
            if *have == given {
                return Ok(false);
            }
        }
        durable::save(&self.path, &given).map_err(PlacementError::Keep)?;
        self.current = Some(given);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(epoch: u64, rev: u64) -> Placement {
        Placement { order: Order { epoch, rev }, instances: Vec::new() }
    }

    #[test]
    fn an_older_placement_is_refused_also_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut placements, opened) = Placements::open(dir.path());
        opened.expect("nothing is nothing");
        assert!(placements.accept(of(2, 5)).expect("newer"));
        assert!(!placements.accept(of(2, 5)).expect("the same again"));
        let (mut placements, opened) = Placements::open(dir.path());
        opened.expect("read again");
        for older in [of(2, 4), of(1, 900)] {
            let said = placements.accept(older).expect_err("older").to_string();
            assert!(said.contains("2.5 is in force"), "{said}");
        }
        assert!(placements.accept(of(3, 1)).expect("a new epoch"));
    }

    #[test]
    fn damaged_files_are_not_an_empty_placement() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("placement"), "torn").expect("written");
        let (mut placements, opened) = Placements::open(dir.path());
        assert!(opened.is_err());
        assert!(placements.current().is_none());
        assert!(placements.accept(of(1, 1)).expect("whoever speaks first is believed"));
    }
}
