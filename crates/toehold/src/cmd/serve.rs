//! `toehold serve`: the control plane alone.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use toehold_core::model;
use toehold_host::private;
use toehold_server::authority::Authority;
use toehold_server::builder::artifact_path;
use toehold_server::clock::SystemClock;
use toehold_server::control::{Control, Parts};
use toehold_server::door;
use toehold_server::flags::Flags;
use toehold_server::fleet::Fleet;
use toehold_server::layout::Layout;
use toehold_server::notify::Notifier;
use toehold_server::provider::ssh::SshHosts;
use toehold_server::provider::{Provider, digitalocean};
use toehold_server::secret::{Keys, Secret, Sessions, Tokens, Vault};
use toehold_server::settings::Settings;
use toehold_server::store::{Key, SqliteStore, Store};
use tokio_util::sync::CancellationToken;

use crate::args::Serve;
use crate::cmd::process;
use crate::context::{self, Context};
use crate::report::{Failure, Outcome};

/// How long the lead may stay with a control plane that is gone.
const LEAD: Duration = Duration::from_secs(10);

/// Runs until SIGINT or SIGTERM.
pub fn run(context: &Context, serve: &Serve) -> Outcome {
    process::prepare(context, serve.parent)?;
    let layout = context.layout()?;
    let mut settings = context::settings(&layout)?;
    settings.api = serve.api.unwrap_or(settings.api);
    settings.listen = serve.listen.unwrap_or(settings.listen);
    settings.listen_tls = serve.listen_tls.or(settings.listen_tls);
    let api = api_listener(settings.api)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::world("cannot start").because(&error))?;
    let ended = runtime.block_on(serve_until_told(layout, settings, api));
    runtime.shutdown_timeout(Duration::from_secs(2));
    ended
}

/// The socket that was handed in, else one of our own.
fn api_listener(addr: SocketAddr) -> Result<TcpListener, Failure> {
    if let Some(listener) = process::handed_in()?.pop() {
        return Ok(listener);
    }
    TcpListener::bind(addr).and_then(|it| it.set_nonblocking(true).map(|()| it)).map_err(|error| {
        Failure::user(format!("cannot listen on {addr}"))
            .because(&error)
            .hint("choose another with --api")
    })
}

async fn serve_until_told(layout: Layout, settings: Settings, api: TcpListener) -> Outcome {
    let shutdown = CancellationToken::new();
    process::on_signals(&shutdown)?;
    for path in layout.folders().into_iter().chain([layout.build_logs()]) {
        private::folder(&path).map_err(|error| {
            Failure::user(format!("cannot use {}", path.display())).because(&error)
        })?;
    }
    let store = SqliteStore::open(&layout.store())
        .map_err(|error| Failure::user("the control plane cannot start").because(&error))?;
    let store: Arc<dyn Store> = Arc::new(store);
    let key: Key = "lead/control".parse().expect("the key is fixed and allowed");
    let lead = store.lead(&key, LEAD).await.map_err(|error| {
        Failure::world("the control plane cannot take the lead").because(&error)
    })?;
    let fleet = Fleet::new();
    fleet
        .listen(&layout.run(), &shutdown)
        .map_err(|error| Failure::user("the control plane cannot start").because(&error))?;
    let flags = Flags::open(Arc::clone(&store), Arc::new(SystemClock)).await.map_err(|error| {
        Failure::world("the control plane cannot read its flags").because(&error)
    })?;
    let root = layout.root();
    let authority = Authority::open(root, Arc::clone(&store), Arc::new(SystemClock))
        .await
        .map_err(|error| Failure::user("the control plane cannot start").because(&error))?;
    let authority = Arc::new(authority);
    listen_for_machines(&fleet, &settings, &layout, &authority, &shutdown).await?;
    let grounds = Grounds { store: &store, epoch: lead.epoch(), authority };
    let parts = parts(layout.clone(), settings, grounds, fleet, flags)?;
    let notifier = notifier(&parts, &store)?;
    let control = Control::start(parts, shutdown.clone())
        .await
        .map_err(|error| Failure::world("the control plane cannot start").because(&error))?;
    let notifying = tokio::spawn(notifier.run(shutdown.clone()));
    let socket = toehold_host::link::listen(&layout.api_socket())
        .map_err(|error| Failure::user("the control plane cannot start").because(&error))?;
    let api = tokio::net::TcpListener::from_std(api)
        .map_err(|error| Failure::world("cannot use the API's socket").because(&error))?;
    tracing::info!("the control plane is up");
    tokio::select! {
        served = door::serve(Arc::clone(&control), socket, vec![api], shutdown.clone()) => {
            served.map_err(|error| Failure::world("the API ended").because(&error))?;
        }
        () = lead.lost() => {
            shutdown.cancel();
            return Err(Failure::world("another control plane has taken the lead"));
        }
    }
    shutdown.cancel();
    control.ended().await;
    let _ = notifying.await;
    Ok(())
}

