//! Events: what happened, why, and with which numbers. One stream feeds terminal, dashboard, mail
//! and webhooks, and is the audit.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{AppName, InstanceId, MachineName, Number};
use crate::time::Timestamp;

/// Something that happened. Written in the same step as what it speaks of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the order of all that happened; given by the store, 0 before.
    #[serde(default)]
    pub rev: u64,
    /// When, by the control plane's clock; the order is `rev`, never this.
    pub at: Timestamp,
    /// The app; `None` for what concerns all of Toehold.
    pub app: Option<AppName>,
    /// What kind of thing.
    pub kind: EventKind,
    /// What it is about.
    pub subject: Subject,
    /// The event that led to it.
    pub cause: Option<u64>,
    /// Who: a user, a token's name, `toehold` itself.
    pub actor: String,
    /// One sentence that reads alone.
    pub text: String,
    /// The numbers behind it, a JSON object.
    #[serde(default)]
    pub facts: serde_json::Value,
}

/// What an event is about, and what `toehold why` can be asked of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "subject", content = "id", rename_all = "snake_case")]
pub enum Subject {
    /// The app itself.
    App,
    /// A build, and the release it becomes.
    Release(Number),
    /// The canary of this release.
    Rollout(Number),
    /// An instance.
    Instance(InstanceId),
    /// An alert, by its number.
    Alert(u64),
    /// A flag, by its key.
    Flag(String),
    /// A machine.
    Machine(MachineName),
    /// Toehold itself: a process, a token, the store.
    Toehold,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App => f.write_str("app"),
            Self::Release(number) => write!(f, "release {number}"),
            Self::Rollout(number) => write!(f, "canary {number}"),
            Self::Instance(id) => write!(f, "{}", id.short()),
            Self::Alert(id) => write!(f, "alert/{id}"),
            Self::Flag(key) => write!(f, "flag {key}"),
            Self::Machine(name) => write!(f, "machine {name}"),
            Self::Toehold => f.write_str("toehold"),
        }
    }
}

/// The kinds of events: a closed set, so that every reader can know them all.
macro_rules! event_kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)*) => {
        /// What kind of thing happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $word)] $kind,)*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }
        }
    };
}

