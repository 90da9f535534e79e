//! The authority's key, and what it signs.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use serde::{Deserialize, Serialize};
use toehold_core::model::{Digest, MachineName};
use toehold_core::time::Timestamp;
use toehold_core::wire::call::{CONTROL_NAME, Certificate};
use toehold_host::tls;
use tokio_rustls::TlsAcceptor;

use super::AuthorityError;
use crate::secret::made_once;

/// How long the authority itself is good for.
const AUTHORITY: Duration = Duration::from_hours(24 * 3650);

/// A new machine's clock may be late by so much.
const LATE: Duration = Duration::from_hours(24);

/// A point of P-256 that is not compressed, in bytes.
const POINT_BYTES: usize = 65;

/// The authority's key and certificate.
pub(super) struct Signer {
    issuer: Issuer<'static, KeyPair>,
    /// PEM.
    authority: String,
    digest: Digest,
}

/// A certificate, and what it is known by.
pub(super) struct Made {
    pub(super) certificate: Certificate,
    pub(super) fingerprint: Digest,
}

/// The authority as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    certificate: String,
}

impl Signer {
    /// The authority kept under `root`; made where there is none.
    pub(super) fn open(root: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let path = root.join("keys/authority.json");
        let mut failed = None;
        let text = made_once(&path, || match make(now) {
            Ok(kept) => serde_json::to_string(&kept).unwrap_or_default(),
            Err(error) => {
                failed = Some(error);
                String::new()
            }
        })?;
        if let Some(error) = failed {
            return Err(AuthorityError::Key(error.to_string()));
        }
        let damaged = |error: &dyn std::fmt::Display| {
            let path = path.display();
            AuthorityError::Key(format!("{path} is damaged ({error}): put back a copy of it"))
        };
        let kept: Kept = serde_json::from_str(&text).map_err(|error| damaged(&error))?;
        let key = KeyPair::from_pem(&kept.key).map_err(|error| damaged(&error))?;
        let der = tls::first_certificate(kept.certificate.as_bytes()).map_err(|it| damaged(&it))?;
        let issuer = Issuer::new(params(), key);
        Ok(Self { issuer, digest: tls::fingerprint(&der), authority: kept.certificate })
    }

    /// The SHA-256 of the authority's certificate.
    pub(super) const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The authority's certificate, PEM.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// The control plane's own certificate, made anew each time, and whom it lets in.
    pub(super) fn acceptor(&self, now: Timestamp) -> Result<TlsAcceptor, String> {
        let said = |error: rcgen::Error| error.to_string();
        let mut params = CertificateParams::new([CONTROL_NAME.to_owned()]).map_err(said)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        lasts(&mut params, now, now.plus(AUTHORITY));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(said)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(said)?;
        let chain = format!("{}{}", certificate.pem(), self.authority);
        let key = key.serialize_pem();
        tls::acceptor(chain.as_bytes(), key.as_bytes(), self.authority.as_bytes())
    }

    /// A certificate for a machine.
    pub(super) fn sign(
        &self,
        machine: &MachineName,
        public_key: &str,
        made_at: Timestamp,
        ends_at: Timestamp,
    ) -> Result<Made, AuthorityError> {
        let point = STANDARD.decode(public_key).unwrap_or_default();
        if point.len() != POINT_BYTES || point.first() != Some(&4) {
            return Err(AuthorityError::NoPublicKey);
        }
        let said = |error: rcgen::Error| AuthorityError::Key(error.to_string());
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, machine.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        lasts(&mut params, made_at, ends_at);
        let certificate = params.signed_by(&Point(point), &self.issuer).map_err(said)?;
        Ok(Made {
            fingerprint: tls::fingerprint(certificate.der()),
            certificate: Certificate { pem: certificate.pem(), made_at, ends_at },
        })
    }
}

/// A public key somebody else has the private half of. That they do is proved by each handshake.
struct Point(Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// What the authority is called and may do: the same each time, so that what it signs fits the
/// certificate it had from the beginning.
fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Toehold machines");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn make(now: Timestamp) -> Result<Kept, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = params();
    lasts(&mut params, now, now.plus(AUTHORITY));
    let certificate = params.self_signed(&key)?;
    Ok(Kept { key: key.serialize_pem(), certificate: certificate.pem() })
}

fn lasts(params: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    let at = |at: Timestamp| UNIX_EPOCH + Duration::from_millis(at.as_ms());
    params.not_before = (at(from) - LATE).into();
    params.not_after = at(until).into();
}
