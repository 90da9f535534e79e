//! A double of `DigitalOcean`'s API v2, as far as it is used: it holds to the published contract,
//! its Droplets are real hosts with a real `sshd`, and it goes wrong where it is told to.

mod account;
mod contract;
mod http;
pub mod published;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::error::SceneryError;
use crate::host::Host;
use crate::network::Network;
use account::Account;
pub use contract::{Called, Contract};

/// How it goes wrong, once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A Droplet is made and the answer is lost.
    LostAnswer,
    /// A Droplet is made and the answer is 500.
    Lie,
    /// 429, to be asked again after a second.
    Patience,
    /// 422: the account may have no more.
    Limit,
    /// A Droplet never becomes active.
    Stuck,
    /// A Droplet becomes active and has a full disk: its cloud-init says so, and no agent finds room.
    Full,
}

/// The cloud; what it gave is gone with it.
#[derive(Debug)]
pub struct Cloud {
    address: SocketAddr,
    account: Arc<Mutex<Account>>,
}

impl Cloud {
    /// The last line of what the cloud-init of a Droplet says that is [full](Fault::Full).
    pub const FULL: &str = "OSError: [Errno 28] No space left on device";

    /// The token it takes.
    pub const TOKEN: &str = "dop_v1_test";

    /// A cloud without Droplets, which will be hosts of this network.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn new(network: Network) -> Result<Self, SceneryError> {
        let cannot = SceneryError::system("listen as a cloud");
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (listener, address) =
            bound.and_then(|it| it.local_addr().map(|at| (it, at))).map_err(cannot)?;
        let account = Arc::new(Mutex::new(Account::new(network)));
        let serving = Arc::downgrade(&account);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(account) = serving.upgrade() else { return };
                http::serve(&stream, |call, headers, body| {
                    lock(&account).take(call, headers, body)
                });
            }
        });
        Ok(Self { address, account })
    }

    /// Its address: `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does something with the host that a Droplet is; `None` where there is none of that name.
    pub fn with_host<T>(&self, name: &str, deed: impl FnOnce(&mut Host) -> T) -> Option<T> {
        let mut account = self.lock();
        account.droplets.iter_mut().find(|it| it.name == name).map(|it| deed(&mut it.host))
    }

    /// Goes wrong in this way at the next chance for it.
    pub fn goes_wrong(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// The names of the Droplets there are.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().droplets.iter().map(|it| it.name.clone()).collect()
    }

    /// How often was called what begins with this: `POST /v2/droplets`.
    #[must_use]
    pub fn calls(&self, beginning: &str) -> usize {
        self.lock().calls.iter().filter(|call| call.starts_with(beginning)).count()
    }

    /// The calls that came last, with what was answered to each.
    #[must_use]
    pub fn called(&self) -> Vec<Called> {
        self.lock().called.iter().cloned().collect()
    }

    /// The firewalls there are.
    #[must_use]
    pub fn firewalls(&self) -> Vec<Value> {
        self.lock().firewalls.clone()
    }

    /// Somebody lets everybody in, by hand.
    pub fn opens_firewall(&self) {
        for firewall in &mut self.lock().firewalls {
            firewall["inbound_rules"][0]["sources"]["addresses"] = serde_json::json!(["0.0.0.0/0"]);
        }
    }

    /// Somebody deletes a Droplet by hand.
    pub fn deletes(&self, name: &str) {
        self.lock().delete(|it| it.name == name);
    }

    /// What did not hold to the contract, a sentence each.
    #[must_use]
    pub fn breaches(&self) -> Vec<String> {
        self.lock().breaches.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }
}

fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}
