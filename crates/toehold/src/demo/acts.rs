//! The acts of the story. Each says what it does, waits until it has truly happened, and fails
//! where it has not.

use toehold_core::model::{EventKind, RolloutPhase};

use super::senses::{SOON, event, healthy, listen, mail, share};
use super::stage::Stage;
use super::visitors::Visitors;
use super::{Teller, app};
use crate::report::{Failure, Outcome};

/// The words on the front page, release by release.
const BURNING: &str = "Hello from a canary that burns";
const BETTER: &str = "Hello from a better canary";

/// The first push goes to production.
pub async fn first_release(teller: &Teller, stage: &Stage) -> Outcome {
    teller.act("A first push: installed, tested, linted, live")?;
    stage.toehold(&["init"])?;
    stage.push(teller, "main").await?;
    let view = stage.view().await?;
    if view.serving.is_none() {
        return Err(Failure::no("the first release does not serve"));
    }
    teller.happened("live; visitors come")
}

/// A push that breaks a test is not deployed, and somebody is told.
pub async fn broken_push(teller: &Teller, stage: &Stage) -> Outcome {
    teller.act("A push that breaks a test")?;
    let before = stage.view().await?.serving;
    app::greet(&stage.repository, "")?;
    stage.commit("Say less")?;
    stage.push(teller, "main").await?;
    if stage.view().await?.serving != before {
        return Err(Failure::no("a broken push was deployed"));
    }
    let mail = mail(stage, "failed").await?;
    teller.happened("refused; the release before goes on")?;
    teller.happened(&format!("mailed: {mail}"))
}

/// A canary takes a third, burns CPU, and is given back.
pub async fn bad_canary(teller: &Teller, stage: &Stage) -> Outcome {
    teller.act("A canary with other words, which burns CPU")?;
    app::greet(&stage.repository, BURNING)?;
    app::burn(&stage.repository, true)?;
    stage.commit("Work out prices ahead of time")?;
    stage.push(teller, "canary").await?;
    let share = share(stage, BURNING).await?;
    teller.happened(&format!("the canary takes {share:.0} % of the visits"))?;
    teller.waits("its CPU is watched: an alert above 45 % for 4 s")?;
    let held = event(stage, EventKind::RolloutHeld).await?;
    teller.happened(&super::show::table::safe(&held.text, 60))?;
    let lag = event(stage, EventKind::RolloutLag).await?;
    teller.happened(&super::show::table::safe(&lag.text, 60))?;
    let heard = listen(stage, 300).await?;
    if heard.get(BURNING).is_some_and(|count| *count > 0) {
        return Err(Failure::no("the canary was visited after it was given back"));
    }
    let mail = mail(stage, "alert").await?;
    teller.happened("the next 300 visits were all on stable")?;
    teller.happened(&format!("mailed: {mail}"))
}

/// A good canary becomes stable.
pub async fn good_canary(teller: &Teller, stage: &Stage) -> Outcome {
    teller.act("A better canary is promoted")?;
    app::greet(&stage.repository, BETTER)?;
    app::burn(&stage.repository, false)?;
    stage.commit("Work out prices when asked")?;
    stage.push(teller, "canary").await?;
    let share = share(stage, BETTER).await?;
    teller.happened(&format!("the canary takes {share:.0} % of the visits"))?;
    stage.toehold(&["rollout", "promote"])?;
    stage
        .until("the canary to become stable", SOON, async || {
            let view = stage.view().await.ok()?;
            let rollout = view.rollout.as_ref()?;
            matches!(rollout.phase, RolloutPhase::Promoted).then_some(())
        })
        .await?;
    // Whoever was under way when it became so is still answered by the release before.
    stage
        .until("the old release to have answered its last visit", SOON, async || {
            listen(stage, 10).await.ok()?.keys().all(|words| words == BETTER).then_some(())
        })
        .await?;
    let heard = listen(stage, 100).await?;
    if heard.keys().any(|words| words != BETTER) {
        return Err(Failure::no(format!("after the promotion visitors heard {heard:?}")));
    }
    teller.happened("promoted, the same bytes; everyone gets it")
}

/// Load rises and an instance is added; load falls and it is drained.
pub async fn load(teller: &Teller, stage: &Stage) -> Outcome {
    teller.act("Load rises, then falls")?;
    let before = healthy(&stage.view().await?);
    let crowd = Visitors::come(stage.port, "tokens.localhost", "/burn?ms=20", 30);
    teller.waits("a crowd that asks for CPU")?;
    stage
        .until("one more instance", SOON, async || {
            (healthy(&stage.view().await.ok()?) > before).then_some(())
        })
        .await?;
    teller.happened("one more instance of the same release serves")?;
    let count = crowd.go_home().await;
    if count.lost > 0 {
        let first = count.first_loss.unwrap_or_default();
        return Err(Failure::no(format!("{} of the crowd were lost: {first}", count.lost)));
    }
    teller.waits("the crowd goes home")?;
    stage
        .until("the added instance to be drained and gone", SOON, async || {
            let view = stage.view().await.ok()?;
            (view.instances.len() == before && healthy(&view) == before).then_some(())
        })
        .await?;
    teller.happened("it was drained, and is gone")
}

/// The flag is toggled, and the app obeys.
pub async fn flag(teller: &Teller, stage: &Stage) -> Outcome {
    teller.act("A feature flag is toggled")?;
    let off = "tokens are switched off";
    stage.toehold(&["flags", "set", "feature1", "false"])?;
    obeys(stage, |said| said.contains(off)).await?;
    teller.happened("feature1 is off: the app hides the tokens")?;
    stage.toehold(&["flags", "set", "feature1", "true"])?;
    obeys(stage, |said| !said.contains(off)).await?;
    teller.happened("feature1 is on: they are back")
}

async fn obeys(stage: &Stage, obeyed: impl Fn(&str) -> bool) -> Outcome {
    let asked = Visitors::come(stage.port, "tokens.localhost", "/get", 20);
    let seen = stage
        .until("the app to obey its flag", SOON, async || {
            asked.heard().keys().any(|said| obeyed(said)).then_some(())
        })
        .await;
    asked.go_home().await;
    seen
}
