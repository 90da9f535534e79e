//! The line to the control plane: dialled for ever, dropped at the first trouble.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use toehold_core::model::{Digest, MachineName};
use toehold_core::wire::agent::{FromAgent, Placement, ToAgent};
use toehold_host::digest;
use toehold_host::link::{LinkError, Writer};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::dial::{ControlPlane, DialError, work};
use crate::shop::Shop;
use crate::time::now;

/// The first wait before dialling again, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How often everything is reported where nothing changes.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The least time between two reports: a burst of changes is one report.
const REPORT_PAUSE: Duration = Duration::from_millis(20);

/// The program that runs, also where another one lies in its place by now: the control plane
/// replaces one that is not its own.
const PROGRAM: &str = "/proc/self/exe";

/// The line to the control plane.
pub(crate) struct Link {
    pub(crate) control: ControlPlane,
    pub(crate) machine: MachineName,
    pub(crate) version: String,
    pub(crate) shop: Arc<Shop>,
    /// Placements as they come.
    pub(crate) placements: mpsc::Sender<Placement>,
}

impl Link {
    /// Talks, and dials again when that ends. Never returns.
    pub(crate) async fn hold(self) {
        let program = match &self.control {
            ControlPlane::Here(_) => None,
            ControlPlane::Elsewhere(_) => digest::of_file(Path::new(PROGRAM)).await.ok(),
        };
        let mut wait = FIRST_WAIT;
        let mut said = false;
        loop {
            let begun = Instant::now();
            let error = match self.talk(program.clone()).await {
                Ok(()) => "it hung up".to_owned(),
                Err(error) => format!("{error}{}", cause(&error)),
            };
            if begun.elapsed() > LONGEST_WAIT {
                (wait, said) = (FIRST_WAIT, false);
            }
            if !said {
                tracing::warn!(
                    "The control plane is away ({error}): all goes on by the last placement."
                );
                said = true;
            }
            tokio::time::sleep(jittered(wait)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn talk(&self, program: Option<Digest>) -> Result<(), DialError> {
        let (mut reader, mut writer) = work::<ToAgent, FromAgent>(&self.control).await?;
        let (machine, version) = (self.machine.clone(), self.version.clone());
        writer.send(&FromAgent::Hello { machine, version, program }).await?;
        tracing::info!("The control plane is there.");
        let mut every = tokio::time::interval(REPORT_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // What is sent is sent whole: nothing below interrupts a message.
            tokio::select! {
                message = reader.next() => match message? {
                    Some(message) => self.answer(message, &mut writer).await?,
                    None => return Ok(()),
                },
                _ = every.tick() => {
                    self.report(&mut writer).await?;
                    self.renew(&mut writer).await?;
                }
                () = self.shop.board.changed() => {
                    tokio::time::sleep(REPORT_PAUSE).await;
                    self.report(&mut writer).await?;
                    every.reset();
                }
            }
        }
    }

    async fn answer(
        &self,
        message: ToAgent,
        writer: &mut Writer<FromAgent>,
    ) -> Result<(), LinkError> {
        match message {
            ToAgent::Place(placement) => {
                // The other end lives as long as we do.
                let _ = self.placements.send(placement).await;
                Ok(())
            }
            ToAgent::ReadLog { request, instance, from, max_bytes } => {
                let piece = self.shop.journals.read(&instance, from, max_bytes);
                writer.send(&FromAgent::Log { request, piece }).await
            }
            ToAgent::Certificate(certificate) => {
                if let ControlPlane::Elsewhere(membership) = &self.control
                    && let Err(error) = membership.renew(certificate, now())
                {
                    tracing::error!(%error, "A new certificate could not be kept; it is asked for again later.");
                }
                Ok(())
            }
        }
    }

    /// Asks for another certificate where this one is old.
    async fn renew(&self, writer: &mut Writer<FromAgent>) -> Result<(), LinkError> {
        match &self.control {
            ControlPlane::Here(_) => Ok(()),
            ControlPlane::Elsewhere(membership) => match membership.wants_another(now()) {
                Some(public_key) => writer.send(&FromAgent::Renew { public_key }).await,
                None => Ok(()),
            },
        }
    }

    async fn report(&self, writer: &mut Writer<FromAgent>) -> Result<(), LinkError> {
        if let Some((report, leaving)) = self.shop.board.report(now()) {
            writer.send(&FromAgent::Report(report)).await?;
            self.shop.board.forget(&leaving);
        }
        Ok(())
    }
}

/// Between half and all of `wait`, so that agents which lost the same control plane do not come
/// back in step.
fn jittered(wait: Duration) -> Duration {
    let dice = RandomState::new().hash_one(0) % 1024;
    wait / 2 + wait * u32::try_from(dice).unwrap_or(0) / 2048
}

fn cause(error: &DialError) -> String {
    std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"))
}
