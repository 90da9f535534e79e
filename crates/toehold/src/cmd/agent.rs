//! `toehold agent`: the agent alone, and how a machine joins.

use std::io::Read;
use std::path::Path;

use toehold_agent::{ControlPlane, Ending, Membership, Settings};
use toehold_core::model::MachineName;
use toehold_server::fleet::Fleet;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::args::{Agent, AgentVerb};
use crate::cmd::process;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show;

/// The longest token that is read, in bytes.
const LONGEST_TOKEN: u64 = 4096;

/// Runs until SIGTERM (instances go on) or SIGINT (they end too); or joins.
pub fn run(context: &Context, agent: &Agent) -> Outcome {
    if let Some(AgentVerb::Join { control }) = &agent.verb {
        return join(context, control);
    }
    process::prepare(context, agent.parent)?;
    let layout = context.layout()?;
    let dir = layout.agent();
    let membership = Membership::open(&dir)
        .map_err(|error| Failure::user("it cannot be told who this machine is").because(&error))?;
    let (control, machine) = match membership {
        Some(membership) => {
            let machine = membership.machine();
            (ControlPlane::Elsewhere(membership), machine)
        }
        None => (ControlPlane::Here(Fleet::agent_socket(&layout.run())), MachineName::local()),
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let settings = Settings { dir, control, machine, version };
    let (wish, wishes) = watch::channel(None);
    context.block_on(async {
        let cannot =
            |error: std::io::Error| Failure::world("cannot wait for signals").because(&error);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let told = async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => { wish.send_replace(Some(Ending::StopAll)); }
                    _ = terminate.recv() => { wish.send_replace(Some(Ending::LeaveRunning)); }
                }
            }
        };
        tokio::select! {
            ended = toehold_agent::run(settings, wishes) => {
                ended.map_err(|error| Failure::world("the agent ended").because(&error))
            }
            () = told => Ok(()),
        }
    })
}

fn join(context: &Context, control: &str) -> Outcome {
    let dir = context.layout()?.agent();
    let token = token()?;
    let joined = context.block_on(toehold_agent::join(&dir, control, &token));
    let identity =
        joined.map_err(|error| Failure::no("this machine did not join").because(&error))?;
    show::talk(&format!(
        "joined {} as {}; start the agent with `toehold --dir {} agent`",
        identity.control,
        identity.machine,
        dir.parent().unwrap_or(Path::new("/")).display(),
    ));
    Ok(())
}

fn token() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(LONGEST_TOKEN)
        .read_to_string(&mut text)
        .map_err(|error| Failure::user("the token cannot be read from stdin").because(&error))?;
    Ok(text)
}
