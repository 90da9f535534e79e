//! Asking a CA when it wishes that a certificate be renewed (RFC 9773). Not every CA has an answer.

use std::time::Duration;

use instant_acme::{Account, CertificateIdentifier, Error};
use toehold_core::certificates::{Window, read};
use toehold_core::time::Timestamp;
use toehold_host::tls;
use tokio_rustls::rustls::pki_types::Der;

/// A CA's wish, and after how long it is to be asked again. `None` where it has none; an error says
/// why it could not be asked.
pub(super) async fn ask(
    account: &Account,
    chain: &str,
) -> Result<Option<(Window, Duration)>, Error> {
    let Some(id) = id(chain) else { return Ok(None) };
    let (info, wait) = match account.renewal_info(&id).await {
        Ok(answered) => answered,
        Err(Error::Unsupported(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let at = |seconds: i64| {
        Timestamp::from_ms(u64::try_from(seconds).unwrap_or_default().saturating_mul(1_000))
    };
    let window = info.suggested_window;
    let (from, until) = (at(window.start.unix_timestamp()), at(window.end.unix_timestamp()));
    Ok(Some((Window { from, until }, wait)))
}

/// What a CA knows a certificate by; `None` where it does not say who signed it.
pub(super) fn id(chain: &str) -> Option<CertificateIdentifier<'static>> {
    let der = tls::first_certificate(chain.as_bytes()).ok()?;
    let found = read(&der).filter(|it| !it.authority.is_empty())?;
    let id = CertificateIdentifier::new(
        Der::from_slice(&found.authority),
        Der::from_slice(&found.serial),
    );
    Some(id.into_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, Issuer, KeyIdMethod, KeyPair, SerialNumber};

    use super::*;

    #[test]
    fn a_certificate_is_known_by_who_signed_it_and_its_number() {
        let mut params = CertificateParams::default();
        params.key_identifier_method = KeyIdMethod::PreSpecified(vec![0xc0, 0xff, 0xee]);
        let issuer = Issuer::new(params, KeyPair::generate().expect("a key can be made"));
        let mut params = CertificateParams::new(["a.example.com".to_owned()]).expect("a name");
        params.serial_number = Some(SerialNumber::from_slice(&[0xca, 0xfe]));
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key can be made");
        let made = params.signed_by(&key, &issuer).expect("it is signed");
        // The number begins with a set bit, so a zero stands before it.
        assert_eq!(id(&made.pem()).map(|id| id.to_string()).as_deref(), Some("wP_u.AMr-"));
        params.use_authority_key_identifier_extension = false;
        let made = params.signed_by(&key, &issuer).expect("it is signed");
        assert!(id(&made.pem()).is_none());
        assert!(id("no certificate").is_none());
    }
}
