//! One link an agent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use toehold_core::model::MachineName;
use toehold_core::wire::agent::{FromAgent, LogPiece, ToAgent};
use toehold_host::link::{self, LinkError, Reader, Writer};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::{AgentSeen, Fleet, QUESTIONS, Question};

/// How long an agent may take to say who it is.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// Serves an agent that dialled in.
pub(super) async fn serve(fleet: Arc<Fleet>, stream: UnixStream) {
    let (mut reader, writer) = link::split::<FromAgent, ToAgent>(stream);
    let hello = tokio::time::timeout(HELLO_PATIENCE, reader.next()).await;
    let Ok(Ok(Some(FromAgent::Hello { machine, version }))) = hello else {
        warn!("someone dialled in as an agent and did not say hello");
        return;
    };
    info!(machine.name = %machine, agent.version = %version, "an agent dialled in");
    let (questions, asked) = mpsc::channel(QUESTIONS);
    fleet.known().questions.insert(machine.clone(), questions.clone());
    let ended = talk(&fleet, &machine, reader, writer, asked).await;
    let mut known = fleet.known();
    if known.questions.get(&machine).is_some_and(|now| now.same_channel(&questions)) {
        known.questions.remove(&machine);
    }
    drop(known);
    match ended {
        Ok(()) => info!(machine.name = %machine, "an agent hung up"),
        Err(error) => warn!(machine.name = %machine, %error, "the link to an agent broke"),
    }
    fleet.tell();
}

async fn talk(
    fleet: &Fleet,
    machine: &MachineName,
    mut reader: Reader<FromAgent>,
    mut writer: Writer<ToAgent>,
    mut asked: mpsc::Receiver<Question>,
) -> Result<(), LinkError> {
    let mut placements = fleet.placements.subscribe();
    placements.mark_changed();
    let mut open: BTreeMap<u64, oneshot::Sender<Result<LogPiece, String>>> = BTreeMap::new();
    loop {
        tokio::select! {
            said = reader.next() => match said? {
                None => return Ok(()),
                Some(FromAgent::Report(report)) => {
                    let seen = AgentSeen { report, at: Instant::now() };
                    fleet.known().agents.insert(machine.clone(), seen);
                    fleet.tell();
                }
                Some(FromAgent::Log { request, piece }) => {
                    if let Some(answer) = open.remove(&request) {
                        // Whoever asked may have gone; then nobody misses the answer.
                        let _ = answer.send(piece);
                    }
                }
                Some(FromAgent::Hello { .. }) => {}
            },
            _ = placements.changed() => {
                let placement = placements.borrow_and_update().get(machine).cloned();
                if let Some(placement) = placement {
                    writer.send(&ToAgent::Place(placement)).await?;
                }
            }
            Some(question) = asked.recv() => {
                open.retain(|_, answer| !answer.is_closed());
                open.insert(question.request, question.answer);
                writer.send(&question.message).await?;
            }
        }
    }
}
