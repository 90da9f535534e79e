//! `toehold agent`: the agent alone.

use toehold_agent::{Ending, Settings};
use toehold_server::fleet::Fleet;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::args::Agent;
use crate::cmd::process;
use crate::context::Context;
use crate::report::{Failure, Outcome};

/// Runs until SIGTERM (instances go on) or SIGINT (they end too).
pub fn run(context: &Context, agent: &Agent) -> Outcome {
    process::prepare(context, agent.parent)?;
    let layout = context.layout()?;
    let settings = Settings {
        dir: layout.agent(),
        socket: Fleet::agent_socket(&layout.run()),
        machine: "local".parse().expect("the name is fixed and allowed"),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
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
