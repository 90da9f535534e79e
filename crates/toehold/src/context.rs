//! What every verb needs: where the state is, which app is meant, who to ask.

use std::future::Future;
use std::path::PathBuf;

use toehold_core::model::AppName;
use toehold_server::layout::Layout;
use toehold_server::settings::Settings;

use crate::args::Everywhere;
use crate::client::Client;
use crate::report::Failure;
use crate::which;

/// What every verb needs.
pub struct Context {
    everywhere: Everywhere,
    runtime: tokio::runtime::Runtime,
}

impl Context {
    /// What the arguments say that every verb takes.
    pub fn new(everywhere: Everywhere) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::world("cannot start").because(&error))?;
        Ok(Self { everywhere, runtime })
    }

    /// Waits for a deed.
    pub fn block_on<T>(&self, deed: impl Future<Output = T>) -> T {
        self.runtime.block_on(deed)
    }

    /// Whether answers are wanted as JSON.
    pub fn json(&self) -> bool {
        self.everywhere.json
    }

    /// The state folder.
    pub fn layout(&self) -> Result<Layout, Failure> {
        let dir = match &self.everywhere.dir {
            Some(dir) => std::path::absolute(dir).map_err(|error| {
                Failure::user(format!("cannot use {}", dir.display())).because(&error)
            })?,
            None => default_dir()?,
        };
        Ok(Layout::new(dir))
    }

    /// The app's repository at Toehold; where no state folder can be told, a path that is not
    /// there.
    pub fn repository(&self, app: &AppName) -> PathBuf {
        self.layout().map(|layout| layout.repository(app)).unwrap_or_default()
    }

    /// The address of the control plane, where it is not on this machine.
    pub fn elsewhere(&self) -> Option<&str> {
        self.everywhere.url.as_deref()
    }

    /// The app that was named.
    pub fn named(&self) -> Option<AppName> {
        self.everywhere.app.clone()
    }

    /// The app that had to be named.
    pub fn named_app(&self) -> Result<AppName, Failure> {
        self.named().ok_or_else(|| Failure::user("which app?").hint("name it: --app NAME"))
    }

    /// The app that was named, else the one that is meant.
    pub async fn app(&self, client: &Client) -> Result<AppName, Failure> {
        match self.named() {
            Some(app) => Ok(app),
            None => which::app(client).await,
        }
    }

    /// The control plane.
    pub fn client(&self) -> Result<Client, Failure> {
        match &self.everywhere.url {
            Some(url) => Client::http(url, std::env::var("TOEHOLD_TOKEN").ok()),
            None => Ok(Client::socket(self.layout()?.api_socket())),
        }
    }
}

/// `server.toml`.
pub fn settings(layout: &Layout) -> Result<Settings, Failure> {
    Settings::read(&layout.settings())
        .map_err(|error| Failure::user("cannot use the settings").because(&error))
}

fn default_dir() -> Result<PathBuf, Failure> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("toehold"))
        .ok_or_else(|| {
            Failure::user(
                "there is no folder for Toehold's state: neither XDG_STATE_HOME nor HOME is set",
            )
            .hint("name one with --dir")
        })
}
