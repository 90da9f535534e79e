//! A CA that can be asked for certificates.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use instant_acme::Account;
use toehold_core::certificates::{Challenge, Refusal, Which, Window};
use toehold_core::tell;
use tokio::sync::Mutex;

use super::http::Http;
use super::known::Known;
use super::order::{self, Failed, Issued};
use super::proof::Proof;
use super::{Settings, account, wish};

/// How often an order is begun anew where the CA only missed a number that is used once.
const TRIES: usize = 4;

/// How long a CA that has heard enough, and does not say for how long, is left alone.
const HOUR: Duration = Duration::from_hours(1);

/// A CA, and our account with it.
pub struct Ca {
    known: Known,
    host: String,
    email: Option<String>,
    profile: Option<String>,
    challenge: Challenge,
    http: Http,
    account_file: PathBuf,
    /// Of two orders at once, the second finds the account that the first has made.
    account: Mutex<Option<Account>>,
}

impl Ca {
    /// The one of the settings; its account is kept in `folder`. `None` where there is no such one.
    /// An error says what is wrong with the settings, and where.
    pub fn new(settings: &Settings, which: Which, folder: &Path) -> Result<Option<Self>, String> {
        let Some(known) = Known::read(settings, which)? else { return Ok(None) };
        let http = Http::new(&known.directory, known.pem.clone())
            .map_err(|why| format!("acme.{}directory: {why}", known.prefix))?;
        let email = settings.email.clone();
        let uri = known.directory.parse::<hyper::Uri>().ok();
        let host = uri.as_ref().and_then(|it| it.host()).unwrap_or_default().to_owned();
        Ok(Some(Self {
            account_file: account::place(folder, &known, email.as_deref()),
            known,
            host,
            email,
            // The other CA has other kinds.
            profile: settings.profile.clone().filter(|_| which == Which::First),
            challenge: settings.challenge,
            http,
            account: Mutex::default(),
        }))
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The URL of its directory.
    #[must_use]
    pub fn directory(&self) -> &str {
        &self.known.directory
    }

    /// The kind of certificate that is asked for, where one is named.
    pub(super) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// How it is proved to it that a host is ours.
    #[must_use]
    pub const fn challenge(&self) -> Challenge {
        self.challenge
    }

    /// Orders a certificate for `host`, in place of the chain it `replaces`. `show` is to show the CA a
    /// proof, and to answer once everyone does whom the CA could ask; the proof is not needed any more
    /// when this ends.
    pub async fn order<F>(
        &self,
        host: &str,
        replaces: Option<&str>,
        show: impl Fn(Proof) -> F + Send + Sync,
    ) -> Result<Issued, Failed>
    where
        F: Future<Output = Result<(), Refusal>> + Send,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let account = self.account().await?;
            let failed = match order::run(&account, self, (host, replaces), &show).await {
                Ok(issued) => return Ok(issued),
                Err(refusal) => refusal,
            };
            match &failed {
                Refusal::Said { kind, .. } if kind == "badNonce" && tries < TRIES => {}
                Refusal::Said { kind, .. } if kind == "accountDoesNotExist" && tries < TRIES => {
                    self.forget_account(account.id()).await;
                }
                _ => return Err(self.failed(failed)),
            }
        }
    }

    /// When it wishes that a certificate be renewed, and after how long it is to be asked again;
    /// `None` where it has no wishes. An error says in words why it could not be asked.
    pub async fn wish(&self, chain: &str) -> Result<Option<(Window, Duration)>, String> {
        let account = self.account().await.map_err(|_| "its account cannot be had")?;
        wish::ask(&account, chain).await.map_err(|error| tell::chain(&error))
    }

    async fn account(&self) -> Result<Account, Failed> {
        let mut account = self.account.lock().await;
        if let Some(account) = &*account {
            return Ok(account.clone());
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let email = self.email.as_deref();
            match account::open(&self.account_file, &self.http, &self.known, email).await {
                Ok(opened) => return Ok(account.insert(opened).clone()),
                Err(error) => {
                    let refusal = order::refusal(&error);
                    let missed =
                        matches!(&refusal, Refusal::Said { kind, .. } if kind == "badNonce");
                    if !missed || tries >= TRIES {
                        return Err(self.failed(refusal));
                    }
                }
            }
        }
    }

    /// With how long the CA wants to hear no more, where that is why.
    fn failed(&self, refusal: Refusal) -> Failed {
        let wait = self.http.wait();
        let wait = match &refusal {
            Refusal::Said { kind, .. } if kind == "rateLimited" => Some(wait.unwrap_or(HOUR)),
            Refusal::Said { kind, .. } if kind == "serverInternal" => wait,
            Refusal::Unasked(_) => wait,
            _ => None,
        };
        Failed { refusal, wait }
    }

    /// The CA does not know an account. Of two orders at once, the second finds the one that the
    /// first has made in its place.
    async fn forget_account(&self, id: &str) {
        let mut account = self.account.lock().await;
        if account.as_ref().is_some_and(|it| it.id() == id) {
            *account = None;
            account::forget(&self.account_file);
        }
    }
}
