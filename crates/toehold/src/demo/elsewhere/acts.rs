//! The acts of the story on machines of a cloud. Each says what it does, waits until it has truly
//! happened, and fails where it has not.

use toehold_core::model::{EventKind, MachineName};

use super::super::senses::{event, healthy, listen, mail, share};
use super::super::stage::Stage;
use super::super::visitors::Visitors;
use super::super::{Teller, app};
use super::witness::{Witness, machines};
use super::world::World;
use crate::report::{Failure, Outcome};
use crate::show;
use toehold_scenery::Fault;

/// The words on the front page of the canary.
const BURNING: &str = "Hello from a canary that burns";

/// A signed push of the forge goes to production, on a machine that is made for it.
pub async fn first_release(teller: &Teller, stage: &Stage, world: &mut World) -> Outcome {
    teller.act("A signed push: built, a machine made, configured, joined, live")?;
    stage.toehold(&["init"])?;
    app::go_elsewhere(&stage.repository)?;
    stage.commit("Run on machines of a cloud")?;
    // The cloud asks for patience at first.
    world.cloud.goes_wrong(Fault::Patience);
    let mut witness = Witness::called(stage).await?;
    world.push(stage, "main")?;
    teller.waits("the forge has told Toehold of it; the cloud answers 429 once")?;
    witness
        .until(teller, stage, "the first release to serve", async |_| {
            let view = stage.view().await.ok()?;
            (view.serving.is_some() && healthy(&view) == 1).then_some(())
        })
        .await?;
    let name = only(world)?;
    let motd =
        world.with_host(&name, |host| host.run(&["cat", "/var/lib/toehold-agent/team/motd"]))?;
    if motd.trim() != format!("{name} runs tokens") {
        return Err(Failure::no(format!("the playbook left {motd:?} on {name}")));
    }
    teller.happened(&format!("live on {name}, which its playbook configured"))
}

/// A canary on a machine of its own burns CPU and is given back.
pub async fn bad_canary(teller: &Teller, stage: &Stage, world: &mut World) -> Outcome {
    teller.act("A canary on a machine of its own, which burns CPU")?;
    app::greet(&stage.repository, BURNING)?;
    app::burn(&stage.repository, true)?;
    stage.commit("Work out prices ahead of time")?;
    world.cloud.goes_wrong(Fault::LostAnswer);
    let mut witness = Witness::called(stage).await?;
    world.push(stage, "canary")?;
    teller.waits("the cloud makes its machine, and the answer is lost")?;
    let visitors = stage.visitors()?;
    visitors.heard();
    witness
        .until(teller, stage, "the canary to be visited", async |_| {
            visitors.heard().contains_key(BURNING).then_some(())
        })
        .await?;
    if world.cloud.names().len() != 2 || world.cloud.calls("POST /v2/droplets") != 2 {
        return Err(Failure::no("after a lost answer another machine was asked for"));
    }
    let share = share(stage, BURNING).await?;
    teller.happened(&format!(
        "no second one was made; the canary takes {share:.0} % of the visits"
    ))?;
    teller.waits("its CPU is watched: an alert above 45 % for 4 s")?;
    let held = event(stage, EventKind::RolloutHeld).await?;
    teller.happened(&show::table::safe(&held.text, 76))?;
    let heard = listen(stage, 300).await?;
    if heard.get(BURNING).is_some_and(|count| *count > 0) {
        return Err(Failure::no("the canary was visited after it was given back"));
    }
    teller.happened("the next 300 visits were all on stable")?;
    teller.happened(&format!("mailed: {}", mail(stage, "alert").await?))?;
    stage.toehold(&["rollout", "abort"])?;
    until_machines(teller, stage, world, 1).await?;
    teller.happened("aborted; its machine was given back to the cloud")?;
    // What comes next begins from what serves.
    app::burn(&stage.repository, false)
}

/// Load rises and a machine is added; load falls, it is drained and given back.
pub async fn load(teller: &Teller, stage: &Stage, world: &World) -> Outcome {
    teller.act("Load rises, then falls")?;
    let mut witness = Witness::called(stage).await?;
    let crowd = Visitors::come(stage.port, "tokens.localhost", "/burn?ms=20", 30);
    teller.waits("a crowd that asks for CPU")?;
    witness
        .until(teller, stage, "one more instance", async |_| {
            (healthy(&stage.view().await.ok()?) > 1).then_some(())
        })
        .await?;
    if world.cloud.names().len() < 2 {
        return Err(Failure::no("the instance that was added has no machine of its own"));
    }
    teller.happened("one more machine has one more instance of the same release")?;
    let count = crowd.go_home().await;
    if count.lost > 0 {
        let first = count.first_loss.unwrap_or_default();
        return Err(Failure::no(format!("{} of the crowd were lost: {first}", count.lost)));
    }
    teller.waits("the crowd goes home")?;
    until_machines(teller, stage, world, 1).await?;
    teller.happened("it was drained, and its machine was given back")
}

/// The only machine the cloud has given.
pub fn only(world: &World) -> Result<String, Failure> {
    match world.cloud.names().as_slice() {
        [name] => Ok(name.clone()),
        names => Err(Failure::no(format!("instead of one machine there are {names:?}"))),
    }
}

/// Waits until the cloud has given so many machines, no more and no less, and Toehold knows no
/// other.
pub async fn until_machines(
    teller: &Teller,
    stage: &Stage,
    world: &World,
    count: usize,
) -> Result<Vec<MachineName>, Failure> {
    let mut witness = Witness::called(stage).await?;
    let what = format!("{count} machines of the cloud");
    witness
        .until(teller, stage, &what, async |_| {
            let all = machines(stage).await.ok()?;
            let names: Vec<_> = all.into_iter().map(|it| it.machine.name).collect();
            (world.cloud.names().len() == count && names.len() == count).then_some(names)
        })
        .await
}
