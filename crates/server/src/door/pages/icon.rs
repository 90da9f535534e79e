//! The marks in the timeline: one for each kind of thing.

use maud::{Markup, PreEscaped, html};
use toehold_core::model::EventKind;

/// Each picture once on a page: strokes in a box of 16 by 16.
const PICTURES: [(&str, &str); 14] = [
    ("push", "M8 13V3M4 7l4-4 4 4"),
    ("build", "M8 1.8l5.5 3v6.4L8 14.2l-5.5-3V4.8zM2.5 4.8L8 8l5.5-3.2M8 8v6.2"),
    ("release", "M2.5 2.5h5.2l6 6-5.2 5.2-6-6zM5.4 5.4h.1"),
    ("split", "M8 14V9M8 9L3.5 3M8 9l4.5-6M3.2 6.3L3.5 3l3 1M9.500 4l3-1 .3 3.300"),
    ("back", "M6 3L2.500 6.500 6 10M2.500 6.500H10a3.500 3.500 0 0 1 0 7H7"),
    ("instance", "M3 3h10v10H3zM6 6h4v4H6z"),
    ("machine", "M2.500 3.500h11v4h-11zM2.500 9.500h11v4h-11zM5 5.500h.1M5 11.500h.1"),
    ("scale", "M2.500 6.500v-4h4M13.500 9.500v4h-4M2.500 2.500l4 4M13.500 13.500l-4-4"),
    ("alert", "M8 2l6.500 11.500h-13zM8 6.500v3M8 11.600v.1"),
    ("flag", "M3.500 14V2.500h8.500l-2 3 2 3H3.500"),
    ("pin", "M5.500 2h5l-1 5 2.500 2.500H4L6.500 7zM8 9.500V14"),
    ("message", "M2 3.500h12v9H2zM2 4l6 5 6-5"),
    ("key", "M9.500 6.500a3.200 3.200 0 1 1 4 0l0 0-2 1.500M9 7.500L3 13.500M5 11.500l1.500 1.500"),
    ("toehold", "M2 14h4v-4h4V6h4V2"),
];

/// The pictures, hidden, to be pointed at.
pub(crate) fn sheet() -> Markup {
    html! {
        svg.sheet width="0" height="0" aria-hidden="true" {
            @for (name, strokes) in PICTURES {
                symbol id=(format!("i-{name}")) viewBox="0 0 16 16" { path d=(strokes) {} }
            }
        }
    }
}

/// One of them.
pub(crate) fn icon(name: &str) -> Markup {
    html! {
        svg.icon width="16" height="16" aria-hidden="true" {
            // The name stands in this file: there is nothing to escape.
            (PreEscaped(format!("<use href=\"#i-{name}\"></use>")))
        }
    }
}

/// The picture for a kind of event.
pub(crate) const fn of_event(kind: EventKind) -> &'static str {
    use EventKind as K;
    match kind {
        K::PushReceived
        | K::PushIgnored
        | K::ForgeUnreachable
        | K::ForgeReached
        | K::ReportFailed => "push",
        K::BuildQueued
        | K::BuildStarted
        | K::StepEnded
        | K::BuildFailed
        | K::BuildFixed
        | K::BuildSuperseded
        | K::BuildCancelled => "build",
        K::ReleaseCreated | K::DeployStarted | K::DeployDone | K::DeployFailed => "release",
        K::RollbackStarted | K::RolloutHeld | K::RolloutAborted | K::RolloutLag => "back",
        K::Pinned | K::Unpinned => "pin",
        K::RolloutStarted
        | K::RolloutSplit
        | K::RolloutPaused
        | K::RolloutResumed
        | K::RolloutRetried
        | K::RolloutPromoting
        | K::RolloutPromoted
        | K::RouteChanged => "split",
        K::MachineWanted
        | K::MachineBegun
        | K::MachineMade
        | K::MachineInvited
        | K::MachineRefused
        | K::MachineJoined
        | K::MachineReady
        | K::MachineTrouble
        | K::MachineFailed
        | K::MachineLost
        | K::MachineUpgraded
        | K::MachineSet
        | K::MachineLeaving
        | K::MachineGone
        | K::MachinesHeld
        | K::PlaybookStarted
        | K::PlaybookTask
        | K::PlaybookEnded => "machine",
        K::InstanceLaunched
        | K::InstancePlaced
        | K::InstanceHealthy
        | K::InstanceUnhealthy
        | K::InstanceDied
        | K::InstanceDraining
        | K::InstanceStopping
        | K::InstanceGone => "instance",
        K::ScaledOut | K::ScaledIn | K::ScaleSet => "scale",
        K::AlertRaised
        | K::AlertCleared
        | K::AlertStale
        | K::AlertFresh
        | K::AlertAcknowledged
        | K::AlertSilenced
        | K::AlertIgnored
        | K::DecisionRefused
        | K::DiskLow => "alert",
        K::FlagChanged => "flag",
        K::MessageSent | K::MessageFailed | K::MessagesJoined | K::OutsideChanged => "message",
        K::TokenCreated
        | K::TokenRevoked
        | K::SecretChanged
        | K::CertificateIssued
        | K::CertificateFailed
        | K::CertificateExpiring => "key",
        K::AppCreated | K::Started => "toehold",
    }
}

/// Whether an event of this kind is good news, bad news or neither.
pub(crate) const fn tone(kind: EventKind) -> &'static str {
    use EventKind as K;
    match kind {
        K::BuildFailed
        | K::DeployFailed
        | K::RollbackStarted
        | K::RolloutHeld
        | K::RolloutAborted
        | K::InstanceUnhealthy
        | K::InstanceDied
        | K::AlertRaised
        | K::AlertStale
        | K::MessageFailed
        | K::ForgeUnreachable
        | K::ReportFailed
        | K::CertificateFailed
        | K::CertificateExpiring
        | K::DecisionRefused
        | K::DiskLow => "bad",
        K::BuildFixed
        | K::ReleaseCreated
        | K::DeployDone
        | K::RolloutPromoted
        | K::InstanceHealthy
        | K::AlertCleared
        | K::CertificateIssued
        | K::ForgeReached => "good",
        _ => "plain",
    }
}
