//! The link to the control plane: routes come, reports go. The proxy serves without it.

mod certified;
mod report;
mod take;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use toehold_core::wire::proxy::{FromProxy, ToProxy};
use toehold_host::link::{LinkError, Reader, Writer, dial, split};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

use crate::link::report::Reporter;
pub(crate) use crate::link::take::Desk;

/// The longest a dial may take.
const DIAL: Duration = Duration::from_secs(2);

/// The time between two dials: it doubles from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Keeps a link to the control plane until all is over; what was counted last is said then.
pub(crate) async fn run(desk: Rc<Desk>, socket: PathBuf, hello: FromProxy) {
    let over = desk.shared.over.clone();
    let mut backoff = BACKOFF.0;
    while !over.is_cancelled() {
        match dial(&socket, DIAL).await {
            Ok(stream) => {
                tracing::info!("the link to the control plane is there");
                let (reader, writer) = split(stream);
                let why = match talk(&desk, reader, writer, &hello).await {
                    Ok(()) if over.is_cancelled() => return,
                    Ok(()) => "the control plane closed it".to_owned(),
                    Err(error) => error.to_string(),
                };
                tracing::warn!("the link to the control plane ended: {why}; routes stay in force");
                desk.keep();
            }
            Err(error) => tracing::debug!(%error, "the control plane is away"),
        }
        if desk.has_talked() {
            backoff = BACKOFF.0;
        }
        // A different moment for each, so that not all come at once after a restart.
        let pause = sleep(backoff.mul_f64(0.5 + fastrand::f64() / 2.0));
        over.run_until_cancelled(pause).await;
        backoff = (backoff * 2).min(BACKOFF.1);
    }
}

/// Talks until the link ends.
async fn talk(
    desk: &Rc<Desk>,
    mut reader: Reader<ToProxy>,
    mut writer: Writer<FromProxy>,
    hello: &FromProxy,
) -> Result<(), LinkError> {
    writer.send(hello).await?;
    let (answers, mut to_send) = mpsc::channel(16);
    let listening = async {
        while let Some(told) = reader.next().await? {
            desk.hears();
            let answer = match told {
                ToProxy::Routes(routes) => desk.take(routes),
                ToProxy::Certificates(certificates) => desk.certified.take(certificates),
            };
            // The other half is gone only when this is no longer polled.
            let _ = answers.send(answer).await;
        }
        Ok(())
    };
    let speaking = async {
        let mut reporter = Reporter::new();
        loop {
            tokio::select! {
                Some(answer) = to_send.recv() => {
                    writer.send(&answer).await?;
                    desk.keep();
                }
                () = desk.shared.over.cancelled() => {
                    writer.send(&reporter.report_now(desk)).await?;
                    return Ok(());
                }
                () = desk.shared.health.notified() => {
                    writer.send(&reporter.report_now(desk)).await?;
                }
                () = sleep_until(reporter.due()) => {
                    if let Some(report) = reporter.report_due(desk) {
                        writer.send(&report).await?;
                    }
                }
            }
        }
    };
    tokio::select! {
        ended = listening => ended,
        broke = speaking => broke,
    }
}
