//! Situations in words, for the tests of the rooms that decide.
//!
//! The wish: `stable=v1*2` is wished and serves with two instances; `stable=v1>v2*2` is on its way
//! from v1 to v2; `canary=v3*1@2:1/serving` runs beside it. The sight: `#1 stable v1 up; #2 canary
//! v3 starting; route 2:1; alert #2`. What came of it is said in words as well.

mod said;
mod sight;
mod wishes;

pub(crate) use said::said;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::check::check;
use crate::decide::{Memory, decide};
use crate::model::{
    App, AppName, BranchName, CommitId, Digest, Instance, InstanceId, MachineName, Number, Release,
    ReleaseVerdict,
};
use crate::situation::{Decision, Heard, MachineSeen, Releases, Seen, Situation};
use crate::spec::{RunSpec, Spec};
use crate::time::Timestamp;
use crate::wish::{Refusal, Wish, grant};

/// The moment all scenes play at: long enough after 1970 to have something before it.
pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

/// An app, its releases and what is seen of it.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) app: App,
    pub(crate) releases: Releases,
    pub(crate) seen: Seen,
    pub(crate) now: Timestamp,
}

impl Scene {
    /// Reads a wish and a sight.
    pub(crate) fn new(wish: &str, sight: &str) -> Self {
        let mut scene = Self {
            app: App::new(name(), before(600)),
            releases: (1..=9).map(|number| (Number(number), release(number))).collect(),
            seen: Seen {
                machines: [(MachineName::local(), MachineSeen::local(true))].into(),
                ..Seen::default()
            },
            now: NOW,
        };
        wishes::read(&mut scene, wish);
        sight::read(&mut scene, sight);
        scene
    }

    pub(crate) fn situation(&self) -> Situation<'_> {
        Situation { app: &self.app, releases: &self.releases, seen: &self.seen, now: self.now }
    }

    /// What is decided, after the same has been seen for ten minutes. It passes the checker.
    pub(crate) fn decided(&self) -> Option<Decision> {
        let mut memory = Memory::watching(Heard {
            since: Some(before(600)),
            unwell: self.app.instances.iter().map(|it| (it.id.clone(), before(600))).collect(),
        });
        let decision = decide(self.situation(), &mut memory)?;
        self.passes(&decision);
        Some(decision)
    }

    /// What comes of a wish of ann's. It passes the checker.
    pub(crate) fn granted(&self, wish: &Wish) -> Result<Decision, Refusal> {
        let decision = grant(self.situation(), wish, "ann")?;
        self.passes(&decision);
        Ok(decision)
    }

    /// The scene after a decision.
    pub(crate) fn after(&self, decision: Decision) -> Self {
        let mut scene = self.clone();
        scene.app = decision.app;
        scene.releases.extend(decision.releases.into_iter().map(|it| (it.number, it)));
        scene
    }

    fn passes(&self, decision: &Decision) {
        let violations = check(&self.app, &decision.app, self.situation());
        assert_eq!(violations, [], "what was decided breaks a rule");
    }

    pub(crate) fn instance(&self, ordinal: u64) -> &Instance {
        let found = self.app.instances.iter().find(|it| it.id.ordinal() == ordinal);
        found.expect("the scene has this instance")
    }

    pub(crate) fn spec(&mut self, number: u64) -> &mut Spec {
        let release = self.releases.get_mut(&Number(number)).expect("the scene has this release");
        &mut release.spec
    }
}

/// Checks what is decided in a situation, both in words.
pub(crate) fn decides(wish: &str, sight: &str, expected: &str) {
    let decision = Scene::new(wish, sight).decided();
    let answer = decision.map_or_else(|| "nothing".to_owned(), |decision| said(&decision));
    assert_eq!(answer, expected, "in {wish:?} with {sight:?}");
}

/// Checks what comes of a wish in a situation, both in words.
pub(crate) fn grants(wish: &str, sight: &str, asked: &Wish, expected: &str) {
    let answer = match Scene::new(wish, sight).granted(asked) {
        Ok(decision) if decision.events.is_empty() => "already so".to_owned(),
        Ok(decision) => said(&decision),
        Err(refusal) => format!("refused: {refusal}"),
    };
    assert_eq!(answer, expected, "{asked:?} in {wish:?} with {sight:?}");
}

/// The moment so many seconds before now.
pub(crate) fn before(seconds: u64) -> Timestamp {
    Timestamp::from_ms(NOW.as_ms() - seconds * 1_000)
}

pub(crate) fn name() -> AppName {
    "shop".parse().expect("it is a name")
}

pub(crate) fn id(ordinal: u64) -> InstanceId {
    InstanceId::new(name(), ordinal)
}

pub(crate) fn addr(ordinal: u64) -> SocketAddr {
    let port = 20_000 + u16::try_from(ordinal).expect("scenes are small");
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// `v1` is release #1.
fn number(text: &str) -> Number {
    let digits = text.strip_prefix('v').expect("a release is written v1");
    digits.parse().expect("a release is written v1")
}

fn release(number: u64) -> Release {
    let hex = format!("{number:040x}");
    let usual = Spec::default();
    let mut spec =
        Spec { run: RunSpec { web: Some("node main.js".into()), ..usual.run.clone() }, ..usual };
    spec.health.deadline = Duration::from_secs(30);
    spec.proxy.drain = Duration::from_secs(30);
    Release {
        app: name(),
        number: Number(number),
        artifact: Digest::of(hex.as_bytes()),
        commit: hex.parse::<CommitId>().expect("it has forty hex digits"),
        branch: "main".parse::<BranchName>().expect("git allows it"),
        subject: format!("change {number}"),
        spec,
        secrets: None,
        made_at: before(600),
        verdict: ReleaseVerdict::Untried,
        cause: None,
    }
}