/// The port for agents of other machines, where there is to be one.
async fn listen_for_machines(
    fleet: &Arc<Fleet>,
    settings: &Settings,
    layout: &Layout,
    authority: &Arc<Authority>,
    shutdown: &CancellationToken,
) -> Outcome {
    let Some(addr) = settings.machines.listen else { return Ok(()) };
    let listener = tokio::net::TcpListener::bind(addr).await.map_err(|error| {
        Failure::user(format!("cannot listen on {addr} for machines"))
            .because(&error)
            .hint("who has it? `ss -ltnp`; it is `listen` under [machines] in server.toml")
    })?;
    let shelf = layout.artifacts();
    let lies = move |artifact: &model::Digest| artifact_path(&shelf, artifact);
    fleet
        .listen_for_machines(listener, Arc::clone(authority), lies, shutdown)
        .map_err(|error| Failure::user("the control plane cannot start").because(&error))
}

/// What all the rooms stand on.
struct Grounds<'a> {
    store: &'a Arc<dyn Store>,
    epoch: u64,
    authority: Arc<Authority>,
}

/// Who gives machines, as far as they are set up.
fn providers(
    layout: &Layout,
    settings: &Settings,
    authority: &Authority,
) -> Result<BTreeMap<model::Provider, Box<dyn Provider>>, Failure> {
    let mut all: BTreeMap<model::Provider, Box<dyn Provider>> = BTreeMap::new();
    let ssh = SshHosts { key: layout.ssh_key(), run: layout.run() };
    all.insert(model::Provider::Ssh, Box::new(ssh));
    if let Some(settings) = settings.machines.digitalocean.as_deref().cloned() {
        let cannot = || Failure::user("[machines.digitalocean] of server.toml cannot be used");
        let path = settings.token_file.display().to_string();
        let text = std::fs::read_to_string(&settings.token_file)
            .map_err(|error| cannot().because(&error).hint(format!("is the token in {path}?")))?;
        let token = Secret::new(text.lines().next().unwrap_or_default().trim());
        let place = digitalocean::Place {
            key: layout.ssh_key(),
            host_keys: layout.host_keys(),
            // Two Toeholds with one account never take each other's machines for theirs.
            tag: format!("toehold-{}", authority.digest().short()),
        };
        let made = digitalocean::DigitalOcean::new(settings, token, place)
            .map_err(|why| cannot().hint(why))?;
        all.insert(model::Provider::DigitalOcean, Box::new(made));
    }
    Ok(all)
}

fn parts(
    layout: Layout,
    settings: Settings,
    Grounds { store, epoch, authority }: Grounds<'_>,
    fleet: Arc<Fleet>,
    flags: Flags,
) -> Result<Parts, Failure> {
    let clock = Arc::new(SystemClock);
    let cannot = |error: &(dyn std::error::Error + 'static)| {
        Failure::user("the control plane cannot start").because(error)
    };
    let keys = Keys::open(layout.root()).map_err(|error| cannot(&error))?;
    let program = std::env::current_exe().map_err(|error| cannot(&error))?;
    Ok(Parts {
        flags: Arc::new(flags),
        tokens: Arc::new(Tokens::new(Arc::clone(store), clock.clone(), keys.clone())),
        sessions: Arc::new(Sessions::new(Arc::clone(store), clock.clone())),
        vault: Arc::new(Vault::new(layout.root(), &keys)),
        store: Arc::clone(store),
        providers: providers(&layout, &settings, &authority)?,
        authority,
        layout,
        settings,
        epoch,
        fleet,
        clock,
        keys,
        program,
    })
}

fn notifier(parts: &Parts, store: &Arc<dyn Store>) -> Result<Notifier, Failure> {
    let messages = &parts.settings.messages;
    Notifier::new(Arc::clone(store), Arc::clone(&parts.clock), messages, &parts.keys)
        .map_err(|error| Failure::user("cannot set up messages").because(&error))
}
