//! An agent and a proxy that say over their own links what real ones would of `shop`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use toehold_core::model::{
    Evidence, InstanceId, InstancePhase, InstanceStatus, MachineName, Number, Reading, Track,
};
use toehold_core::time::Timestamp;
use toehold_core::wire::Order;
use toehold_core::wire::agent::{FromAgent, LogPiece, MachineReading, Report, ToAgent};
use toehold_core::wire::proxy::{
    FromProxy, Histogram, InstanceCounters, ProxyReport, Routes, ToProxy,
};
use toehold_host::link::{self, Reader, Writer};
use toehold_server::clock::{Clock, SystemClock};
use toehold_server::fleet::Fleet;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use crate::shop;
use crate::stage::Stage;

/// How often they speak.
const OFTEN: Duration = Duration::from_millis(100);

/// What an instance has said.
pub(crate) const SAID: &str = "listening on $PORT\nGET /tokens 200 3 ms\n";

/// Both; they end when this is dropped.
pub(crate) struct Pretend {
    _tasks: JoinSet<()>,
    told: Arc<Mutex<Routes>>,
}

impl Pretend {
    /// They dial in.
    pub(crate) fn begin(stage: &Stage) -> Self {
        let run = stage.control.layout().run();
        let (mut tasks, told) = (JoinSet::new(), Arc::<Mutex<Routes>>::default());
        tasks.spawn(agent(Fleet::agent_socket(&run)));
        tasks.spawn(proxy(Fleet::proxy_socket(&run), told.clone()));
        Self { _tasks: tasks, told }
    }

    /// The routes the proxy was told last.
    pub(crate) fn routes(&self) -> Routes {
        self.told.lock().expect("no panic").clone()
    }
}

async fn dial(path: PathBuf) -> UnixStream {
    link::dial(&path, Duration::from_secs(5)).await.expect("somebody listens")
}

async fn agent(socket: PathBuf) {
    let (reader, writer) = link::split(dial(socket).await);
    let machine = MachineName::local();
    let hello = FromAgent::Hello { machine, version: "0".into(), program: None };
    speak(reader, writer, &hello, report).await;
}

/// Says hello, and what `report` makes of what it was told last, for as long as somebody listens.
pub(crate) async fn speak(
    mut reader: Reader<ToAgent>,
    mut writer: Writer<FromAgent>,
    hello: &FromAgent,
    report: impl Fn(Order) -> Report,
) {
    writer.send(hello).await.expect("it is heard");
    let mut applied = Order::default();
    let mut tick = tokio::time::interval(OFTEN);
    loop {
        let message = tokio::select! {
            _ = tick.tick() => FromAgent::Report(report(applied)),
            told = reader.next() => match told {
                Ok(Some(ToAgent::Place(placement))) => {
                    applied = placement.order;
                    FromAgent::Report(report(applied))
                }
                Ok(Some(ToAgent::ReadLog { request, .. })) => {
                    let end = SAID.len() as u64;
                    let piece = LogPiece { start: 0, end, text: SAID.into(), more: false };
                    FromAgent::Log { request, piece: Ok(piece) }
                }
                _ => return,
            },
        };
        if writer.send(&message).await.is_err() {
            return;
        }
    }
}

fn report(applied: Order) -> Report {
    let at = SystemClock.now();
    let instances = [(1, 42, 38.0), (2, 42, 41.0), (3, 43, 22.0)];
    Report {
        at,
        applied,
        instances: instances.map(|(id, release, cpu)| status(id, release, cpu, at)).into(),
        machine: MachineReading::default(),
    }
}

/// What is said of an instance on this machine.
pub(crate) fn status(
    ordinal: u64,
    release: u64,
    cpu_percent: f64,
    at: Timestamp,
) -> InstanceStatus {
    let began = Timestamp::from_ms(at.as_ms() - 3_000_000);
    let addr = format!("127.0.0.1:4100{ordinal}");
    InstanceStatus {
        id: InstanceId::new(shop::name(), ordinal),
        release: Number(release),
        phase: InstancePhase::Running,
        addr: Some(addr.parse().expect("an address")),
        run: None,
        healthy: true,
        healthy_since: Some(began),
        started_at: Some(began),
        restarts: 0,
        last_exit: None,
        evidence: Some(Evidence {
            at,
            asked: format!("GET / on {addr}"),
            answer: "200".into(),
            took_ms: 3,
            body: "hello".into(),
            passed: true,
        }),
        reading: Some(Reading { at, cpu_percent, memory_percent: 31.0, memory_bytes: 78_000_000 }),
    }
}

async fn proxy(socket: PathBuf, routes: Arc<Mutex<Routes>>) {
    let (mut reader, mut writer) = link::split::<ToProxy, FromProxy>(dial(socket).await);
    let hello = FromProxy::Hello { version: "0".into(), listens: Vec::new() };
    writer.send(&hello).await.expect("it is heard");
    let (started_at, mut applied, mut count) = (SystemClock.now(), Order::default(), 0);
    let mut tick = tokio::time::interval(OFTEN);
    loop {
        tokio::select! {
            _ = tick.tick() => count += 1,
            told = reader.next() => match told {
                Ok(Some(ToProxy::Routes(told))) => {
                    applied = told.order;
                    *routes.lock().expect("no panic") = told;
                }
                _ => return,
            },
        }
        let instances = [(1, 42, Track::Stable), (2, 42, Track::Stable), (3, 43, Track::Canary)];
        let report = ProxyReport {
            at: SystemClock.now(),
            applied,
            started_at,
            instances: instances.map(|it| counters(it, count)).into(),
            refused: Vec::new(),
            access_lines_dropped: 0,
        };
        if writer.send(&FromProxy::Report(report)).await.is_err() {
            return;
        }
    }
}

fn counters((ordinal, release, track): (u64, u64, Track), count: u64) -> InstanceCounters {
    let mut latency = Histogram::default();
    for i in 0..count * 4 {
        latency.count(10_000 + (i * 7_919) % 31_000);
    }
    InstanceCounters {
        instance: InstanceId::new(shop::name(), ordinal),
        release: Number(release),
        track,
        in_flight: ordinal,
        started: count * 4,
        answered: [0, count * 4, 0, 0, count / 20],
        failed: 0,
        retried: 0,
        bytes_in: count * 400,
        bytes_out: count * 40_000,
        latency,
        last_started_us: 0,
        set_aside: None,
        reached: false,
        ejections: 3,
    }
}
