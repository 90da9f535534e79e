//! The stage: a folder of its own with a repository, a state folder and a Toehold in it.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use serde_json::json;
use toehold_core::model::{AppName, Event};
use toehold_core::wire::api::AppView;
use tokio::process::Child;

use super::postbox::Postbox;
use super::visitors::{Count, Visitors};
use super::{Teller, app};
use crate::client::Client;
use crate::report::{Failure, Outcome};
use crate::show::{self, paint};

/// How often is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(50);

/// How long Toehold may take to come up, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything the story is played on.
pub struct Stage {
    root: PathBuf,
    /// The team's repository.
    pub repository: PathBuf,
    /// Where the mail arrives.
    pub postbox: Postbox,
    /// The control plane.
    pub client: Client,
    /// Where visitors come in.
    pub port: u16,
    /// Where forges call.
    pub api: u16,
    toehold: Child,
    visitors: Option<Visitors>,
}

impl Stage {
    /// Makes the repository and the app in the story's folder, and starts Toehold with these
    /// settings beside its addresses.
    pub async fn build(
        teller: &Teller,
        root: PathBuf,
        postbox: Postbox,
        settings: &str,
    ) -> Result<Self, Failure> {
        let (repository, state) = (root.join("tokens"), root.join("state"));
        std::fs::create_dir_all(&repository).map_err(|error| cannot(&error))?;
        std::fs::create_dir_all(&state).map_err(|error| cannot(&error))?;
        let (port, api) = (free_port()?, free_port()?);
        let addresses = format!("listen = \"127.0.0.1:{port}\"\napi = \"127.0.0.1:{api}\"\n\n");
        std::fs::write(state.join("server.toml"), addresses + settings)
            .map_err(|error| cannot(&error))?;
        teller.act("Toehold comes up: control plane, proxy and agent")?;
        let toehold = start(&state, &root)?;
        let client = Client::socket(state.join("run/api.sock"));
        let mut stage =
            Self { root, repository, postbox, client, port, api, toehold, visitors: None };
        match stage.begin(teller).await {
            Ok(()) => Ok(stage),
            Err(failure) => {
                stage.clear_away(false).await?;
                Err(failure)
            }
        }
    }

    async fn begin(&mut self, teller: &Teller) -> Outcome {
        self.came_up().await?;
        teller.happened("three processes, no root, nothing to install")?;
        self.begin_repository()
    }

    async fn came_up(&mut self) -> Outcome {
        let came = async {
            loop {
                if self.client.get::<Vec<AppName>>("/api/v1/apps").await.is_ok() {
                    return true;
                }
                if !matches!(self.toehold.try_wait(), Ok(None)) {
                    return false;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, came).await == Ok(true) {
            return Ok(());
        }
        let said = std::fs::read_to_string(self.root.join("up.log")).unwrap_or_default();
        Err(Failure::world("Toehold did not come up").hint(format!("it said: {said}")))
    }

    fn begin_repository(&self) -> Outcome {
        app::write(&self.repository)?;
        self.git(&["init", "--quiet", "--initial-branch", "main"])?;
        self.git(&["config", "user.name", "Ada"])?;
        self.git(&["config", "user.email", "ada@example.com"])?;
        self.commit("A place to leave tokens")
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) -> Outcome {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])?;
        Ok(())
    }

