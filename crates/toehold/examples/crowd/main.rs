//! A crowd of agents in one process, for `script/bench-agents`: a real control plane is given so
//! many machines, which join over TLS, dial in and report once a second as real agents do. Then it
//! is measured at rest.
//!
//!     crowd PROGRAM MACHINES APPS SECONDS
//!
//! `PROGRAM` is a built `toehold`; each app runs on its share of the machines. Instances are only
//! said to run: one socket answers for all of them, as all addresses are of this machine.

mod agent;
mod apps;
mod member;
mod process;
mod yard;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::process::Usage;
use crate::yard::Yard;

/// What goes wrong here is told and ends it.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many join at once: what one address may have open before it showed who it is.
const AT_ONCE: usize = 8;

/// How long is waited for anything.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long what was begun may take to come to rest.
const SETTLING: Duration = Duration::from_secs(15);

fn main() -> Outcome {
    let mut words = std::env::args().skip(1);
    let program = words.next().ok_or("crowd PROGRAM MACHINES APPS SECONDS")?;
    let mut number = |or: usize| words.next().map_or(Ok(or), |it| it.parse());
    let (machines, apps, seconds) = (number(500)?, number(10)?, number(30)?);
    let rest = Duration::from_secs(seconds as u64);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let program = std::fs::canonicalize(program)?;
    runtime.block_on(measure(program, machines, apps, rest))
}

async fn measure(program: PathBuf, machines: usize, apps: usize, rest: Duration) -> Outcome {
    let yard = Yard::prepare(&program, machines).await?;
    let digest = toehold_host::digest::of_file(&program).await?;
    agent::answer_for_all(yard::PORT).await?;
    let began = Instant::now();
    let (seats, mut joining) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for (name, address, token) in yard.invited.clone() {
        let (seats, control) = (Arc::clone(&seats), yard.control);
        joining.spawn(async move {
            let _seat = seats.acquire().await?;
            member::join(name, address, control, &token).await
        });
    }
    let mut crowd = JoinSet::new();
    while let Some(joined) = joining.join_next().await {
        crowd.spawn(agent::run(joined??, digest.clone()));
    }
    tell(&format!("{machines} machines joined in {:.1} s", began.elapsed().as_secs_f64()))?;
    until("all are heard", || Ok(yard.heard()? == machines)).await?;
    report(&yard, "nothing placed", rest).await?;
    if let Some(each) = machines.checked_div(apps) {
        for nth in 0..apps {
            apps::push(&yard, nth, each)?;
        }
        until("all of it is healthy", || Ok(apps::healthy(&yard)? == apps * each)).await?;
        report(&yard, &format!("{apps} apps, {each} instances each"), rest).await?;
    }
    let killed = Instant::now();
    yard.kill_control_plane()?;
    until("another control plane hears all", || Ok(yard.heard()? == machines)).await?;
    tell(&format!("killed; all heard again after {:.1} s", killed.elapsed().as_secs_f64()))?;
    report(&yard, "after that", rest).await?;
    crowd.shutdown().await;
    Ok(())
}

/// Lets it come to rest, watches it, and says what it used.
async fn report(yard: &Yard, what: &str, rest: Duration) -> Outcome {
    tokio::time::sleep(SETTLING).await;
    let (before, began) = (Usage::of(yard.control_plane()?)?, Instant::now());
    tokio::time::sleep(rest).await;
    let now = Usage::of(yard.control_plane()?)?;
    let share = now.cpu.saturating_sub(before.cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    tell(&format!(
        "control plane, {what}: {:.1} MB RSS ({:.1} MB of it its own), {:.1} % of a core",
        now.resident,
        now.anonymous,
        share * 100.0
    ))
}

async fn until(what: &str, mut holds: impl FnMut() -> Outcome<bool>) -> Outcome {
    let began = Instant::now();
    while !holds()? {
        if began.elapsed() > PATIENCE {
            return Err(format!("waited in vain until {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

fn tell(line: &str) -> Outcome {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
