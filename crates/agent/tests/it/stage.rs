//! A machine with an agent, and a control plane that is played by the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use toehold_agent::{AgentError, Ending, Settings, run};
use toehold_core::model::{
    Digest, Goal, HealthCheck, HealthKind, InstanceId, InstancePhase, InstanceStatus, Number,
    RunId, Track,
};
use toehold_core::wire::Order;
use toehold_core::wire::agent::{FromAgent, LogFrom, LogPiece, Placed, Placement, Report, ToAgent};
use toehold_host::link::{listen, split};
use toehold_host::process::{is_alive, marked};
use tokio::sync::{Notify, mpsc, watch};

/// The longest anything here may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// An HTTP app. `MODE` says how it misbehaves.
pub(crate) const SERVER: &str = r#"
const http = require("http");
const mode = process.env.MODE || "";
if (mode === "deaf") process.on("SIGTERM", () => console.log("deaf to SIGTERM"));
const port = mode === "elsewhere" ? 0 : process.env.PORT;
http.createServer((request, response) => {
  if (request.url === "/exit") process.exit(7);
  if (mode === "redirect") response.writeHead(301, { location: "https://shop.example/" });
  response.end(JSON.stringify({ release: process.env.RELEASE, instance: process.env.INSTANCE }));
}).listen(port, process.env.HOST, () => console.log("listening"));
"#;

/// The test's end of the link.
type Reports = watch::Receiver<Option<Report>>;

pub(crate) struct Stage {
    dir: tempfile::TempDir,
    agent: Option<Running>,
    placement: watch::Sender<Placement>,
    reports: Reports,
    questions: mpsc::UnboundedSender<(ToAgent, mpsc::UnboundedSender<FromAgent>)>,
}

struct Running {
    thread: std::thread::JoinHandle<Result<(), AgentError>>,
    ending: watch::Sender<Option<Ending>>,
    /// Drops the agent where it stands, as SIGKILL would.
    cut: Arc<Notify>,
}

