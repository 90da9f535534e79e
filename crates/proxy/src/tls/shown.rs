//! What is shown to whom: a certificate by the name that is asked for, a proof to a CA.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use toehold_core::certificates;
use toehold_core::time::Timestamp;
use toehold_core::wire::certificates::Certificates;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::tls::{ACME, Local, pair};

/// What is shown at this moment: one pointer, read at each handshake.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    wardrobe: ArcSwap<Wardrobe>,
    /// Vouches for `localhost`, where there is one.
    local: OnceLock<Local>,
    /// Whether any host is sent to HTTPS: asked for at each request that comes without.
    redirects: AtomicBool,
}

/// Everything that can be shown. It never changes; a new one takes its place.
#[derive(Debug, Default)]
pub(crate) struct Wardrobe {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    /// To who asks for a name that is not there, or for none.
    otherwise: Option<Arc<CertifiedKey>>,
    proofs: HashMap<String, Arc<CertifiedKey>>,
    http_proofs: BTreeMap<String, String>,
    redirect: bool,
}

impl Shown {
    /// Puts this in force.
    pub(crate) fn put(&self, wardrobe: Wardrobe) {
        self.redirects.store(wardrobe.redirect, Ordering::Relaxed);
        self.wardrobe.store(Arc::new(wardrobe));
    }

    /// From now on `localhost` and the names below it are vouched for, too.
    pub(crate) fn vouch_for_localhost(&self, local: Local) {
        // Only the first counts: there is one.
        let _ = self.local.set(local);
    }

    /// When what is shown whatever name is asked for ends.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        let wardrobe = self.wardrobe.load();
        let certificate = wardrobe.otherwise.as_ref()?.cert.first()?;
        Some(certificates::read(certificate)?.not_after)
    }

    /// The proof that belongs to a token, for a CA that comes by HTTP.
    pub(crate) fn http_proof(&self, token: &str) -> Option<String> {
        self.wardrobe.load().http_proofs.get(token).cloned()
    }

    /// Whether who comes without TLS is sent to it: it must be for a host that has a certificate.
    pub(crate) fn redirects(&self, host: &str) -> bool {
        self.redirects.load(Ordering::Relaxed) && self.wardrobe.load().of(host).is_some()
    }
}

impl Wardrobe {
    /// One certificate, whatever name is asked for.
    pub(crate) fn of_pair(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        Ok(Self { otherwise: Some(pair::pair(chain, key)?), ..Self::default() })
    }

    /// What a control plane says. The error says which of it cannot be shown.
    pub(crate) fn of_certificates(certificates: &Certificates) -> Result<Self, String> {
        let mut wardrobe = Self {
            http_proofs: certificates.http_challenges.clone(),
            redirect: certificates.redirect,
            ..Self::default()
        };
        for it in &certificates.pairs {
            let pair = pair::pair(it.chain.as_bytes(), it.key.reveal().as_bytes())
                .map_err(|why| format!("{}: {why}", it.names.join(", ")))?;
            for name in &it.names {
                wardrobe.by_name.insert(name.clone(), pair.clone());
            }
        }
        for it in &certificates.alpn_challenges {
            let proof = pair::proof(it.chain.as_bytes(), it.key.reveal().as_bytes())
                .map_err(|why| format!("the proof for {}: {why}", it.name))?;
            wardrobe.proofs.insert(it.name.clone(), proof);
        }
        Ok(wardrobe)
    }

    /// The certificate for a name in lower case: its own, or one for all names beside it.
    fn of(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let beside = || self.by_name.get(&format!("*.{}", name.split_once('.')?.1));
        self.by_name.get(name).or_else(beside)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wardrobe = self.wardrobe.load();
        // Names come in lower case.
        let name = hello.server_name();
        let mut spoken = hello.alpn().into_iter().flatten();
        if spoken.next() == Some(ACME) {
            return wardrobe.proofs.get(name?).cloned();
        }
        let known = name.and_then(|name| wardrobe.of(name)).or(wardrobe.otherwise.as_ref());
        known.cloned().or_else(|| self.local.get()?.of(name))
    }
}
