//! Certificates come in: looked at, shown, answered, kept.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toehold_core::wire::certificates::Certificates;
use toehold_core::wire::proxy::FromProxy;
use toehold_host::durable;

use crate::tls::{Shown, Wardrobe};

/// The name of the file the last good certificates are kept in, with their keys: its owner alone may
/// read it.
const FILE: &str = "certificates.json";

/// Where certificates come in.
pub(crate) struct Certified {
    shown: Arc<Shown>,
    file: PathBuf,
    /// Those in force.
    applied: RefCell<Certificates>,
    /// Whether they are in the file as well.
    kept: Cell<bool>,
}

impl Certified {
    /// With the certificates that were shown last shown again. A file that cannot be read is no
    /// reason not to start: the control plane has them.
    pub(super) fn open(shown: Arc<Shown>, dir: &Path) -> Self {
        let file = dir.join(FILE);
        let certified = Self { shown, file, applied: RefCell::default(), kept: Cell::new(true) };
        match durable::load::<Certificates>(&certified.file) {
            Ok(Some(certificates)) => match certified.show(certificates) {
                Ok(()) => tracing::info!("the certificates of before are shown again"),
                Err(why) => tracing::error!("the certificates that were kept do not hold: {why}"),
            },
            Ok(None) => {}
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the certificates of before cannot be read; waiting for the control plane's"
            ),
        }
        certified.kept.set(true);
        certified
    }

    /// Takes certificates from the control plane: the answer says whether they are shown.
    pub(super) fn take(&self, certificates: Certificates) -> FromProxy {
        let (serial, shown) = (certificates.serial, self.applied.borrow().serial);
        let refusal = if serial < shown {
            Some(format!("these certificates are older ({serial}) than those shown ({shown})"))
        } else {
            self.show(certificates).err()
        };
        match refusal {
            None => FromProxy::Certified { serial },
            Some(why) => {
                tracing::error!("certificates were refused: {why}; those of before are shown");
                FromProxy::Uncertified { serial, why }
            }
        }
    }

    fn show(&self, certificates: Certificates) -> Result<(), String> {
        if *self.applied.borrow() == certificates {
            return Ok(());
        }
        self.shown.put(Wardrobe::of_certificates(&certificates)?);
        *self.applied.borrow_mut() = certificates;
        self.kept.set(false);
        Ok(())
    }

    /// Writes those in force to the file.
    pub(super) fn keep(&self) {
        if self.kept.replace(true) {
            return;
        }
        if let Err(error) = durable::save(&self.file, &*self.applied.borrow()) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the certificates in force could not be kept; a restart would begin with older ones"
            );
            self.kept.set(false);
        }
    }
}
