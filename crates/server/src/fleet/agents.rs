//! One link an agent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use toehold_core::model::{Digest, MachineName};
use toehold_core::wire::agent::{FromAgent, LogPiece, ToAgent};
use toehold_core::wire::{Order, agent::Placement};
use toehold_host::link::{self, LinkError, Reader, Writer};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::{AgentProgram, Fleet, QUESTIONS, Question};
use crate::authority::Authority;

/// How long an agent may take to say who it is.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// The least time between two certificates that are made for one link.
const RENEW_PAUSE: Duration = Duration::from_secs(10);

/// Who dialled in.
pub(super) enum Caller {
    /// A process of this machine, by the Unix socket.
    Here,
    /// A machine that has shown its certificate.
    Known {
        /// Whose certificate it is.
        machine: MachineName,
        /// Which.
        shown: Digest,
        /// Who gives it the next one.
        authority: Arc<Authority>,
    },
}

impl Caller {
    /// Whether it may call itself this.
    fn may_be(&self, name: &MachineName) -> bool {
        match self {
            Self::Here => *name == MachineName::local(),
            Self::Known { machine, .. } => machine == name,
        }
    }
}

/// Serves an agent that dialled in on this machine.
pub(super) async fn serve(fleet: Arc<Fleet>, stream: UnixStream, caller: Caller) {
    let (reader, writer) = link::split::<FromAgent, ToAgent>(stream);
    converse(&fleet, &caller, reader, writer).await;
}

/// Serves an agent.
pub(super) async fn converse(
    fleet: &Fleet,
    caller: &Caller,
    mut reader: Reader<FromAgent>,
    writer: Writer<ToAgent>,
) {
    let hello = tokio::time::timeout(HELLO_PATIENCE, reader.next()).await;
    let Ok(Ok(Some(FromAgent::Hello { machine, version, program }))) = hello else {
        warn!("someone dialled in as an agent and did not say hello");
        return;
    };
    if !caller.may_be(&machine) {
        warn!(machine.name = %machine, "someone dialled in as a machine that it is not");
        return;
    }
    info!(machine.name = %machine, agent.version = %version, "an agent dialled in");
    let (questions, asked) = mpsc::channel(QUESTIONS);
    let mine = questions.downgrade();
    let program = AgentProgram { version, digest: program };
    fleet.dialled_in(&machine, program, questions);
    let ended = Talk { fleet, caller, machine: &machine }.hold(reader, writer, asked).await;
    let mut known = fleet.known();
    if let (Some(now), Some(mine)) = (known.questions.get(&machine), mine.upgrade())
        && now.same_channel(&mine)
    {
        known.questions.remove(&machine);
    }
    drop(known);
    match ended {
        Ok(()) => info!(machine.name = %machine, "an agent hung up"),
        Err(error) => warn!(machine.name = %machine, %error, "the link to an agent broke"),
    }
    fleet.tell();
}

struct Talk<'a> {
    fleet: &'a Fleet,
    caller: &'a Caller,
    machine: &'a MachineName,
}

impl Talk<'_> {
    async fn hold(
        self,
        mut reader: Reader<FromAgent>,
        mut writer: Writer<ToAgent>,
        mut asked: mpsc::Receiver<Question>,
    ) -> Result<(), LinkError> {
        let mut placements = self.fleet.placements.subscribe();
        placements.mark_changed();
        let mut told: Option<Order> = None;
        let mut renewed = None;
        let mut open: BTreeMap<u64, oneshot::Sender<Result<LogPiece, String>>> = BTreeMap::new();
        loop {
            tokio::select! {
                said = reader.next() => match said? {
                    None => return Ok(()),
                    Some(FromAgent::Log { request, piece }) => {
                        if let Some(answer) = open.remove(&request) {
                            // Whoever asked may have gone; then nobody misses the answer.
                            let _ = answer.send(piece);
                        }
                    }
                    Some(FromAgent::Renew { public_key }) => {
                        // Agents of an earlier time ask each second.
                        if renewed.is_none_or(|at: Instant| at.elapsed() >= RENEW_PAUSE) {
                            renewed = Some(Instant::now());
                            self.renew(&public_key, &mut writer).await?;
                        }
                    }
                    Some(FromAgent::Report(report)) => {
                        self.fleet.reported(self.machine, report);
                    }
                    Some(FromAgent::Hello { .. }) => {}
                },
                _ = placements.changed() => {
                    let new = placements.borrow_and_update().get(self.machine).filter(|it| told != Some(it.order)).cloned();
                    if let Some(placement) = new {
                        told = Some(placement.order);
                        writer.send(&ToAgent::Place(placement)).await?;
                    }
                }
                question = asked.recv() => {
                    // Another link took this one's place, or the machine is not to be known.
                    let Some(question) = question else { return Ok(()) };
                    open.retain(|_, answer| !answer.is_closed());
                    open.insert(question.request, question.answer);
                    writer.send(&question.message).await?;
                }
            }
        }
    }

    async fn renew(&self, public_key: &str, writer: &mut Writer<ToAgent>) -> Result<(), LinkError> {
        let Caller::Known { machine, shown, authority } = self.caller else { return Ok(()) };
        match authority.renew(machine, shown, public_key).await {
            Ok(certificate) => {
                info!(machine.name = %machine, "a machine was given another certificate");
                writer.send(&ToAgent::Certificate(certificate)).await
            }
            Err(error) => {
                error!(machine.name = %machine, %error, "a machine could not be given another certificate");
                Ok(())
            }
        }
    }
}

/// Whether an artifact is placed on a machine.
pub(super) fn is_placed(placement: Option<&Placement>, artifact: &Digest) -> bool {
    placement.is_some_and(|it| it.instances.iter().any(|it| it.artifact == *artifact))
}
