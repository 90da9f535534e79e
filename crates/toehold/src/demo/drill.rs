//! `toehold demo --drill`: 500 requests a second through everything that changes who serves, and
//! through the sudden death of each part; then what Toehold itself takes.

use std::time::{Duration, Instant};

use serde_json::json;
use toehold_core::model::{Event, EventKind, InstancePhase, RolloutPhase};

use super::parts::{self, Part};
use super::share::Share;
use super::stage::Stage;
use super::{Teller, app};
use crate::report::{Failure, Outcome};
use crate::show;

/// How many requests a second the visitors make.
const PER_SECOND: u32 = 500;

/// How long a thing may take that takes seconds.
const SOON: Duration = Duration::from_mins(1);

/// How long Toehold is watched at rest.
const REST: Duration = Duration::from_secs(10);

/// Plays the drill.
pub async fn play(teller: &Teller, stage: &mut Stage) -> Outcome {
    super::acts::first_release(teller, stage).await?;
    let share = Share::of_the_first_push(stage).await?;
    stage.open_doors(PER_SECOND);
    teller.act(&format!("{PER_SECOND} requests a second through every change"))?;
    deploys(teller, stage).await?;
    canaries(teller, stage).await?;
    scaling(teller, stage).await?;
    stage.toehold(&["rollback", "--yes"])?;
    settled(stage, "the rollback").await?;
    teller.happened("rolled back")?;
    deaths(teller, stage).await?;
    let count = stage.close_doors().await?;
    figures(teller, stage, &share).await?;
    teller.end(&count)
}

async fn deploys(teller: &Teller, stage: &Stage) -> Outcome {
    app::greet(&stage.repository, "Hello from the second release")?;
    stage.commit("Greet again")?;
    stage.push(teller, "main").await?;
    settled(stage, "the deploy").await?;
    teller.happened("deployed")
}

async fn canaries(teller: &Teller, stage: &Stage) -> Outcome {
    app::greet(&stage.repository, "Hello from a canary")?;
    stage.commit("Greet as a canary")?;
    stage.push(teller, "canary").await?;
    teller.happened("a canary serves")?;
    stage.toehold(&["rollout", "abort"])?;
    let lag = lag(stage).await?;
    teller.happened(&lag)?;
    stage.toehold(&["rollout", "retry"])?;
    rollout(stage, "the canary to serve again", |phase| *phase == RolloutPhase::Serving).await?;
    stage.toehold(&["rollout", "promote"])?;
    rollout(stage, "the promotion", |phase| *phase == RolloutPhase::Promoted).await?;
    teller.happened("a canary was promoted")
}

async fn scaling(teller: &Teller, stage: &Stage) -> Outcome {
    stage.toehold(&["scale", "2"])?;
    instances(stage, 2).await?;
    teller.happened("scaled out to 2")?;
    stage.toehold(&["scale", "1"])?;
    instances(stage, 1).await?;
    teller.happened("scaled in to 1")
}

async fn deaths(teller: &Teller, stage: &Stage) -> Outcome {
    for part in [Part::Serve, Part::Agent] {
        let died = parts::kill(stage.pid()?, part)?;
        let again = stage
            .until("it to come back", SOON, async || {
                let now = parts::find(stage.pid().ok()?, part).ok()?;
                let answers = stage.view().await.is_ok();
                (now != died && answers).then_some(now)
            })
            .await?;
        teller
            .happened(&format!("kill -9 of {part}: {died} died, {again} took up where it was"))?;
    }
    stage.toehold(&["scale", "2"])?;
    instances(stage, 2).await?;
    let victim = instance_pid(stage).await?;
    parts::kill_pid(victim)?;
    stage
        .until("the instance to be started again", SOON, async || {
            let view = stage.view().await.ok()?;
            let running = view.instances.iter().filter_map(|it| it.status.as_ref());
            let mut healthy = running.filter(|it| it.healthy && it.restarts > 0);
            healthy.next().map(|_| ())
        })
        .await?;
    teller.happened("kill -9 of an instance: it was started again")
}

async fn instance_pid(stage: &Stage) -> Result<u32, Failure> {
    let view = stage.view().await?;
    let mut runs = view.instances.iter().filter_map(|it| it.status.as_ref()?.run);
    runs.next_back().map(|run| run.pid).ok_or_else(|| Failure::no("no instance runs"))
}

async fn instances(stage: &Stage, count: usize) -> Outcome {
    stage
        .until("the instances", SOON, async || {
            let view = stage.view().await.ok()?;
            let healthy = view
                .instances
                .iter()
                .filter_map(|it| it.status.as_ref())
                .filter(|it| it.healthy && it.phase == InstancePhase::Running);
            (healthy.count() == count && view.instances.len() == count).then_some(())
        })
        .await
}

async fn settled(stage: &Stage, what: &str) -> Outcome {
    stage
        .until(what, SOON, async || {
            let view = stage.view().await.ok()?;
            (view.serving == view.wanted && view.building.is_none()).then_some(())
        })
        .await
}

async fn rollout(stage: &Stage, what: &str, reached: impl Fn(&RolloutPhase) -> bool) -> Outcome {
    stage
        .until(what, SOON, async || {
            let view = stage.view().await.ok()?;
            reached(&view.rollout.as_ref()?.phase).then_some(())
        })
        .await
}

async fn lag(stage: &Stage) -> Result<String, Failure> {
    let event: Event = stage
        .until("the lag to be measured", SOON, async || {
            let events = stage.events(0).await.ok()?;
            events.into_iter().rev().find(|event| event.kind == EventKind::RolloutLag)
        })
        .await?;
    Ok(format!("aborted; {}", show::table::safe(&event.text, 76)))
}

/// What Toehold takes: memory and CPU at rest, and its own share of a push.
async fn figures(teller: &Teller, stage: &Stage, share: &Share) -> Outcome {
    teller.act("What Toehold itself takes")?;
    share.tell(teller)?;
    let up = stage.pid()?;
    let before = parts::cpu_ticks(up)?;
    let began = Instant::now();
    tokio::time::sleep(REST).await;
    let used = parts::cpu_ticks(up)?.saturating_sub(before);
    let per_second = rustix::param::clock_ticks_per_second();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred ticks")]
    let percent = used as f64 / per_second as f64 / began.elapsed().as_secs_f64() * 100.0;
    teller.figure(
        "cpu_at_rest_percent",
        &json!(percent),
        &format!("at rest, all together     {percent:.2} % of a core (goal 1 %)"),
    )?;
    for (part, goal) in [(Part::Serve, 40), (Part::Proxy, 15), (Part::Agent, 10)] {
        let kib = parts::resident_kib(parts::find(up, part)?)?;
        let text =
            format!("resident memory of {part:<8} {:.1} MB (goal {goal} MB)", megabytes(kib));
        teller.figure(&format!("rss_{part}_kib"), &json!(kib), &text)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "some thousands of KiB")]
fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}
