//! Prometheus' Alertmanager: what it sends us, and how it is sent our alerts.

mod received;

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toehold_core::model::{Alert, AlertPhase, AppName, Basis, Track};
use toehold_core::time::Timestamp;

use crate::outbound::Target;
use crate::secret::Secret;

pub use received::{Received, Reported};

/// The label by which an alert of ours is known when Alertmanager sends it back to us.
pub const OURS: (&str, &str) = ("source", "toehold");

/// `[alertmanager]`: where our alerts are posted.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The beginning of its addresses: `http://127.0.0.1:9093`.
    pub url: String,
    /// The file whose first line is a bearer token; none is sent where absent.
    pub token_file: Option<PathBuf>,
    /// A PEM file of the only authorities that may vouch for it.
    pub ca_file: Option<PathBuf>,
}

/// An Alertmanager that is told of our alerts.
#[derive(Debug)]
pub struct Alertmanager {
    target: Target,
    token: Option<HeaderValue>,
}

impl Alertmanager {
    /// The one of the settings. An error says what is wrong with them, and where.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let read = |field: &str, path: &PathBuf| {
            let cannot = |error| format!("alertmanager.{field}: {}: {error}", path.display());
            std::fs::read_to_string(path).map_err(cannot)
        };
        let pem = settings.ca_file.as_ref().map(|path| read("ca_file", path)).transpose()?;
        // Where alerts are kept is in one's own network, as a rule, and nobody else says where.
        let target = Target::new(&settings.url, pem.as_ref().map(String::as_bytes), true)
            .map_err(|why| format!("alertmanager.url: {why}"))?;
        let token =
            settings.token_file.as_ref().map(|path| read("token_file", path)).transpose()?;
        let token = token.map(|text| {
            let token = Secret::new(text.lines().next().unwrap_or_default().trim());
            HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
                .map_err(|_| "alertmanager.token_file: a token is one line of letters".to_owned())
        });
        Ok(Self { target, token: token.transpose()? })
    }

    /// Where it is.
    #[must_use]
    pub fn host(&self) -> &str {
        self.target.host()
    }

    /// Posts alerts; an error says in words why they were not taken.
    pub async fn post(&self, alerts: &[Value]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        let body = Value::from(alerts).to_string();
        let answer = self.target.post("/api/v2/alerts", headers, body).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(format!("it answered {}: {}", answer.status, answer.text))
    }
}

/// Our alerts of an app as Alertmanager takes them: those that stand, and those that ended after
/// `since`. What was told from outside is not told back.
#[must_use]
pub fn posted(
    app: &AppName,
    alerts: &[Alert],
    since: Timestamp,
    dashboard: Option<&str>,
) -> Vec<Value> {
    // By its labels it is one alert there: the newest of ours says how it is.
    let mut by_labels = BTreeMap::new();
    for alert in alerts {
        let Basis::Measured(measured) = &alert.basis else { continue };
        let ended_at = match &alert.phase {
            AlertPhase::Raised { .. } => None,
            AlertPhase::Cleared { at, .. } if *at < since => continue,
            AlertPhase::Cleared { at, .. } => Some(*at),
        };
        let instance = measured.instance.short();
        let severity = match alert.track {
            Track::Stable => "warning",
            Track::Canary => "critical",
        };
        let mut posted = json!({
            "labels": {
                "alertname": alert.rule, "app": app, "track": alert.track, "instance": instance,
                "release": alert.release.0.to_string(), "severity": severity, (OURS.0): OURS.1,
            },
            "annotations": {
                "summary": alert.finding(),
                "description": format!("alert/{} of {app}: toehold why alert/{} --app {app}", alert.id, alert.id),
            },
            "startsAt": alert.raised_at.to_string(),
        });
        if let Some(at) = ended_at {
            posted["endsAt"] = json!(at.to_string());
        }
        if let Some(base) = dashboard {
            let base = base.trim_end_matches('/');
            posted["generatorURL"] = json!(format!("{base}/apps/{app}/why?of=alert/{}", alert.id));
        }
        by_labels.insert((alert.rule.clone(), instance, alert.release), posted);
    }
    by_labels.into_values().collect()
}

#[cfg(test)]
mod tests {
    use toehold_core::model::{InstanceId, Measured, Metric, Number, Outside};

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_ms(1_800_000_000_000 + seconds * 1_000)
    }

    fn alert(id: u64, phase: AlertPhase) -> Alert {
        let basis = Basis::Measured(Measured {
            instance: InstanceId::new("shop".parse().expect("a name"), 3),
            metric: Metric::Cpu,
            value: 91.0,
            threshold: 45.0,
        });
        Alert {
            id,
            rule: "cpu".into(),
            basis,
            release: Number(43),
            track: Track::Canary,
            raised_at: at(id),
            phase,
            told_at: None,
            acknowledged_by: None,
        }
    }

    #[test]
    fn what_stands_is_posted_and_what_ended_lately_is_with_its_end() {
        let app: AppName = "shop".parse().expect("a name");
        let cleared = |seconds| AlertPhase::Cleared { at: at(seconds), why: "ann".into() };
        let raised = || AlertPhase::Raised { stale: false };
        let base = Some("https://toehold.example.com/");
        let all = posted(&app, &[alert(1, cleared(50)), alert(2, raised())], at(0), base);
        assert_eq!(all.len(), 1, "it is one alert there, and it stands: {all:?}");
        assert_eq!(all[0]["labels"]["track"], "canary");
        assert_eq!(all[0]["labels"]["release"], "43");
        assert_eq!(all[0]["annotations"]["summary"], "cpu of web.3 is 91 %, above 45 %");
        assert_eq!(all[0]["startsAt"], "2027-01-15T08:00:02.000Z");
        assert_eq!(all[0]["endsAt"], Value::Null);
        let url = "https://toehold.example.com/apps/shop/why?of=alert/2";
        assert_eq!(all[0]["generatorURL"], url);
        let ended = posted(&app, &[alert(1, cleared(50))], at(0), None);
        assert_eq!(ended[0]["endsAt"], "2027-01-15T08:00:50.000Z");
        assert!(posted(&app, &[alert(1, cleared(50))], at(60), None).is_empty());
        let mut told = alert(1, raised());
        let (fingerprint, reason, link) = Default::default();
        told.basis = Basis::Outside(Outside { fingerprint, reason, since: at(0), link });
        assert!(posted(&app, &[told], at(0), None).is_empty(), "it is not told back");
    }
}
