//! The control plane, and the machines it is told of before it begins.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use toehold_core::model::{Machine, MachineGoal, MachineName, MachinePhase, Provider};
use toehold_server::authority::Authority;
use toehold_server::clock::{Clock, SystemClock};
use toehold_server::layout::Layout;
use toehold_server::store::{Key, SqliteStore, Store, Txn, Write};

use crate::{Outcome, process, until};

/// Where every instance of the crowd is said to listen.
pub const PORT: u16 = 40_000;

/// A Toehold of its own, and whom it knows.
pub struct Yard {
    folder: TempDir,
    program: PathBuf,
    up: Child,
    /// Where agents dial.
    pub control: SocketAddr,
    /// Each machine, its address, and its token.
    pub invited: Vec<(MachineName, IpAddr, String)>,
}

impl Yard {
    /// One with so many machines, none of which has joined.
    pub async fn prepare(program: &Path, machines: usize) -> Outcome<Self> {
        let folder = TempDir::new()?;
        let state = folder.path().join("state");
        std::fs::create_dir_all(&state)?;
        let (visitors, api, control) = (free()?, free()?, free()?);
        let settings = format!(
            "listen = \"{visitors}\"\napi = \"{api}\"\n[machines]\nlisten = \"{control}\"\n"
        );
        std::fs::write(state.join("server.toml"), settings)?;
        let invited = invite(&state, machines).await?;
        let up = Command::new(program)
            .args(["up", "--dir"])
            .arg(&state)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let yard = Self { folder, program: program.to_owned(), up, control, invited };
        until("Toehold is up", || Ok(yard.toehold(&["status"]).is_ok())).await?;
        Ok(yard)
    }

    /// Where repositories may lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `toehold` against it.
    pub fn toehold(&self, arguments: &[&str]) -> Outcome<String> {
        self.toehold_in(self.folder(), arguments)
    }

    /// The same, in a folder.
    pub fn toehold_in(&self, folder: &Path, arguments: &[&str]) -> Outcome<String> {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).arg("--dir").arg(self.folder().join("state"));
        said(command.args(arguments))
    }

    /// How many of the machines are heard.
    pub fn heard(&self) -> Outcome<usize> {
        // While it is away it hears nobody.
        let Ok(said) = self.toehold(&["--json", "machines", "ls"]) else { return Ok(0) };
        let all: Vec<Value> = serde_json::from_str(&said)?;
        let others = all.iter().filter(|it| !it["machine"].is_null() && it["heard"] == true);
        Ok(others.filter(|it| it["machine"]["provider"] == "ssh").count())
    }

    /// The process of the control plane.
    pub fn control_plane(&self) -> Outcome<u32> {
        process::child(self.up.id(), "serve")
    }

    /// Kills it; it is started again by itself.
    pub fn kill_control_plane(&self) -> Outcome {
        let pid = self.control_plane()?.to_string();
        said(Command::new("kill").args(["-KILL", &pid])).map(drop)
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        let _ = said(Command::new("kill").args(["-INT", &self.up.id().to_string()]));
        let _ = self.up.wait();
    }
}

/// What a program printed, which must do what it was asked for.
pub fn said(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Writes down that the machines are there, and makes a token for each.
async fn invite(state: &Path, machines: usize) -> Outcome<Vec<(MachineName, IpAddr, String)>> {
    let layout = Layout::new(state.to_owned());
    std::fs::create_dir_all(layout.store())?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&layout.store())?);
    let clock = Arc::new(SystemClock);
    let authority = Authority::open(state, Arc::clone(&store), clock.clone()).await?;
    let mut invited = Vec::new();
    for nth in 0..machines {
        let name: MachineName = format!("crowd{nth}").parse()?;
        let host = u8::try_from(nth % 250)? + 1;
        let address = Ipv4Addr::new(127, 1, u8::try_from(nth / 250)?, host).into();
        let machine = Machine {
            name: name.clone(),
            provider: Provider::Ssh,
            app: None,
            goal: MachineGoal::Run,
            phase: MachinePhase::Ready,
            since: clock.now(),
            address: Some(address),
            access: None,
            provider_id: None,
            size: None,
            configured: std::collections::BTreeMap::default(),
            trouble: None,
            created_at: clock.now(),
        };
        let key: Key = format!("machine/{name}").parse()?;
        store.commit(Txn::by("crowd").write(Write::put(key, &machine))).await?;
        let token = authority.invite(&name, "crowd").await?.reveal().to_owned();
        invited.push((name, address, token));
    }
    Ok(invited)
}

fn free() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
