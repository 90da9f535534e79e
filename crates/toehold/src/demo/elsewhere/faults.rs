//! What goes wrong on machines of a cloud: an agent that dies, a control plane that dies, a cloud
//! that gives no more, a machine that is cut off.

use toehold_core::model::EventKind;
use toehold_scenery::Fault;

use super::super::Teller;
use super::super::parts::{self, Part};
use super::super::senses::healthy;
use super::super::stage::Stage;
use super::acts::{only, until_machines};
use super::witness::{Witness, machines};
use super::world::World;
use crate::report::{Failure, Outcome};

/// An agent is killed: it comes back, and its instance goes on.
pub async fn agent_killed(teller: &Teller, stage: &Stage, world: &World) -> Outcome {
    teller.act("What goes wrong")?;
    let name = only(world)?;
    let before = instance(stage).await?;
    let died = world.with_host(&name, |host| host.agent())?;
    world.with_host(&name, |host| host.run(&["kill", "-KILL", &died]))?;
    let mut witness = Witness::called(stage).await?;
    witness
        .until(teller, stage, "the agent to come back", async |_| {
            let now = world.with_host(&name, |host| host.agent()).ok()?;
            let is_heard = machines(stage).await.ok()?.iter().all(|it| it.heard);
            (now != died && is_heard).then_some(())
        })
        .await?;
    if instance(stage).await? != before {
        return Err(Failure::no("an instance died with its agent"));
    }
    teller.happened(&format!("kill -9 of the agent on {name}: it is back, its instance went on"))
}

/// The control plane is killed: it comes back, and nobody notices.
pub async fn control_plane_killed(teller: &Teller, stage: &Stage) -> Outcome {
    let before = instance(stage).await?;
    let died = parts::kill(stage.pid()?, Part::Serve)?;
    let mut witness = Witness { after: u64::MAX };
    witness
        .until(teller, stage, "the control plane to come back", async |_| {
            let now = parts::find(stage.pid().ok()?, Part::Serve).ok()?;
            let view = stage.view().await.ok()?;
            let is_heard = machines(stage).await.ok()?.iter().all(|it| it.heard);
            (now != died && is_heard && healthy(&view) == 1).then_some(())
        })
        .await?;
    if instance(stage).await? != before {
        return Err(Failure::no("an instance died with the control plane"));
    }
    teller.happened("kill -9 of the control plane: it took up where it was")
}

/// The cloud gives no more: it is said, and what there is goes on.
pub async fn droplet_limit(teller: &Teller, stage: &Stage, world: &World) -> Outcome {
    world.cloud.goes_wrong(Fault::Limit);
    let mut witness = Witness::called(stage).await?;
    stage.toehold(&["scale", "2"])?;
    witness
        .until(teller, stage, "the droplet limit to be said", async |seen| {
            let is_it = |text: &str| text.contains("droplet limit");
            seen.iter().any(|event| is_it(&event.text)).then_some(())
        })
        .await?;
    teller.happened("the cloud gives no more: it is said, and what there is serves on")
}

/// A machine is cut off: visitors are served by the other, and what it had runs elsewhere.
pub async fn cut_off(teller: &Teller, stage: &Stage, world: &World) -> Outcome {
    let mut witness = Witness::called(stage).await?;
    witness
        .until(teller, stage, "two machines", async |_| {
            let view = stage.view().await.ok()?;
            (healthy(&view) == 2 && view.route.arms.first()?.targets.len() == 2).then_some(())
        })
        .await?;
    let names = until_machines(teller, stage, world, 2).await?;
    let name = names.last().ok_or_else(|| Failure::no("there is no machine"))?.to_string();
    world.with_host(&name, |host| host.cable(false))?;
    teller.waits(&format!("the cable of {name} is pulled"))?;
    witness
        .until(teller, stage, "it to be taken for lost", async |seen| {
            seen.iter().any(|event| event.kind == EventKind::MachineLost).then_some(())
        })
        .await?;
    witness
        .until(teller, stage, "what it had to run elsewhere", async |_| {
            let view = stage.view().await.ok()?;
            let mut places = view.instances.iter().filter_map(|it| it.instance.place.as_ref());
            let is_elsewhere = places.all(|place| place.machine.as_str() != name);
            (is_elsewhere && healthy(&view) == 2).then_some(())
        })
        .await?;
    teller.happened(&format!("{name} was cut off: what it had runs on a machine made for it"))
}

/// The process of the only instance, as its machine numbers it.
async fn instance(stage: &Stage) -> Result<u32, Failure> {
    let view = stage.view().await?;
    let mut runs = view.instances.iter().filter_map(|it| it.status.as_ref()?.run);
    runs.next().map(|run| run.pid).ok_or_else(|| Failure::no("no instance runs"))
}
