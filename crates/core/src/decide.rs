//! The one call the control loop makes: state and observation in, a decision with its reasons out.
//!
//! A decision is complete (ids included), so that whoever carries it out has no choice left to
//! make. Carrying it out is one step of the store: the app's next document and the events that say
//! what changed are written together or not at all, and agents and proxy are then told the whole of
//! what is now wished.

mod health;
mod memory;

pub use crate::situation::{
    Decision, Heard, MachineSeen, ProxySeen, Releases, Seen, Situation, Standing,
};
pub use memory::Memory;

use crate::draft::{Draft, TOEHOLD};
use crate::{alert, plan, rollout, scale};

/// Says what should become so; `None` where everything is as it should be, or has to be waited for.
///
/// Call it at each change of what is seen, and each second: samples are taken and time passes in
/// here. `memory` may be lost at any moment. Where the store refused the decision, because the app
/// had changed meanwhile, go back to the memory as it was before the call.
pub fn decide(situation: Situation<'_>, memory: &mut Memory) -> Option<Decision> {
    let is_first_look = memory.look(&situation);
    let mut draft = Draft::new(situation, TOEHOLD);
    health::note(&mut draft, &mut memory.health, is_first_look);
    alert::watch(&mut draft, &mut memory.gauges, &memory.metered);
    rollout::advance(&mut draft, &memory.heard);
    scale::follow(&mut draft, &mut memory.loads, &memory.metered);
    plan::plan(&mut draft, &memory.heard);
    draft.has_changed().then(|| draft.finish())
}

#[cfg(test)]
mod tests;
