//! `toehold up`: control plane, proxy and agent as processes of their own, watched.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::Signal;
use socket2::{Domain, Protocol, Socket, Type};
use toehold_host::lock::FolderLock;
use toehold_host::private;
use toehold_server::layout::Layout;
use toehold_server::settings::Settings;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::args::Up;
use crate::context::{self, Context};
use crate::program::Program;
use crate::report::{Failure, Outcome};
use crate::supervise::{Part, Renewal, Wish, keep, talk};

/// How many connections may wait while the proxy is away.
const BACKLOG: i32 = 4096;

/// How long the parts may take to end before they are killed.
const PATIENCE: Duration = Duration::from_secs(40);

/// In which order parts are replaced: where a newer program cannot run here, the first one says so
/// and nothing else happens.
const IN_ORDER: [&str; 3] = ["proxy", "serve", "agent"];

/// Runs until ^C (the apps end too) or SIGTERM (they go on, and are taken up at the next start).
/// SIGUSR2 replaces the parts by what lies where this program does now.
pub fn run(context: &Context, up: &Up) -> Outcome {
    let program = Program::ours()
        .map_err(|error| Failure::world("cannot find this program").because(&error))?;
    let layout = context.layout()?;
    let lock = take_folder(&layout)?;
    let settings = context::settings(&layout)?;
    let addresses = Addresses {
        listen: up.listen.unwrap_or(settings.listen),
        listen_tls: up.listen_tls.or(settings.listen_tls),
        api: up.api.unwrap_or(settings.api),
    };
    let cpus = up.cpus.unwrap_or_else(cores).max(1);
    let parts = parts(&layout, addresses, cpus)?;
    // One thread: a part is told to end when the thread that started it ends.
    let ended = context.block_on(watch_over((parts, program), &layout, &settings, addresses));
    drop(lock);
    ended
}

