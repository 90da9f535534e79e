//! The policy: one pure function from what was used to how many there should be.

use super::why::Why;
use crate::model::{Metric, Scale, ScaleMode};
use crate::spec::ScaleSpec;
use crate::time::Timestamp;

/// The share of its target that use may reach with one instance fewer. The gap keeps a load that
/// stays the same from calling the instance back.
const ROOM: f64 = 0.9;

/// What one ready instance used: means over the window, in percent of its allotment. `None`
/// where less than half the window was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Use {
    /// CPU.
    pub cpu_percent: Option<f64>,
    /// Memory.
    pub memory_percent: Option<f64>,
}

/// How many instances there should be instead of `scale.wanted`, and why; `None` where it is right
/// as it is.
///
/// `ready` has every instance that takes requests. `may_shrink` is false where something else is
/// under way that a smaller number would disturb.
#[must_use]
pub fn want(
    spec: &ScaleSpec,
    ready: &[Use],
    scale: &Scale,
    may_shrink: bool,
    now: Timestamp,
) -> Option<(u32, Why)> {
    match scale.mode {
        ScaleMode::Manual | ScaleMode::Frozen => return None,
        ScaleMode::Auto => {}
    }
    let (min, max) = (spec.min.max(1), spec.max.max(spec.min).max(1));
    // A changed configuration is obeyed at once: it is a person's word, not a measurement.
    if scale.wanted < min {
        return Some((min, Why::BelowMin { min }));
    }
    if scale.wanted > max {
        return may_shrink.then_some((max, Why::AboveMax { max }));
    }
    let is_over = |cooldown| match scale.changed_at {
        // A change in the future means that the clock was set back: it holds nothing up.
        Some(at) if at <= now => now.since(at) >= cooldown,
        Some(_) | None => true,
    };
    if is_over(spec.cooldown_out)
        && let Some((need, why)) = out(spec, ready)
    {
        let next = need.min(scale.wanted.saturating_mul(2)).min(max);
        if next > scale.wanted {
            return Some((next, why));
        }
    }
    if may_shrink && scale.wanted > min && is_over(spec.cooldown_in) {
        return inward(spec, ready, scale.wanted).map(|why| (scale.wanted - 1, why));
    }
    None
}

/// What is aimed at, and what each instance used of it.
fn targets<'a>(
    spec: &ScaleSpec,
    ready: &'a [Use],
) -> impl Iterator<Item = (Metric, f64, Vec<Option<f64>>)> + use<'a> {
    let cpu = spec.cpu_percent.map(|target| (Metric::Cpu, target));
    let memory = spec.memory_percent.map(|target| (Metric::Memory, target));
    cpu.into_iter().chain(memory).filter(|(_, target)| *target > 0.0).map(|(metric, target)| {
        let used = ready.iter().map(|it| {
            let value = match metric {
                Metric::Cpu => it.cpu_percent,
                Metric::Memory => it.memory_percent,
            };
            value.filter(|value| value.is_finite() && *value >= 0.0)
        });
        (metric, target, used.collect())
    })
}

/// The larger need of CPU and memory. An instance nothing is known of counts as using nothing, so
/// that silence adds no instance.
fn out(spec: &ScaleSpec, ready: &[Use]) -> Option<(u32, Why)> {
    let needs = targets(spec, ready).filter_map(|(metric, target_percent, used)| {
        let sum: f64 = used.iter().flatten().sum();
        let mean_percent = sum / count(used.len());
        if used.is_empty() || mean_percent <= target_percent {
            return None;
        }
        let need = whole(sum / target_percent);
        Some((need, Why::Over { metric, mean_percent, target_percent, need }))
    });
    needs.max_by_key(|(need, _)| *need)
}

/// Whether one fewer could carry it by every measure; the tightest is the reason.
fn inward(spec: &ScaleSpec, ready: &[Use], wanted: u32) -> Option<Why> {
    if ready.len() < wanted as usize || wanted < 2 {
        return None;
    }
    let mut tightest: Option<(f64, Why)> = None;
    for (metric, target_percent, used) in targets(spec, ready) {
        let known: Vec<f64> = used.iter().copied().flatten().collect();
        if known.len() < used.len() {
            return None;
        }
        let sum: f64 = known.iter().sum();
        let (mean_percent, after_percent) = (sum / count(known.len()), sum / f64::from(wanted - 1));
        let share = after_percent / target_percent;
        if share >= ROOM {
            return None;
        }
        if tightest.as_ref().is_none_or(|(most, _)| share > *most) {
            let why = Why::Under { metric, mean_percent, after_percent, target_percent };
            tightest = Some((share, why));
        }
    }
    tightest.map(|(_, why)| why)
}

fn count(length: usize) -> f64 {
    f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}

/// The next whole number; a hair above one is that one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is held between 1 and what fits"
)]
fn whole(value: f64) -> u32 {
    (value - 1e-9).ceil().clamp(1.0, f64::from(u32::MAX)) as u32
}