    /// Runs git in the team's repository; gives what it printed on both streams.
    pub fn git(&self, arguments: &[&str]) -> Result<String, Failure> {
        let answer = Command::new("git")
            .current_dir(&self.repository)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::world("cannot run git").because(&error))?;
        let mut said = String::from_utf8_lossy(&answer.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&answer.stderr));
        if answer.status.success() {
            Ok(said)
        } else {
            Err(Failure::world(format!("git {} failed: {said}", arguments.join(" "))))
        }
    }

    /// Pushes a branch to Toehold and shows what the pusher sees of the steps.
    pub async fn push(&self, teller: &Teller, branch: &str) -> Result<String, Failure> {
        let refspec = format!("HEAD:refs/heads/{branch}");
        teller.shows(&paint::faint(&format!("$ git push toehold HEAD:{branch}")))?;
        let repository = self.repository.clone();
        let answer = tokio::process::Command::new("git")
            .current_dir(repository)
            .args(["push", "--force", "toehold", &refspec])
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|error| Failure::world("cannot run git").because(&error))?;
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        for line in said.lines().filter_map(|line| line.strip_prefix("remote: ")) {
            let line = line.trim_end();
            let is_output = line.starts_with("  │") || line.starts_with("  the end of what ");
            if !line.is_empty() && !is_output {
                teller.shows(line)?;
            }
        }
        if !answer.status.success() {
            return Err(Failure::world(format!("git push failed: {said}")));
        }
        Ok(said)
    }

    /// Asks `toehold` something in the team's repository.
    pub fn toehold(&self, arguments: &[&str]) -> Result<String, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::world("cannot find this program").because(&error))?;
        let answer = Command::new(program)
            .current_dir(&self.repository)
            .arg("--dir")
            .arg(self.root.join("state"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::world("cannot run toehold").because(&error))?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        Err(Failure::world(format!("toehold {} failed: {said}", arguments.join(" "))))
    }

    /// The app at one glance.
    pub async fn view(&self) -> Result<AppView, Failure> {
        self.client.get("/api/v1/apps/tokens").await
    }

    /// The app's events after a revision.
    pub async fn events(&self, after: u64) -> Result<Vec<Event>, Failure> {
        self.get(&format!("/api/v1/apps/tokens/events?after={after}&limit=1000")).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.client.get(path).await
    }

    /// Waits until something is there.
    pub async fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        mut look: impl AsyncFnMut() -> Option<T>,
    ) -> Result<T, Failure> {
        let looked = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(patience, looked)
            .await
            .map_err(|_| Failure::no(format!("waited {} s in vain for {what}", patience.as_secs())))
    }

    /// The process of `toehold up`.
    pub fn pid(&self) -> Result<u32, Failure> {
        self.toehold.id().ok_or_else(|| Failure::no("`toehold up` has ended"))
    }

    /// Lets visitors in.
    pub fn open_doors(&mut self, per_second: u32) {
        self.visitors = Some(Visitors::come(self.port, "tokens.localhost", "/", per_second));
    }

    /// The visitors.
    pub fn visitors(&self) -> Result<&Visitors, Failure> {
        self.visitors.as_ref().ok_or_else(|| Failure::no("nobody visits"))
    }

    /// Sends the visitors home and gives what was counted.
    pub async fn close_doors(&mut self) -> Result<Count, Failure> {
        match self.visitors.take() {
            Some(visitors) => Ok(visitors.go_home().await),
            None => Err(Failure::no("nobody visits")),
        }
    }

    /// Where the processes' logs are.
    pub fn logs(&self) -> String {
        self.root.join("state/log").display().to_string()
    }

    /// Leaves everything running until ^C.
    pub async fn keep(self, teller: &Teller) -> Outcome {
        let link = self.toehold(&["open"])?;
        teller.act("It goes on. Look around:")?;
        for line in [
            format!("dashboard   {link}"),
            format!("the app     http://tokens.localhost:{}", self.port),
            format!("the command toehold --dir {} status", self.root.join("state").display()),
            "^C ends it".to_owned(),
        ] {
            teller.shows(&line)?;
        }
        if teller.json {
            show::json(&json!({ "dashboard": link, "port": self.port }))?;
        }
        tokio::signal::ctrl_c()
            .await
            .map_err(|error| Failure::world("cannot wait for ^C").because(&error))?;
        self.clear_away(true).await
    }

    /// Ends Toehold and its apps, and removes the folder where nothing in it is worth a look.
    pub async fn clear_away(mut self, remove: bool) -> Outcome {
        let pid = self.toehold.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself; then that is what was wanted.
            let _ = kill_process(pid, Signal::INT);
        }
        let ended = tokio::time::timeout(PATIENCE * 2, self.toehold.wait()).await;
        if !matches!(ended, Ok(Ok(_))) {
            return Err(Failure::world("Toehold did not end when it was asked to"));
        }
        if remove {
            std::fs::remove_dir_all(&self.root).map_err(|error| {
                Failure::world(format!("cannot remove {}", self.root.display())).because(&error)
            })?;
        }
        Ok(())
    }
}

/// The folder of a story, once it is sure that what every story needs is here.
pub fn ground() -> Result<PathBuf, Failure> {
    for program in ["git", "node", "npm"] {
        needs(program)?;
    }
    let root = std::env::temp_dir().join(format!("toehold-demo-{}", std::process::id()));
    // Nobody else of this machine looks in, or put something there before.
    std::fs::DirBuilder::new().mode(0o700).create(&root).map_err(|error| cannot(&error))?;
    Ok(root)
}

/// Leaves the folder of a story that did not begin.
pub fn leave(root: &Path) {
    // What cannot be removed is in nobody's way.
    let _ = std::fs::remove_dir_all(root);
}

/// Fails where a program is not here.
pub fn needs(program: &str) -> Outcome {
    // What it says to this does not matter, only that it is there.
    if Command::new(program).arg("--version").stdin(Stdio::null()).output().is_ok() {
        return Ok(());
    }
    Err(Failure::user(format!("the demo needs {program}, and it is not here"))
        .hint("script/demo sees to it, or install it with your system's package manager"))
}

fn cannot(error: &std::io::Error) -> Failure {
    Failure::world("cannot set the stage").because(error)
}

/// A loopback port where nobody listens.
pub fn free_port() -> Result<u16, Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| cannot(&error))?;
    Ok(listener.local_addr().map_err(|error| cannot(&error))?.port())
}

fn start(state: &Path, root: &Path) -> Result<Child, Failure> {
    let cannot = |error: std::io::Error| Failure::world("cannot start Toehold").because(&error);
    let program = std::env::current_exe().map_err(cannot)?;
    let log = std::fs::File::create(root.join("up.log")).map_err(cannot)?;
    tokio::process::Command::new(program)
        .args(["up", "--dir"])
        .arg(state)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(cannot)?)
        .stderr(log)
        // ^C is for the story; it then ends Toehold itself, in order.
        .process_group(0)
        .spawn()
        .map_err(cannot)
}