#[derive(Clone, Copy)]
struct Addresses {
    listen: SocketAddr,
    listen_tls: Option<SocketAddr>,
    api: SocketAddr,
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn take_folder(layout: &Layout) -> Result<FolderLock, Failure> {
    let cannot = || Failure::user(format!("cannot use {}", layout.root().display()));
    for folder in layout.folders() {
        private::folder(&folder).map_err(|error| cannot().because(&error))?;
    }
    FolderLock::take(&layout.run()).map_err(|error| cannot().because(&error))
}

fn parts(layout: &Layout, at: Addresses, cpus: usize) -> Result<Vec<Part>, Failure> {
    let dir = layout.root().display().to_string();
    let arguments = |verb: &str, more: &[String]| {
        let mut all = vec![verb.to_owned(), "--dir".into(), dir.clone(), "--supervised".into()];
        all.extend_from_slice(more);
        all
    };
    let api = listen(at.api, 1)?;
    let mut public = listen(at.listen, cpus)?;
    let mut how = vec!["--cpus".to_owned(), cpus.to_string()];
    let mut said = vec!["--api".to_owned(), at.api.to_string()];
    said.extend(["--listen".to_owned(), at.listen.to_string()]);
    if let Some(tls) = at.listen_tls {
        public.extend(listen(tls, cpus)?);
        for arguments in [&mut how, &mut said] {
            arguments.extend(["--listen-tls".to_owned(), tls.to_string()]);
        }
    }
    let log = |name: &str| layout.logs().join(format!("{name}.log"));
    Ok(vec![
        Part {
            name: "serve",
            arguments: arguments("serve", &said),
            sockets: api,
            log: log("serve"),
            overlaps: false,
        },
        Part {
            name: "proxy",
            arguments: arguments("proxy", &how),
            sockets: public,
            log: log("proxy"),
            overlaps: true,
        },
        Part {
            name: "agent",
            arguments: arguments("agent", &[]),
            sockets: Vec::new(),
            log: log("agent"),
            overlaps: false,
        },
    ])
}

/// `count` sockets on the same address, so that each of the proxy's threads has its own.
fn listen(addr: SocketAddr, count: usize) -> Result<Vec<OwnedFd>, Failure> {
    let open = || -> std::io::Result<OwnedFd> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        if count > 1 {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        Ok(OwnedFd::from(TcpListener::from(socket)))
    };
    // `SO_REUSEPORT` would let a second Toehold of the same user in: look first.
    TcpListener::bind(addr).map(drop).and_then(|()| (0..count).map(|_| open()).collect()).map_err(
        |error| {
            Failure::user(format!("cannot listen on {addr}"))
                .because(&error)
                .hint("who has it? `ss -ltnp`; choose another with --listen, --listen-tls or --api")
        },
    )
}

async fn watch_over(
    (parts, program): (Vec<Part>, Program),
    layout: &Layout,
    settings: &Settings,
    at: Addresses,
) -> Outcome {
    let cannot = |error: std::io::Error| Failure::world("cannot wait for signals").because(&error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut upgrade = signal(SignalKind::user_defined2()).map_err(cannot)?;
    let (wish, wishes) = watch::channel(Wish::Run);
    let mut running = JoinSet::new();
    let mut renewals = Renewals::new();
    for part in parts {
        let (renew, renewed) = mpsc::channel(1);
        renewals.insert(part.name, renew);
        running.spawn(keep(part, program.clone(), wishes.clone(), renewed));
    }
    greet(layout, settings, at);
    let mut failed = Ok(());
    let mut upgrading = tokio::spawn(std::future::ready(()));
    let ending = loop {
        tokio::select! {
            _ = interrupt.recv() => {
                talk("ending, with every app; ^C again waits for nobody");
                break Signal::INT;
            }
            _ = terminate.recv() => break Signal::TERM,
            Some(ended) = running.join_next() => {
                if let Ok(Err(failure)) = ended { failed = Err(failure); }
                break Signal::TERM;
            }
            Some(()) = upgrade.recv() => {
                if upgrading.is_finished() {
                    upgrading = tokio::spawn(replace(program.clone(), renewals.clone()));
                } else {
                    talk("an upgrade is under way already");
                }
            }
        }
    };
    upgrading.abort();
    wish.send_replace(Wish::End(ending));
    let all = async { while running.join_next().await.is_some() {} };
    tokio::select! {
        () = all => {}
        _ = interrupt.recv() => { wish.send_replace(Wish::End(Signal::KILL)); }
        () = tokio::time::sleep(PATIENCE) => { wish.send_replace(Wish::End(Signal::KILL)); }
    }
    let _ = tokio::time::timeout(Duration::from_secs(5), async {
        while running.join_next().await.is_some() {}
    })
    .await;
    failed
}

/// How each part is asked to be replaced, by its name.
type Renewals = BTreeMap<&'static str, mpsc::Sender<Renewal>>;

/// Replaces each part by what lies on disk now, one after the other. This process stays what it is.
async fn replace(program: Program, renewals: Renewals) {
    talk(&format!("upgrading to {}", program.path().display()));
    if let Err(why) = program.check() {
        return talk(&format!("there is no upgrade: {why}"));
    }
    for name in IN_ORDER {
        let Some(part) = renewals.get(name) else { continue };
        let (asked, answer) = oneshot::channel();
        // A part that is not there any more ends all of Toehold.
        if part.send(asked).await.is_err() {
            return;
        }
        match answer.await {
            Ok(Ok(())) => talk(&format!("`toehold {name}` is upgraded")),
            Ok(Err(why)) => {
                return talk(&format!(
                    "`toehold {name}` goes on as it was, and so does all behind it: {why}"
                ));
            }
            Err(_) => {
                return talk(&format!(
                    "`toehold {name}` ended meanwhile; it is started as what is there now"
                ));
            }
        }
    }
}

fn greet(layout: &Layout, settings: &Settings, at: Addresses) {
    let visitors = settings.public_url.clone().unwrap_or_else(|| format!("http://{}", at.listen));
    let by_tls = at.listen_tls.map(|tls| format!("\n  by TLS     https://{tls}"));
    talk(&format!(
        "toehold is up\n  visitors   {visitors}{}\n  dashboard  http://{}   (a link: toehold open)\n  \
         state      {}\n  ^C ends it",
        by_tls.unwrap_or_default(),
        at.api,
        layout.root().display(),
    ));
}
