//! A control plane in a folder of its own, with its door open on both sides.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use toehold_server::authority::Authority;
use toehold_server::clock::{Clock, SystemClock};
use toehold_server::control::{Control, Parts};
use toehold_server::door;
use toehold_server::flags::Flags;
use toehold_server::fleet::Fleet;
use toehold_server::layout::Layout;
use toehold_server::secret::{Keys, Sessions, Tokens, Vault};
use toehold_server::settings::Settings;
use toehold_server::store::{SqliteStore, Store, Txn};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::ask::{Answer, Ask};

/// The control plane.
pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) control: Arc<Control>,
    pub(crate) address: SocketAddr,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) shutdown: CancellationToken,
    ended_with_the_test: DropGuard,
    served: JoinHandle<()>,
}

impl Stage {
    /// One with nothing in it.
    pub(crate) async fn new() -> Self {
        Self::with(Txn::default(), |_| {}).await
    }

    /// One with an app called `shop`.
    pub(crate) async fn with_shop() -> Self {
        let stage = Self::new().await;
        stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "shop" }))).await.is(201);
        stage
    }

    /// One in whose store something was written before, set up in some other way.
    pub(crate) async fn with(before: Txn, set_up: impl FnOnce(&mut Settings)) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        Self::on(folder, before, set_up, Arc::new(SystemClock), 1).await
    }

    /// One in a folder that another may have been in, by a clock, in an epoch.
    pub(crate) async fn on(
        folder: TempDir,
        before: Txn,
        set_up: impl FnOnce(&mut Settings),
        clock: Arc<dyn Clock>,
        epoch: u64,
    ) -> Self {
        let layout = Layout::new(folder.path().to_owned());
        for path in [
            layout.run(),
            layout.repositories(),
            layout.work(),
            layout.cache(),
            layout.build_logs(),
            layout.artifacts(),
            layout.data(),
            layout.store(),
        ] {
            std::fs::create_dir_all(path).expect("a folder can be made");
        }
        let network = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = network.local_addr().expect("it has an address");
        let mut settings = Settings { api: address, ..Settings::default() };
        set_up(&mut settings);
        let shutdown = CancellationToken::new();
        let parts = Parts { epoch, ..parts(&layout, settings, before, clock, &shutdown).await };
        let (fleet, authority) = (Arc::clone(&parts.fleet), Arc::clone(&parts.authority));
        // In a box: each test would carry all of it.
        let starting = Box::pin(Control::start(parts, shutdown.clone()));
        let control = starting.await.expect("it starts");
        let owner = toehold_host::link::listen(&layout.api_socket()).expect("a socket can be made");
        let serving = door::serve(Arc::clone(&control), owner, vec![network], shutdown.clone());
        let served = tokio::spawn(async move { serving.await.expect("it serves to the end") });
        let ended_with_the_test = shutdown.clone().drop_guard();
        Self { folder, control, address, fleet, authority, shutdown, ended_with_the_test, served }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn socket(&self) -> PathBuf {
        self.control.layout().api_socket()
    }

    /// Asks over TCP.
    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        ask.over(self.connect().await).await
    }

    /// A connection over TCP.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the door is open")
    }

    /// Asks over the Unix socket.
    pub(crate) async fn owner(&self, ask: Ask) -> Answer {
        ask.over(UnixStream::connect(self.socket()).await.expect("the door is open")).await
    }

    /// A token with these scopes.
    pub(crate) async fn token(&self, scopes: &[&str]) -> String {
        let body = json!({ "name": scopes.join(" "), "scopes": scopes });
        let made = self.owner(Ask::post("/api/v1/tokens").json(&body)).await.is(201).value();
        made["token"].as_str().expect("it is shown once").to_owned()
    }

    /// A session of a browser, with the rights of a token.
    pub(crate) async fn session(&self, token: &str) -> String {
        let enter = Ask::post("/login")
            .header("sec-fetch-site", "same-origin")
            .form(&format!("token={token}&next=%2F"));
        let answer = self.ask(enter).await.is(303);
        let cookie = answer.header("set-cookie");
        let session = cookie.strip_prefix("toehold-session=").expect("the cookie has its name");
        session.split(';').next().expect("it has a value").to_owned()
    }

    /// Ends everything, as a signal would.
    pub(crate) async fn end(self) {
        let _folder = self.end_but_for_its_folder().await;
    }

    /// The same; what lies in its folder stays for another one.
    pub(crate) async fn end_but_for_its_folder(self) -> TempDir {
        self.shutdown.cancel();
        drop(self.ended_with_the_test);
        self.served.await.expect("the door closes");
        self.control.ended().await;
        self.folder
    }
}

async fn parts(
    layout: &Layout,
    settings: Settings,
    before: Txn,
    clock: Arc<dyn Clock>,
    shutdown: &CancellationToken,
) -> Parts {
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&layout.store()).expect("the store can be opened"));
    if !before.writes.is_empty() {
        store.commit(before).await.expect("it can be written");
    }
    let keys = Keys::open(layout.root()).expect("keys can be made");
    let flags = Flags::open(Arc::clone(&store), Arc::clone(&clock)).await;
    let fleet = Fleet::new();
    fleet.listen(&layout.run(), shutdown).expect("sockets can be made");
    let authority = Authority::open(layout.root(), Arc::clone(&store), Arc::clone(&clock)).await;
    Parts {
        authority: Arc::new(authority.expect("its keys can be made")),
        providers: BTreeMap::new(),
        flags: Arc::new(flags.expect("flags can be read")),
        tokens: Arc::new(Tokens::new(Arc::clone(&store), Arc::clone(&clock), keys.clone())),
        sessions: Arc::new(Sessions::new(Arc::clone(&store), Arc::clone(&clock))),
        vault: Arc::new(Vault::new(layout.root(), &keys)),
        store,
        layout: layout.clone(),
        settings,
        epoch: 1,
        fleet,
        clock,
        keys,
        program: PathBuf::from("/bin/true"),
    }
}
