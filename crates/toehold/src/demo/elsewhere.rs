//! `toehold demo --machines ssh`: what a team has beside one machine, and what goes wrong with it.
//! A forge calls, a cloud gives machines, Ansible configures them, agents join, a canary burns on a
//! machine of its own, a mail server takes the alert. The cloud is a double that holds to its
//! contract; all else is real.

mod acts;
mod faults;
mod witness;
mod world;

use super::Teller;
use super::stage::Stage;
use crate::report::{Failure, Outcome};
pub use world::World;

/// How many requests a second the visitors make.
const VISITORS_PER_SECOND: u32 = 50;

/// Plays the story.
pub async fn play(teller: &Teller, stage: &mut Stage, world: &mut World) -> Outcome {
    acts::first_release(teller, stage, world).await?;
    stage.open_doors(VISITORS_PER_SECOND);
    acts::bad_canary(teller, stage, world).await?;
    acts::load(teller, stage, world).await?;
    faults::agent_killed(teller, stage, world).await?;
    faults::control_plane_killed(teller, stage).await?;
    faults::droplet_limit(teller, stage, world).await?;
    faults::cut_off(teller, stage, world).await?;
    let count = stage.close_doors().await?;
    let breaches = world.cloud.breaches();
    if let Some(first) = breaches.first() {
        return Err(Failure::no(format!("the cloud's contract was not held to: {first}")));
    }
    let machines = world.cloud.calls("POST /v2/droplets");
    teller.figure(
        "machines_made",
        &serde_json::json!(machines),
        &format!("machines asked for, all in all: {machines}"),
    )?;
    teller.end(&count)
}
