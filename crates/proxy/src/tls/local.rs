//! A CA for `localhost` and the names below it, which no public one vouches for: whoever trusts it can
//! develop behind TLS. It may vouch for nothing else, whoever gets hold of its key.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, SanType,
};
use thiserror::Error;
use toehold_host::durable::{self, DurableError};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::tls::pair;

/// The CA's certificate, for who wants to trust it, and its key.
const CERTIFICATE: &str = "localhost-ca.pem";
const KEY: &str = "localhost-ca.key";

/// How long the CA is good for, and what it signs: browsers take no longer ones.
const AUTHORITY: Duration = Duration::from_hours(24 * 3650);
const SIGNED: Duration = Duration::from_hours(24 * 90);

/// How long what it signed is shown.
const SHOWN: Duration = Duration::from_hours(24 * 30);

/// The most names that are remembered: anyone may ask for any.
const MOST: usize = 256;

/// A clock may be late by so much.
const LATE: Duration = Duration::from_hours(24);

const LOCALHOST: &str = "localhost";

/// Why there is no CA for `localhost`.
#[derive(Debug, Error)]
pub(crate) enum LocalError {
    /// It could not be kept.
    #[error(transparent)]
    Keep(#[from] DurableError),
    /// It could not be read.
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    /// It is damaged, or cannot be made.
    #[error("the CA for localhost")]
    Make(#[from] rcgen::Error),
}

/// The CA, and what it signed.
pub(crate) struct Local {
    issuer: Issuer<'static, KeyPair>,
    signed: Mutex<Signed>,
}

/// What was signed, by name, and when.
type Signed = HashMap<String, (Arc<CertifiedKey>, SystemTime)>;

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Local(***)")
    }
}

impl Local {
    /// The one of this folder; made where there is none.
    pub(crate) fn open(dir: &Path) -> Result<Self, LocalError> {
        let (certificate, key) = (dir.join(CERTIFICATE), dir.join(KEY));
        let kept = match std::fs::read_to_string(&key) {
            Ok(pem) => Some(KeyPair::from_pem(&pem)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(LocalError::Read { path: key, source }),
        };
        let (is_kept, pair) = match kept {
            Some(pair) => (true, pair),
            None => (false, KeyPair::generate()?),
        };
        // Of a certificate that was lost, another one for the same key is as good.
        if !is_kept || !certificate.exists() {
            let mut params = params();
            lasts(&mut params, AUTHORITY);
            let signed = params.self_signed(&pair)?;
            durable::write(&certificate, signed.pem().as_bytes())?;
        }
        if !is_kept {
            durable::write(&key, pair.serialize_pem().as_bytes())?;
        }
        Ok(Self { issuer: Issuer::new(params(), pair), signed: Mutex::default() })
    }

    /// What is shown to who asks for this name, or, by an address, for none; `None` where it is not
    /// one below `localhost`.
    pub(crate) fn of(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let name = name.unwrap_or(LOCALHOST);
        if name != LOCALHOST && !name.ends_with(".localhost") {
            return None;
        }
        let now = SystemTime::now();
        if let Some((pair, at)) = self.signed().get(name)
            && now.duration_since(*at).is_ok_and(|age| age < SHOWN)
        {
            return Some(pair.clone());
        }
        // Nobody waits for this; at worst two make one for the same name.
        let pair = match self.sign(name) {
            Ok(pair) => pair,
            Err(why) => {
                tracing::warn!(name, why, "no certificate could be made");
                return None;
            }
        };
        let mut signed = self.signed();
        if signed.len() >= MOST {
            signed.clear();
        }
        signed.insert(name.to_owned(), (pair.clone(), now));
        Some(pair)
    }

    /// What a panic left behind is still a whole value.
    fn signed(&self) -> MutexGuard<'_, Signed> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sign(&self, name: &str) -> Result<Arc<CertifiedKey>, String> {
        let said = |error: rcgen::Error| error.to_string();
        let mut params = CertificateParams::new([name.to_owned()]).map_err(said)?;
        if name == LOCALHOST {
            let here = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            params.subject_alt_names.extend(here.map(SanType::IpAddress));
        }
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        lasts(&mut params, SIGNED);
        let key = KeyPair::generate().map_err(said)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(said)?;
        pair::pair(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())
    }
}

/// What the CA is called and may do: the same each time, so that what it signs fits the certificate
/// it had from the beginning.
fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Toehold, for localhost alone");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName(LOCALHOST.to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::V4(Ipv4Addr::LOCALHOST.octets(), [255; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6(Ipv6Addr::LOCALHOST.octets(), [255; 16])),
        ],
        excluded_subtrees: Vec::new(),
    });
    params
}

fn lasts(params: &mut CertificateParams, time: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - LATE).into();
    params.not_after = (now + time).into();
}
