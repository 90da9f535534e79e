//! The verbs that ask for a change and show what came of it.

use toehold_core::model::{Number, RolloutPhase};
use toehold_core::wire::api::{AppView, Done, LookView};
use toehold_core::wish::Wish;

use crate::args::{Rollout, ScaleWish};
use crate::ask;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show;

/// Asks for one change.
pub fn wish(context: &Context, wish: &Wish) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let done: Done = client.post(&format!("/api/v1/apps/{app}/wishes"), wish).await?;
        show_done(context, &done)
    })
}

/// Shows what came of a change.
pub fn show_done(context: &Context, done: &Done) -> Outcome {
    if context.json() { show::json(done) } else { show::line(&done.text) }
}

/// `toehold rollout …`.
pub fn rollout(context: &Context, rollout: &Rollout) -> Outcome {
    match rollout {
        Rollout::Status => status(context),
        Rollout::Promote => wish(context, &Wish::Promote),
        Rollout::Pause => wish(context, &Wish::Pause),
        Rollout::Resume => wish(context, &Wish::Resume),
        Rollout::Abort => wish(context, &Wish::Abort),
        Rollout::Retry => wish(context, &Wish::Retry),
        Rollout::Look => look(context),
        Rollout::Set { split } => wish(context, &Wish::SetSplit { split: *split }),
    }
}

fn look(context: &Context) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let look: LookView = client.get(&format!("/api/v1/apps/{app}/look")).await?;
        if context.json() {
            return show::json(&look);
        }
        let url = look.urls.first().map_or("", String::as_str);
        show::talk(
            "whoever sends this is served by the canary, whatever its share; keep it secret:",
        );
        show::line(&look.header)?;
        show::line(&format!("Cookie: {}", look.cookie))?;
        show::talk(&format!("try it: curl -H '{}' {url}", look.header));
        Ok(())
    })
}

fn status(context: &Context) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let view: AppView = client.get(&format!("/api/v1/apps/{app}")).await?;
        if context.json() {
            return show::json(&view.rollout);
        }
        let Some(rollout) = &view.rollout else {
            return show::line("there is no canary");
        };
        let share = view.split.map_or(0.0, toehold_core::model::Split::canary_share) * 100.0;
        show::line(&format!(
            "canary {}  {}  asked for {}  gets {share:.1} % now",
            rollout.release,
            rollout.phase.as_str(),
            rollout.split,
        ))?;
        match &rollout.phase {
            RolloutPhase::Held { why, .. } | RolloutPhase::Aborted { why } => show::line(why),
            _ => Ok(()),
        }
    })
}

/// `toehold rollback`: shows what it will do and asks.
pub fn rollback(context: &Context, to: Option<Number>, yes: bool) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        if !yes && ask::somebody_is_there() && !context.json() {
            let view: AppView = client.get(&format!("/api/v1/apps/{app}")).await?;
            let from = view.serving.map_or("nothing".into(), |number| number.to_string());
            let to = to.map_or("the last good release".into(), |number| number.to_string());
            let plan = format!(
                "{app} goes from {from} back to {to}: artifact, configuration and secrets together.\n\
                 Pushes are then built but not deployed until `toehold unpin`. Go on?"
            );
            if !ask::agreed(&plan)? {
                return Err(Failure::no("nothing was changed"));
            }
        }
        let done: Done =
            client.post(&format!("/api/v1/apps/{app}/wishes"), &Wish::Rollback { to }).await?;
        show_done(context, &done)
    })
}

/// `toehold scale`.
pub fn scale(context: &Context, asked: Option<ScaleWish>) -> Outcome {
    match asked {
        Some(ScaleWish::To(count)) => wish(context, &Wish::ScaleTo { count }),
        Some(ScaleWish::Auto) => wish(context, &Wish::ScaleAuto),
        Some(ScaleWish::Freeze) => wish(context, &Wish::ScaleFreeze),
        None => {
            let client = context.client()?;
            context.block_on(async {
                let app = context.app(&client).await?;
                let view: AppView = client.get(&format!("/api/v1/apps/{app}")).await?;
                if context.json() {
                    return show::json(&view.scale);
                }
                show::line(&format!("{} wanted, {}", view.scale.wanted, view.scale.mode.words()))
            })
        }
    }
}
