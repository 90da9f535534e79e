//! What is shown to a CA so that it believes that a host is ours.

use instant_acme::{ChallengeHandle, ChallengeType};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use toehold_core::certificates::Challenge;
use toehold_core::wire::certificates::{AlpnChallenge, KeyPem};

/// A proof, which the proxies are to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// On port 80.
    Http {
        /// The last part of the path that is asked for.
        token: String,
        /// What is answered.
        authorization: String,
    },
    /// On port 443.
    Alpn(AlpnChallenge),
}

/// The CA's word for a challenge.
pub(super) const fn kind(challenge: Challenge) -> ChallengeType {
    match challenge {
        Challenge::Http01 => ChallengeType::Http01,
        Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
    }
}

/// The proof that a CA wants to see of `host`. An error says why there can be none.
pub(super) fn make(
    host: &str,
    challenge: Challenge,
    handle: &ChallengeHandle<'_>,
) -> Result<Proof, String> {
    // It becomes a part of a path.
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if handle.token.is_empty() || !handle.token.bytes().all(is_plain) {
        return Err("its token is not base64url".to_owned());
    }
    let authorization = handle.key_authorization();
    match challenge {
        Challenge::Http01 => Ok(Proof::Http {
            token: handle.token.clone(),
            authorization: authorization.as_str().to_owned(),
        }),
        Challenge::TlsAlpn01 => {
            let digest = authorization.digest();
            alpn(host, digest.as_ref()).map(Proof::Alpn).map_err(|error| error.to_string())
        }
    }
}

/// A certificate of our own making that holds the digest of a key authorization (RFC 8737, 3).
fn alpn(host: &str, digest: &[u8]) -> Result<AlpnChallenge, rcgen::Error> {
    let mut params = CertificateParams::new([host.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let chain = params.self_signed(&key)?.pem();
    Ok(AlpnChallenge { name: host.to_owned(), chain, key: KeyPem::new(key.serialize_pem()) })
}
