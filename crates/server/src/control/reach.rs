//! The systems that are told what is so: whether each can be reached, said once when it cannot and
//! once when it can again.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use toehold_core::model::{Event, EventKind, Subject};
use tracing::{info, warn};

use super::{Control, Finding};

/// How each was last found: what was seen, and whether that is well.
pub(super) type Reach = BTreeMap<&'static str, (bool, String)>;

impl Control {
    /// Notes how `what` was found. A change is written down and logged, once.
    pub(super) async fn found(&self, what: &'static str, ok: bool, says: String) {
        let before = {
            let mut reach = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
            reach.insert(what, (ok, says.clone())).map(|(ok, _)| ok)
        };
        // That it is well from the beginning is no news.
        if before.unwrap_or(true) == ok {
            return;
        }
        let text = if ok {
            info!(what, says, "a system that is told what is so can be reached again");
            format!("{what} can be reached again: {says}")
        } else {
            warn!(
                what,
                says, "a system that is told what is so cannot be reached and is tried again"
            );
            format!("{what} cannot be reached: {says}")
        };
        self.say(Event {
            rev: 0,
            at: self.clock().now(),
            app: None,
            kind: EventKind::OutsideChanged,
            subject: Subject::Toehold,
            cause: None,
            actor: "toehold".into(),
            text,
            facts: serde_json::json!({ "what": what, "ok": ok }),
        })
        .await;
    }

    /// What `doctor` shows of them.
    pub(super) fn reach_findings(&self) -> Vec<Finding> {
        let reach = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
        let finding = |(what, (ok, says)): (&&str, &(bool, String))| Finding {
            what: (*what).to_owned(),
            ok: *ok,
            says: says.clone(),
            hint: format!("see [{what}] in server.toml; apps and traffic go on without it"),
        };
        reach.iter().map(finding).collect()
    }
}
