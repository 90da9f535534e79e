//! One order: a proof for each name, a key of its own, and the certificate that comes of it.

use std::future::Future;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, Error, Identifier, NewOrder, Order, OrderStatus, Problem,
    RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use toehold_core::certificates::{Certificate, Origin, Refusal, read};
use toehold_core::tell::chain;
use toehold_core::wire::certificates::{KeyPem, Pair};
use toehold_host::tls;

use super::proof::{self, Proof};
use super::{Ca, wish};

/// The longest a CA may take to look, and then to sign.
const PATIENCE: Duration = Duration::from_mins(2);

/// What came of an order.
#[derive(Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// The same with its key, as the proxies are told it.
    pub pair: Pair,
}

/// Why nothing came of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub refusal: Refusal,
    /// For how long the CA wants to hear no more, where it said so.
    pub wait: Option<Duration>,
}

/// Orders a certificate for a host, once, in place of a chain.
pub(super) async fn run<F>(
    account: &Account,
    ca: &Ca,
    (host, replaces): (&str, Option<&str>),
    show: &(impl Fn(Proof) -> F + Send + Sync),
) -> Result<Issued, Refusal>
where
    F: Future<Output = Result<(), Refusal>> + Send,
{
    let names = [Identifier::Dns(host.to_owned())];
    let named = || {
        let new = NewOrder::new(&names);
        ca.profile().map_or_else(|| NewOrder::new(&names), |it| new.profile(it))
    };
    let replaced = match replaces.and_then(wish::id) {
        // A CA that will not hear of what is replaced is asked as if nothing were.
        Some(id) => account.new_order(&named().replaces(id)).await.ok(),
        None => None,
    };
    let mut order = match replaced {
        Some(order) => order,
        None => account.new_order(&named()).await.map_err(|it| refusal(&it))?,
    };
    prove(&mut order, ca, host, show).await?;
    let policy = RetryPolicy::new().timeout(PATIENCE);
    match order.poll_ready(&policy).await {
        Ok(OrderStatus::Invalid) => {
            return Err(why_not(&mut order).await.unwrap_or(Refusal::TooLong));
        }
        Ok(_) => {}
        Err(error) => return Err(why_not(&mut order).await.unwrap_or_else(|| refusal(&error))),
    }
    let own = |error: rcgen::Error| Refusal::Unusable(error.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(own)?;
    let mut params = CertificateParams::new([host.to_owned()]).map_err(own)?;
    params.distinguished_name = DistinguishedName::new();
    let asked = params.serialize_request(&key).map_err(own)?;
    order.finalize_csr(asked.der()).await.map_err(|it| refusal(&it))?;
    let chain = order.poll_certificate(&policy).await.map_err(|it| refusal(&it))?;
    issued(host, ca.directory(), chain, &key).map_err(Refusal::Unusable)
}

/// Shows the CA what it wants to see, and tells it to look.
async fn prove<F>(
    order: &mut Order,
    ca: &Ca,
    host: &str,
    show: &(impl Fn(Proof) -> F + Send + Sync),
) -> Result<(), Refusal>
where
    F: Future<Output = Result<(), Refusal>> + Send,
{
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|it| refusal(&it))?;
        // What was proved lately is believed for a while.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let kind = proof::kind(ca.challenge());
        let mut challenge = authorization.challenge(kind).ok_or(Refusal::NoChallenge)?;
        let proof = proof::make(host, ca.challenge(), &challenge).map_err(Refusal::Unusable)?;
        show(proof).await?;
        challenge.set_ready().await.map_err(|it| refusal(&it))?;
    }
    Ok(())
}

/// What the CA found wrong with a proof.
async fn why_not(order: &mut Order) -> Option<Refusal> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        let state = authorization.refresh().await.ok()?;
        let found = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = found {
            return Some(said(problem));
        }
    }
    None
}

/// What came, looked at before anybody relies on it.
fn issued(host: &str, directory: &str, chain: String, key: &KeyPair) -> Result<Issued, String> {
    let key = KeyPem::new(key.serialize_pem());
    let der = tls::first_certificate(chain.as_bytes())?;
    tls::check_pair(chain.as_bytes(), key.reveal().as_bytes())?;
    let found = read(&der).ok_or("the certificate cannot be read")?;
    if !found.names.iter().any(|it| it == host) {
        return Err(format!("the certificate is not one of {host}"));
    }
    let from = Origin::Acme { directory: directory.to_owned() };
    let certificate = Certificate {
        names: found.names.clone(),
        not_before: found.not_before,
        not_after: found.not_after,
        from,
    };
    Ok(Issued { certificate, pair: Pair { names: found.names, chain, key } })
}

/// Why something was not done.
pub(super) fn refusal(error: &Error) -> Refusal {
    match error {
        Error::Api(problem) => said(problem),
        Error::Timeout(_) => Refusal::TooLong,
        Error::Json(_) => Refusal::Unasked("its answer is not what ACME says".to_owned()),
        error => Refusal::Unasked(chain(error)),
    }
}

fn said(problem: &Problem) -> Refusal {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default().to_owned();
    let details =
        problem.detail.iter().chain(problem.subproblems.iter().filter_map(|it| it.detail.as_ref()));
    let detail = details.map(String::as_str).collect::<Vec<_>>().join(" ");
    Refusal::Said { kind, detail }
}