impl Stage {
    /// A machine whose agent runs, and has nothing to do.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (placement, placed) = watch::channel(Placement::default());
        let (said, reports) = watch::channel(None);
        let (questions, asked) = mpsc::unbounded_channel();
        tokio::spawn(control_plane(dir.path().join("agent.sock"), placed, said, asked));
        let mut stage = Self { dir, agent: None, placement, reports, questions };
        stage.start_agent();
        stage.report("the agent reports", |_| true).await;
        stage
    }

    pub(crate) fn start_agent(&mut self) {
        let settings = settings(self.dir.path());
        let (ending, end) = watch::channel(None);
        let cut = Arc::new(Notify::new());
        let cuts = Arc::clone(&cut);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    ended = run(settings, end) => ended,
                    () = cuts.notified() => Ok(()),
                }
            })
        });
        self.agent = Some(Running { thread, ending, cut });
    }

    /// Ends the agent as SIGKILL would: at once, wherever it is.
    pub(crate) fn kill_agent(&mut self) {
        let agent = self.agent.take().expect("it runs");
        agent.cut.notify_one();
        agent.thread.join().expect("no panic").expect("it ran");
    }

    pub(crate) fn end_agent(&mut self, how: Ending) {
        let agent = self.agent.take().expect("it runs");
        agent.ending.send(Some(how)).expect("it listens");
        agent.thread.join().expect("no panic").expect("it ran");
    }

    pub(crate) fn agent_dir(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An archive with these files: its digest and its place.
    pub(crate) fn artifact(&self, files: &[(&str, &str)]) -> (Digest, String) {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o755);
            tar.append_data(&mut header, name, text.as_bytes()).expect("packed");
        }
        let tar = tar.into_inner().expect("packed");
        let digest = Digest::of(&tar);
        let path = self.path(&format!("{}.tar.zst", digest.short()));
        fs::write(&path, zstd::encode_all(&*tar, 3).expect("packed")).expect("written");
        (digest, path.to_string_lossy().into_owned())
    }

    /// An instance that serves by HTTP, to be changed by the test.
    pub(crate) fn server(&self, id: &str) -> Placed {
        Placed {
            command: "exec node server.js".to_owned(),
            health: check(HealthKind::Http { path: "/".to_owned() }),
            ..self.script(id, SERVER, "server.js")
        }
    }

    /// An instance that runs a shell script; it counts as healthy at once.
    pub(crate) fn shell(&self, id: &str, script: &str) -> Placed {
        self.script(id, script, "run.sh")
    }

    fn script(&self, id: &str, text: &str, file: &str) -> Placed {
        let (artifact, artifact_path) = self.artifact(&[(file, text)]);
        Placed {
            id: id.parse().expect("an instance"),
            release: Number(42),
            track: Track::Stable,
            goal: Goal::Run,
            artifact,
            artifact_path: Some(artifact_path),
            listen: std::net::Ipv4Addr::LOCALHOST.into(),
            command: format!("exec sh {file}"),
            release_command: None,
            env: BTreeMap::new(),
            secrets: BTreeSet::new(),
            data_dir: Some(self.path("data").to_string_lossy().into_owned()),
            cpus: 1.0,
            memory_bytes: 256 << 20,
            grace: Duration::from_secs(5),
            health: check(HealthKind::Command { run: "true".to_owned() }),
        }
    }

    /// Places exactly these.
    pub(crate) fn place(&self, instances: &[&Placed]) {
        let instances: Vec<Placed> = instances.iter().map(|it| (*it).clone()).collect();
        self.placement.send_modify(|placement| {
            placement.order.rev += 1;
            placement.instances = instances;
        });
    }

    pub(crate) fn order(&self, epoch: u64, rev: u64) {
        self.placement.send_modify(|placement| placement.order = Order { epoch, rev });
    }

    /// The first report from now on of which this holds.
    pub(crate) async fn report(&mut self, what: &str, holds: impl Fn(&Report) -> bool) -> Report {
        self.reports.mark_unchanged();
        let found = tokio::time::timeout(DEADLINE, async {
            loop {
                self.reports.changed().await.expect("the control plane is played");
                let report = self.reports.borrow().clone();
                if let Some(report) = report.filter(|it| holds(it)) {
                    return report;
                }
            }
        })
        .await;
        let last = self.reports.borrow().clone();
        found.unwrap_or_else(|_| panic!("it never became so that {what}; last: {last:#?}"))
    }

    /// The first status from now on of which this holds.
    pub(crate) async fn status(
        &mut self,
        id: &InstanceId,
        what: &str,
        holds: impl Fn(&InstanceStatus) -> bool,
    ) -> InstanceStatus {
        let of = |report: &Report| report.instances.iter().find(|it| it.id == *id).cloned();
        let report = self.report(what, |it| of(it).is_some_and(|it| holds(&it))).await;
        of(&report).expect("just seen")
    }

    pub(crate) async fn healthy(&mut self, placed: &Placed) -> InstanceStatus {
        self.status(&placed.id, "it is healthy", |it| it.healthy).await
    }

    pub(crate) async fn stopped(&mut self, placed: &Placed) -> InstanceStatus {
        let stopped = |it: &InstanceStatus| it.phase == InstancePhase::Stopped;
        self.status(&placed.id, "it has stopped", stopped).await
    }

    pub(crate) async fn failed(&mut self, placed: &Placed) -> String {
        let failed = |it: &InstanceStatus| matches!(it.phase, InstancePhase::Failed { .. });
        match self.status(&placed.id, "it has failed", failed).await.phase {
            InstancePhase::Failed { why } => why,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn log(&self, id: &InstanceId, from: LogFrom) -> Result<LogPiece, String> {
        let (sender, mut answer) = mpsc::unbounded_channel();
        let (instance, max_bytes) = (id.clone(), 1 << 20);
        let question = ToAgent::ReadLog { request: 77, instance, from, max_bytes };
        self.questions.send((question, sender)).expect("the control plane is played");
        let answer = tokio::time::timeout(DEADLINE, answer.recv()).await.expect("answered");
        match answer.expect("answered") {
            FromAgent::Log { request: 77, piece } => piece,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn whole_log(&self, placed: &Placed) -> String {
        self.log(&placed.id, LogFrom::Offset(0)).await.expect("it has a log").text
    }

    /// Returns once this stands so often in the log.
    pub(crate) async fn until_logged(&self, placed: &Placed, text: &str, times: usize) {
        let logged = async {
            while self.whole_log(placed).await.matches(text).count() < times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let logged = tokio::time::timeout(DEADLINE, logged).await;
        logged.unwrap_or_else(|_| panic!("{text:?} was not logged {times} times"));
    }

    /// Every live process of this stage's instances.
    pub(crate) fn processes(&self) -> Vec<RunId> {
        let folder = fs::canonicalize(self.agent_dir()).expect("there");
        let mark = Digest::of(folder.as_os_str().as_encoded_bytes());
        let ours = format!("@{}", mark.short());
        let all = marked("TOEHOLD_INSTANCE").into_iter();
        all.filter(|(_, value)| value.ends_with(&ours)).map(|(run, _)| run).collect()
    }

    pub(crate) async fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !holds() {
            assert!(Instant::now() < deadline, "it never became so that {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Stage {
    /// Nothing of a test outlives it.
    fn drop(&mut self) {
        if self.agent.is_none() {
            self.start_agent();
        }
        let thread = self.agent.take().map(|agent| {
            let _ = agent.ending.send(Some(Ending::StopAll));
            agent.thread
        });
        let ended = thread.map(std::thread::JoinHandle::join);
        if !std::thread::panicking() {
            ended.expect("it ran").expect("no panic").expect("it ran");
            assert_eq!(self.processes(), Vec::new(), "something outlived the agent");
        }
    }
}

/// The agent of the stage in `dir`.
pub(crate) fn settings(dir: &Path) -> Settings {
    Settings {
        dir: dir.join("agent"),
        control: toehold_agent::ControlPlane::Here(dir.join("agent.sock")),
        machine: "here".parse().expect("a name"),
        version: "test".to_owned(),
    }
}

fn check(kind: HealthKind) -> HealthCheck {
    HealthCheck {
        kind,
        interval: Duration::from_millis(200),
        timeout: Duration::from_secs(2),
        deadline: Duration::from_secs(30),
        rise: 1,
        fall: 2,
    }
}

/// Tells whoever dials what is placed, and keeps what it says.
async fn control_plane(
    socket: PathBuf,
    mut placed: watch::Receiver<Placement>,
    said: watch::Sender<Option<Report>>,
    mut questions: mpsc::UnboundedReceiver<(ToAgent, mpsc::UnboundedSender<FromAgent>)>,
) {
    let listener = listen(&socket).expect("listens");
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        let (mut reader, mut writer) = split::<FromAgent, ToAgent>(stream);
        let mut waiting = None;
        placed.mark_changed();
        loop {
            tokio::select! {
                message = reader.next() => match message {
                    Ok(Some(FromAgent::Report(report))) => drop(said.send_replace(Some(report))),
                    Ok(Some(FromAgent::Hello { .. } | FromAgent::Renew { .. })) => {}
                    Ok(Some(answer @ FromAgent::Log { .. })) => {
                        let asker: Option<mpsc::UnboundedSender<FromAgent>> = waiting.take();
                        asker.map(|asker| asker.send(answer));
                    }
                    Ok(None) | Err(_) => break,
                },
                changed = placed.changed() => {
                    if changed.is_err() { return }
                    let placement = placed.borrow_and_update().clone();
                    let _ = writer.send(&ToAgent::Place(placement)).await;
                }
                Some((question, asker)) = questions.recv() => {
                    waiting = Some(asker);
                    let _ = writer.send(&question).await;
                }
            }
        }
    }
}

/// Whether this very process still runs.
pub(crate) fn alive(status: &InstanceStatus) -> bool {
    status.run.is_some_and(is_alive)
}
