//! What an agent says on its link: hello, then how everything is, at each change and each second.

use std::net::SocketAddr;
use std::time::Duration;

use toehold_core::model::{Digest, Goal, InstancePhase, InstanceStatus, Reading};
use toehold_core::time::Timestamp;
use toehold_core::wire::agent::{FromAgent, MachineReading, Placed, Placement, Report, ToAgent};
use toehold_server::clock::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;

use crate::Outcome;
use crate::member::Member;
use crate::yard::PORT;

/// As an agent does.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Between the first and the longest wait of an agent.
const AGAIN: Duration = Duration::from_millis(500);

/// Talks for ever, and dials again when that ends.
pub async fn run(member: Member, program: Digest) {
    let mut placement = Placement::default();
    loop {
        // Whatever ended it: it is dialled again, as an agent does.
        let _ = talk(&member, &program, &mut placement).await;
        tokio::time::sleep(AGAIN).await;
    }
}

async fn talk(member: &Member, program: &Digest, placement: &mut Placement) -> Outcome {
    let (mut reader, mut writer) = member.work().await?;
    let (machine, program) = (member.name.clone(), Some(program.clone()));
    writer.send(&FromAgent::Hello { machine, version: "crowd".to_owned(), program }).await?;
    let since = SystemClock.now();
    let mut every = tokio::time::interval(REPORT_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut nth = 0;
    loop {
        tokio::select! {
            message = reader.next() => match message? {
                None => return Ok(()),
                Some(ToAgent::Place(placed)) => {
                    *placement = placed;
                    every.reset_immediately();
                }
                Some(ToAgent::ReadLog { request, .. }) => {
                    let piece = Err("the crowd keeps no logs".to_owned());
                    writer.send(&FromAgent::Log { request, piece }).await?;
                }
                Some(ToAgent::Certificate(_)) => {}
            },
            _ = every.tick() => {
                nth += 1;
                writer.send(&FromAgent::Report(report(placement, since, nth))).await?;
            }
        }
    }
}

fn report(placement: &Placement, since: Timestamp, nth: u32) -> Report {
    let at = SystemClock.now();
    let status = |placed| status(placed, since, at, nth);
    let instances = placement.instances.iter().map(status).collect();
    let machine = MachineReading {
        cpus: 2.0,
        cpu_percent: f64::from(nth % 7) + 0.25,
        memory_bytes: 4_000_000_000,
        memory_percent: f64::from(nth % 5) + 20.5,
        disk_free_bytes: 20_000_000_000 - u64::from(nth % 100) * 4096,
    };
    Report { at, applied: placement.order, instances, machine }
}

fn status(placed: &Placed, since: Timestamp, at: Timestamp, nth: u32) -> InstanceStatus {
    let runs = !matches!(placed.goal, Goal::Stop);
    let reading = Reading {
        at,
        cpu_percent: f64::from(nth % 3) + 0.5,
        memory_percent: 12.5,
        memory_bytes: 40_000_000 + u64::from(nth % 100) * 4096,
    };
    InstanceStatus {
        id: placed.id.clone(),
        release: placed.release,
        phase: if runs { InstancePhase::Running } else { InstancePhase::Stopped },
        addr: runs.then(|| SocketAddr::new(placed.listen, PORT)),
        run: None,
        healthy: runs,
        healthy_since: runs.then_some(since),
        started_at: runs.then_some(since),
        restarts: 0,
        last_exit: None,
        evidence: None,
        reading: runs.then_some(reading),
    }
}

/// Answers whoever asks an instance.
pub async fn answer_for_all(port: u16) -> Outcome {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 4096];
                // Each request of the proxy's own comes in one piece.
                while matches!(stream.read(&mut asked).await, Ok(1..)) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(())
}