event_kinds! {
    /// An app was made.
    AppCreated = "app.created",
    /// A push or a request came in.
    PushReceived = "push.received",
    /// A push was not built, and why.
    PushIgnored = "push.ignored",
    /// A forge does not answer.
    ForgeUnreachable = "forge.unreachable",
    /// A forge that did not answer does so again.
    ForgeReached = "forge.reached",
    /// A forge will not take what it was told of a commit; said once.
    ReportFailed = "report.failed",
    /// A build waits for the builder.
    BuildQueued = "build.queued",
    /// A build began.
    BuildStarted = "build.started",
    /// A step of a build ended.
    StepEnded = "step.ended",
    /// A build failed.
    BuildFailed = "build.failed",
    /// A build passed after one on the same track that had failed.
    BuildFixed = "build.fixed",
    /// A newer push took a build's place.
    BuildSuperseded = "build.superseded",
    /// A build was stopped.
    BuildCancelled = "build.cancelled",
    /// A build passed and became a release.
    ReleaseCreated = "release.created",
    /// A release is to serve everyone.
    DeployStarted = "deploy.started",
    /// A release serves everyone.
    DeployDone = "deploy.done",
    /// A release could not serve; the one before goes on.
    DeployFailed = "deploy.failed",
    /// An earlier release is to serve everyone again.
    RollbackStarted = "rollback.started",
    /// Automatic deploys are held.
    Pinned = "app.pinned",
    /// Automatic deploys go on.
    Unpinned = "app.unpinned",
    /// A canary is to run.
    RolloutStarted = "rollout.started",
    /// A canary takes its share, or another share than before.
    RolloutSplit = "rollout.split",
    /// A canary's steps were stopped by hand.
    RolloutPaused = "rollout.paused",
    /// A canary's steps go on.
    RolloutResumed = "rollout.resumed",
    /// An alert or its death sent all traffic back to stable.
    RolloutHeld = "rollout.held",
    /// The traffic that was held is given back to a canary.
    RolloutRetried = "rollout.retried",
    /// The last request a canary began after it lost its share: the measured lag.
    RolloutLag = "rollout.lag",
    /// A canary was given up.
    RolloutAborted = "rollout.aborted",
    /// A canary is to become stable.
    RolloutPromoting = "rollout.promoting",
    /// A canary became stable.
    RolloutPromoted = "rollout.promoted",
    /// The proxy is told other routes.
    RouteChanged = "route.changed",
    /// An instance was asked for.
    InstanceLaunched = "instance.launched",
    /// A machine was found for an instance.
    InstancePlaced = "instance.placed",
    /// An instance can serve.
    InstanceHealthy = "instance.healthy",
    /// An instance cannot serve any more.
    InstanceUnhealthy = "instance.unhealthy",
    /// An instance died.
    InstanceDied = "instance.died",
    /// An instance gets no new requests.
    InstanceDraining = "instance.draining",
    /// An instance was asked to end.
    InstanceStopping = "instance.stopping",
    /// An instance ended.
    InstanceGone = "instance.gone",
    /// More instances are wished.
    ScaledOut = "scale.out",
    /// Fewer instances are wished.
    ScaledIn = "scale.in",
    /// Who says how many instances there are was changed.
    ScaleSet = "scale.set",
    /// An alert was raised.
    AlertRaised = "alert.raised",
    /// An alert holds no more.
    AlertCleared = "alert.cleared",
    /// No samples came while an alert was raised.
    AlertStale = "alert.stale",
    /// Samples came again.
    AlertFresh = "alert.fresh",
    /// Somebody has seen an alert.
    AlertAcknowledged = "alert.acknowledged",
    /// Nobody is told of an alert's rule for a while.
    AlertSilenced = "alert.silenced",
    /// An alert that another system told was passed over, and why.
    AlertIgnored = "alert.ignored",
    /// A machine was asked for, or added.
    MachineWanted = "machine.wanted",
    /// A machine is being made by its provider.
    MachineBegun = "machine.begun",
    /// A machine is there; the agent is brought to it.
    MachineMade = "machine.made",
    /// A token was made, by which a machine may join.
    MachineInvited = "machine.invited",
    /// Somebody who wanted to join was not let in.
    MachineRefused = "machine.refused",
    /// An agent joined with a token.
    MachineJoined = "machine.joined",
    /// A machine's agent has called: it takes instances.
    MachineReady = "machine.ready",
    /// Something with a machine did not go as it should.
    MachineTrouble = "machine.trouble",
    /// A machine could not be had or made ready.
    MachineFailed = "machine.failed",
    /// A machine is not there any more, or nobody reaches it.
    MachineLost = "machine.lost",
    /// A machine's agent was another program than the control plane's, and was replaced.
    MachineUpgraded = "machine.upgraded",
    /// What is wished of a machine was changed.
    MachineSet = "machine.set",
    /// A machine is being given back.
    MachineLeaving = "machine.leaving",
    /// A machine is gone.
    MachineGone = "machine.gone",
    /// So many machines vanished at once that nothing is done about it before a person has looked.
    MachinesHeld = "machines.held",
    /// A playbook began on a machine.
    PlaybookStarted = "playbook.started",
    /// A task of a playbook was done on its machines, or failed.
    PlaybookTask = "playbook.task",
    /// A playbook ended.
    PlaybookEnded = "playbook.ended",
    /// A flag was made or changed.
    FlagChanged = "flag.changed",
    /// A message was sent.
    MessageSent = "message.sent",
    /// A message could not be sent and will not be tried again.
    MessageFailed = "message.failed",
    /// Several messages were put into one.
    MessagesJoined = "message.joined",
    /// A system that Toehold tells, or was told by, cannot be reached; or can again.
    OutsideChanged = "outside.changed",
    /// A host has a certificate, for the first time or a new one.
    CertificateIssued = "certificate.issued",
    /// A host got no certificate, and why.
    CertificateFailed = "certificate.failed",
    /// A certificate ends soon and could not be renewed.
    CertificateExpiring = "certificate.expiring",
    /// A token was made.
    TokenCreated = "token.created",
    /// A token was taken back.
    TokenRevoked = "token.revoked",
    /// A secret was set or removed.
    SecretChanged = "secret.changed",
    /// A part of Toehold came up.
    Started = "toehold.started",
    /// A decision did not pass the checker and was not carried out.
    DecisionRefused = "decision.refused",
    /// The disk is nearly full, or is not any more.
    DiskLow = "disk.low",
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
