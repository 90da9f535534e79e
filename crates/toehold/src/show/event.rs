//! Events, a line each.

use toehold_core::model::{Event, EventKind};

use super::paint;
use super::table::safe;
use super::time::clock;

/// `13:04:11  rollout.held      canary #7  …`
pub fn line(event: &Event) -> String {
    let kind = format!("{:<18}", event.kind.as_str());
    let kind = match tone(event.kind) {
        Tone::Good => paint::good(&kind),
        Tone::Bad => paint::bad(&kind),
        Tone::Busy => paint::busy(&kind),
        Tone::Plain => kind,
    };
    format!(
        "{}  {kind}  {:<12}  {}",
        paint::faint(&clock(event.at)),
        event.subject.to_string(),
        safe(&event.text, 400),
    )
}

enum Tone {
    Good,
    Bad,
    Busy,
    Plain,
}

const fn tone(kind: EventKind) -> Tone {
    use EventKind as K;
    match kind {
        K::BuildFailed
        | K::DeployFailed
        | K::RolloutHeld
        | K::RolloutAborted
        | K::InstanceDied
        | K::InstanceUnhealthy
        | K::AlertRaised
        | K::MessageFailed
        | K::CertificateFailed
        | K::CertificateExpiring
        | K::DecisionRefused
        | K::DiskLow => Tone::Bad,
        K::BuildFixed
        | K::DeployDone
        | K::ReleaseCreated
        | K::RolloutPromoted
        | K::InstanceHealthy
        | K::CertificateIssued
        | K::AlertCleared => Tone::Good,
        K::RollbackStarted
        | K::Pinned
        | K::RolloutSplit
        | K::RolloutStarted
        | K::ScaledOut
        | K::ScaledIn
        | K::FlagChanged
        | K::BuildSuperseded
        | K::BuildCancelled => Tone::Busy,
        _ => Tone::Plain,
    }
}
