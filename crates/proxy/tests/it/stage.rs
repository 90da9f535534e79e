//! A proxy under test, and the control plane it talks to.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;
use toehold_core::model::{Arm, InstanceId, Number, Target, Track};
use toehold_core::wire::Order;
use toehold_core::wire::certificates::Certificates;
use toehold_core::wire::proxy::{
    AppRoute, FromProxy, InstanceCounters, ProxyReport, Routes, ToProxy, TrackKey,
};
use toehold_proxy::{
    AccessFormat, AccessLog, AccessTo, Handover, Limits, Patience, ProxyError, Settings, Source,
    run,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::origin::Origin;

/// Looks until there is something, or gives up after a while.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    look: impl Fn() -> F,
) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .unwrap_or_else(|_| panic!("it never came: {what}"))
}

/// A proxy and its control plane.
pub(crate) struct Stage {
    pub(crate) addr: SocketAddr,
    /// The same behind TLS.
    pub(crate) tls_addr: SocketAddr,
    pub(crate) dir: Arc<TempDir>,
    control: Control,
    drains: watch::Sender<bool>,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<(), ProxyError>>>,
}

/// What the proxy said, and a way to answer.
#[derive(Clone)]
struct Control {
    said: Arc<Mutex<Vec<FromProxy>>>,
    writer: Arc<tokio::sync::Mutex<Option<OwnedWriteHalf>>>,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a folder"));
        Self::again(limits, dir, true).await
    }

    /// In a folder that was used before, with or without a control plane.
    pub(crate) async fn again(limits: Limits, dir: Arc<TempDir>, control_plane: bool) -> Self {
        Self::open(limits, Patience::default(), dir, (control_plane, true)).await
    }

    /// One that speaks no TLS.
    pub(crate) async fn without_tls() -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a folder"));
        Self::open(Limits::default(), Patience::default(), dir, (true, false)).await
    }

    /// One that drains for so long at the most.
    pub(crate) async fn patient(patience: Patience) -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a folder"));
        Self::open(Limits::default(), patience, dir, (true, true)).await
    }

    async fn open(
        limits: Limits,
        patience: Patience,
        dir: Arc<TempDir>,
        (control_plane, tls): (bool, bool),
    ) -> Self {
        let control = Control { said: Arc::default(), writer: Arc::default() };
        let socket = dir.path().join("proxy.sock");
        let _ = std::fs::remove_file(&socket);
        if control_plane {
            control.listen(socket.clone());
        }
        let listeners = two_sockets();
        let addr = listeners[0].local_addr().expect("it is bound");
        let tls_listeners = two_sockets();
        let tls_addr = tls_listeners[0].local_addr().expect("it is bound");
        let stop = CancellationToken::new();
        let ((drains, drain), (ready, _)) = (watch::channel(false), oneshot::channel());
        let settings = Settings {
            source: Source::Control {
                dir: dir.path().join("proxy"),
                socket: Some(socket),
                version: "0.0.0-test".into(),
            },
            listeners,
            tls_listeners: tls_listeners.into_iter().filter(|_| tls).collect(),
            threads: 2,
            limits,
            handover: Some(Handover { drains: drain, ready, takes_over: false, patience }),
            access_log: Some(AccessLog {
                to: AccessTo::Path(dir.path().join("access.log")),
                format: AccessFormat::Json,
            }),
        };
        let token = stop.clone();
        let thread = Some(std::thread::spawn(move || run(settings, &token)));
        let stage = Self { addr, tls_addr, dir, control, drains, stop, thread };
        if control_plane {
            eventually("the link", || async {
                stage.control.writer.lock().await.as_ref().map(|_| ())
            })
            .await;
        }
        stage
    }

    /// Sends routes and waits until they are in force.
    pub(crate) async fn apply(&self, routes: Routes) -> u64 {
        let order = routes.order;
        self.control.send(ToProxy::Routes(routes)).await;
        eventually("routes in force", || async move {
            self.said().into_iter().find_map(|said| match said {
                FromProxy::Applied { order: applied, at_us } if applied == order => Some(at_us),
                FromProxy::Refused { order: refused, why } if refused == order => {
                    panic!("refused: {why}")
                }
                _ => None,
            })
        })
        .await
    }

    /// Sends routes and waits until they are refused.
    pub(crate) async fn refused(&self, routes: Routes) -> String {
        let order = routes.order;
        self.control.send(ToProxy::Routes(routes)).await;
        eventually("routes refused", || async move {
            self.said().into_iter().find_map(|said| match said {
                FromProxy::Refused { order: refused, why } if refused == order => Some(why),
                _ => None,
            })
        })
        .await
    }

    /// Sends certificates; the answer is whether they are shown, or why not.
    pub(crate) async fn certify(&self, certificates: Certificates) -> Result<(), String> {
        let before = self.said().len();
        self.control.send(ToProxy::Certificates(certificates)).await;
        eventually("an answer to certificates", || async move {
            self.said().into_iter().skip(before).find_map(|said| match said {
                FromProxy::Certified { .. } => Some(Ok(())),
                FromProxy::Uncertified { why, .. } => Some(Err(why)),
                _ => None,
            })
        })
        .await
    }

    /// Everything the proxy said.
    pub(crate) fn said(&self) -> Vec<FromProxy> {
        self.control.said.lock().expect("no panic").clone()
    }

    /// Reports from now on, until one of them holds.
    pub(crate) async fn report(
        &self,
        what: &str,
        holds: impl Fn(&ProxyReport) -> bool,
    ) -> ProxyReport {
        eventually(what, || async {
            self.said().into_iter().rev().find_map(|said| match said {
                FromProxy::Report(report) if holds(&report) => Some(report),
                _ => None,
            })
        })
        .await
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// Another process serves, or does not any more.
    pub(crate) fn drains(&self, drains: bool) {
        self.drains.send_replace(drains);
    }

    /// Asks the proxy to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.ends().await;
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ends(mut self) {
        let thread = self.thread.take().expect("it runs");
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        ended.expect("it was waited for").expect("no panic").expect("it ended well");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Control {
    fn listen(&self, socket: PathBuf) {
        let listener = UnixListener::bind(socket).expect("the socket is free");
        let control = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reader, writer) = stream.into_split();
                *control.writer.lock().await = Some(writer);
                let mut lines = BufReader::new(reader).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let said = serde_json::from_str(&line).expect("it speaks our language");
                    control.said.lock().expect("no panic").push(said);
                }
            }
        });
    }

    async fn send(&self, said: ToProxy) {
        let mut line = serde_json::to_vec(&said).expect("it is JSON");
        line.push(b'\n');
        let mut writer = self.writer.lock().await;
        let writer = writer.as_mut().expect("the link is there");
        writer.write_all(&line).await.expect("the proxy reads");
    }
}

