//! The account with a CA: made once, kept with its key in a file for our user alone.

use std::path::{Path, PathBuf};

use instant_acme::{Account, AccountCredentials, Error, NewAccount};
use toehold_core::model::Digest;

use super::http::Http;
use super::known::Known;
use crate::secret::file;

/// Where the account with a CA is kept. Another address, or another CA, is another account.
pub(super) fn place(folder: &Path, known: &Known, email: Option<&str>) -> PathBuf {
    let bound_to = known.bound_to.as_ref().map_or("", |(id, _)| id);
    let of = format!("{}\n{}\n{bound_to}", known.directory, email.unwrap_or_default());
    folder.join(format!("account-{}.json", Digest::of(of.as_bytes()).short()))
}

/// The account that is kept at `path`; made, and kept, where there is none that can be read.
pub(super) async fn open(
    path: &Path,
    http: &Http,
    known: &Known,
    email: Option<&str>,
) -> Result<Account, Error> {
    if let Some(kept) = kept(path)? {
        return Account::builder_with_http(Box::new(http.clone())).from_credentials(kept).await;
    }
    let contact: Vec<String> = email.iter().map(|it| format!("mailto:{it}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let builder = Account::builder_with_http(Box::new(http.clone()));
    let bound = known.bound().map_err(|why| Error::Other(why.into()))?;
    let directory = known.directory.clone();
    let (account, credentials) = builder.create(&new, directory, bound.as_ref()).await?;
    let text = serde_json::to_string(&credentials)?;
    if let Some(folder) = path.parent() {
        file::make_dir(folder).map_err(|error| Error::Other(error.into()))?;
    }
    file::write(path, &text).map_err(|error| Error::Other(error.into()))?;
    tracing::info!(acme.directory = %known.directory, "an account was made with a CA");
    Ok(account)
}

/// Forgets the account: the CA does not know it any more.
pub(super) fn forget(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, file.path = %path.display(), "an account with a CA could not be removed");
    }
}

fn kept(path: &Path) -> Result<Option<AccountCredentials>, Error> {
    let Some(text) = file::read(path).map_err(|error| Error::Other(error.into()))? else {
        return Ok(None);
    };
    let kept = serde_json::from_str(&text);
    if kept.is_err() {
        // What the parser says of it could show the key.
        tracing::error!(file.path = %path.display(), "an account with a CA cannot be read: another one is made");
    }
    Ok(kept.ok())
}
