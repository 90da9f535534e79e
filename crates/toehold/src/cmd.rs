//! The verbs: each in a file of its own, and what they all need.

mod agent;
mod alerts;
mod config;
mod deploy;
mod doctor;
mod flags;
mod follow;
mod hook;
mod init;
mod little;
mod logs;
mod look;
mod process;
mod proxy;
mod secrets;
mod serve;
mod tokens;
mod up;
mod which;
mod wishes;

use std::future::Future;
use std::path::PathBuf;

use toehold_core::model::AppName;
use toehold_core::wish::Wish;
use toehold_server::layout::Layout;
use toehold_server::settings::Settings;

use crate::args::{Args, Everywhere, Verb};
use crate::client::Client;
use crate::demo;
use crate::report::{Failure, Outcome};

/// What every verb needs.
pub struct Context {
    everywhere: Everywhere,
    runtime: tokio::runtime::Runtime,
}

/// Carries out what was asked for.
pub fn run(args: Args) -> Outcome {
    let context = Context::new(args.everywhere)?;
    match args.verb {
        Verb::Up(up) => up::run(&context, &up),
        Verb::Serve(serve) => serve::run(&context, &serve),
        Verb::Proxy(proxy) => proxy::run(&context, &proxy),
        Verb::Agent(agent) => agent::run(&context, &agent),
        Verb::Demo(demo) => demo::run(&context, &demo),
        Verb::Init(init) => init::run(&context, &init),
        Verb::Deploy(deploy) => deploy::run(&context, &deploy),
        Verb::Plan => little::plan(&context),
        Verb::Cancel { number } => little::cancel(&context, number),
        Verb::Status { watch } => look::status(&context, watch),
        Verb::Releases => look::releases(&context),
        Verb::Rollback { release, yes } => wishes::rollback(&context, release, yes),
        Verb::Unpin => wishes::wish(&context, &Wish::Unpin),
        Verb::Rollout(rollout) => wishes::rollout(&context, &rollout),
        Verb::Logs(logs) => logs::run(&context, &logs),
        Verb::Scale { wish } => wishes::scale(&context, wish),
        Verb::Flags(flags) => flags::run(&context, &flags),
        Verb::Alerts(alerts) => alerts::run(&context, &alerts),
        Verb::Events { follow, lines } => look::events(&context, follow, lines),
        Verb::Why { thing } => look::why(&context, &thing),
        Verb::Config(config) => config::run(&context, &config),
        Verb::Secrets(secrets) => secrets::run(&context, &secrets),
        Verb::Tokens(tokens) => tokens::run(&context, &tokens),
        Verb::Open => little::open(&context),
        Verb::Doctor => doctor::run(&context),
        Verb::Version => little::version(&context),
        Verb::Completions { shell } => little::completions(shell),
        Verb::Hook { name } => hook::run(&context, &name),
    }
}

impl Context {
    fn new(everywhere: Everywhere) -> Result<Self, Failure> {
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
            None => Ok(Client::Socket(self.layout()?.api_socket())),
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