/// Two sockets at one address, as for two cores.
fn two_sockets() -> Vec<std::net::TcpListener> {
    let bind = |addr: SocketAddr| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        socket.set_reuse_port(true).expect("it can be shared");
        socket.bind(&addr.into()).expect("it can be bound");
        socket.listen(1024).expect("it listens");
        std::net::TcpListener::from(socket)
    };
    let first = bind(([127, 0, 0, 1], 0).into());
    let addr = first.local_addr().expect("it is bound");
    vec![first, bind(addr)]
}

/// Routes with one app, `shop`, numbered by `rev`.
pub(crate) fn routes(rev: u64, arms: Vec<Arm>) -> Routes {
    Routes {
        order: Order { epoch: 1, rev },
        apps: vec![AppRoute {
            app: "shop".parse().expect("it is a name"),
            rev,
            hosts: vec![],
            arms,
            sticky: false,
            timeout: Duration::from_secs(30),
            max_body_bytes: 1 << 20,
            track_key: TrackKey::new("open-sesame-4711"),
        }],
        cookie_key: "5a".repeat(32),
    }
}

pub(crate) fn stable(weight: u32, origins: &[&Origin]) -> Arm {
    arm(Track::Stable, 1, weight, origins)
}

pub(crate) fn canary(weight: u32, origins: &[&Origin]) -> Arm {
    arm(Track::Canary, 2, weight, origins)
}

pub(crate) fn arm(track: Track, release: u64, weight: u32, origins: &[&Origin]) -> Arm {
    let target =
        |origin: &&Origin| Target { instance: instance(origin.ordinal), addr: origin.addr };
    let targets = origins.iter().map(target).collect();
    Arm { track, release: Number(release), weight, targets }
}

pub(crate) fn instance(ordinal: u64) -> InstanceId {
    InstanceId::new("shop".parse().expect("it is a name"), ordinal)
}

/// What a report says of an instance.
pub(crate) fn of<'a>(report: &'a ProxyReport, origin: &Origin) -> Option<&'a InstanceCounters> {
    report.instances.iter().find(|counters| counters.instance == instance(origin.ordinal))
}
