//! What Alertmanager's webhook brings, version 4.

use std::collections::BTreeMap;

use serde::Deserialize;
use toehold_core::model::{AppName, Outside, Track};
use toehold_core::outside::Word;
use toehold_core::plain;
use toehold_core::time::Timestamp;

use super::OURS;

/// The version of the form that is understood.
const VERSION: &str = "4";

/// The longest text that is taken over, in characters.
const LONGEST: usize = 240;

/// The body.
#[derive(Debug, Deserialize)]
pub struct Received {
    version: String,
    alerts: Vec<One>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    status: String,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: String,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

/// One alert of it.
#[derive(Debug)]
pub struct Reported {
    /// Its name there.
    pub name: String,
    /// By what it is told apart there.
    pub fingerprint: String,
    /// The app it is about and what is said of it; else why nothing can come of it. `None` where it
    /// is one of ours that came back.
    pub word: Option<Result<(AppName, Word), String>>,
}

impl Received {
    /// The alerts in it. An error says what of the body cannot be understood.
    pub fn alerts(self) -> Result<Vec<Reported>, String> {
        if self.version != VERSION {
            let given: String = self.version.chars().take(20).collect();
            return Err(format!("version {given:?} is not known: send version {VERSION:?}"));
        }
        self.alerts.into_iter().map(One::read).collect()
    }
}

impl One {
    fn read(self) -> Result<Reported, String> {
        let holds = match self.status.as_str() {
            "firing" => true,
            "resolved" => false,
            _ => return Err("the status of an alert is firing or resolved".to_owned()),
        };
        let since: Timestamp =
            self.starts_at.parse().map_err(|_| "startsAt is not a time".to_owned())?;
        let plain = |c: char| c.is_ascii_graphic();
        if self.fingerprint.is_empty()
            || self.fingerprint.len() > 64
            || !self.fingerprint.chars().all(plain)
        {
            return Err("the fingerprint of an alert is up to 64 letters and digits".to_owned());
        }
        let name = shown(self.label("alertname").unwrap_or("alert"));
        let fingerprint = self.fingerprint.clone();
        if self.label(OURS.0) == Some(OURS.1) {
            return Ok(Reported { name, fingerprint, word: None });
        }
        let word = self.about().map(|(app, track)| {
            let told = Outside {
                fingerprint: self.fingerprint.clone(),
                reason: self.reason(),
                since,
                link: self.link(),
            };
            (app, Word { name: name.clone(), track, told, holds })
        });
        Ok(Reported { name, fingerprint, word: Some(word) })
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Which app and which track; `lane` is what some have called the track.
    fn about(&self) -> Result<(AppName, Track), String> {
        let app = self.label("app").ok_or("it has no label `app`")?;
        let app = app.parse().map_err(|_| format!("its app {:?} can be none", shown(app)))?;
        let track = self.label("track").or_else(|| self.label("lane"));
        let track = track.ok_or("it has no label `track`")?;
        let known = || format!("its track {:?} is neither stable nor canary", shown(track));
        Ok((app, track.parse().map_err(|_| known())?))
    }

    fn reason(&self) -> String {
        let said = ["summary", "description", "message"];
        let said = said.iter().find_map(|name| self.annotations.get(*name));
        said.map(|text| shown(text)).unwrap_or_default()
    }

    /// Only what a browser may be sent to.
    fn link(&self) -> String {
        let url = &self.generator_url;
        let plain = url.len() <= 1_000 && url.chars().all(|c| c.is_ascii_graphic());
        let web = url.starts_with("http://") || url.starts_with("https://");
        if plain && web { url.clone() } else { String::new() }
    }
}

/// One line, without what is obeyed rather than shown.
fn shown(text: &str) -> String {
    plain::line(text, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &str = include_str!("../../tests/alertmanager/webhook.jsonl");

    fn read(body: &str) -> Result<Vec<Reported>, String> {
        serde_json::from_str::<Received>(body).map_err(|error| error.to_string())?.alerts()
    }

    #[test]
    fn what_a_real_one_sent_is_understood() {
        let mut names = Vec::new();
        for line in SAMPLES.lines() {
            let sample: serde_json::Value = serde_json::from_str(line).expect("JSON");
            for reported in read(&sample["body"].to_string()).expect("it is understood") {
                let (app, word) = reported.word.expect("not ours").expect("it is about an app");
                assert_eq!((app.as_str(), word.track, word.holds), ("tokens", Track::Canary, true));
                names.push(format!("{}: {}", word.name, word.told.reason));
            }
        }
        assert_eq!(names, ["HighCPU: CPU 91% on h1", "CanaryUnhealthy: canary rolled back"]);
    }

    fn body(labels: &str, status: &str, rest: &str) -> String {
        format!(
            "{{\"version\":\"4\",\"alerts\":[{{\"status\":{status:?},\"labels\":{labels},\
             \"startsAt\":\"2026-11-23T12:18:31.788Z\",\"fingerprint\":\"f1\"{rest}}}]}}"
        )
    }

    #[test]
    fn what_is_about_no_app_is_passed_over_and_what_makes_no_sense_is_refused() {
        for (labels, why) in [
            ("{}", "no label `app`"),
            ("{\"app\":\"shop\"}", "no label `track`"),
            ("{\"app\":\"../x\",\"track\":\"canary\"}", "can be none"),
            ("{\"app\":\"shop\",\"track\":\"beta\"}", "neither stable nor canary"),
        ] {
            let mut all = read(&body(labels, "firing", "")).expect("it is understood");
            let error = all.remove(0).word.expect("not ours").expect_err("nothing comes of it");
            assert!(error.contains(why), "{error}");
        }
        let ours = "{\"app\":\"shop\",\"track\":\"canary\",\"source\":\"toehold\"}";
        assert!(read(&body(ours, "firing", "")).expect("understood")[0].word.is_none());
        assert!(read(&body("{}", "burning", "")).is_err());
        for bad in ["", "{}", "[]", "{\"version\":\"3\",\"alerts\":[]}", "{\"version\":\"4\"}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_said_cannot_break_a_line_or_lead_a_browser_astray() {
        let rest = ",\"annotations\":{\"summary\":\"a\\r\\nBcc: x\\u202e y\"},\"generatorURL\":\"javascript:x\"";
        let labels = "{\"app\":\"shop\",\"track\":\"stable\",\"alertname\":\"x\\ny\"}";
        let mut all = read(&body(labels, "firing", rest)).expect("it is understood");
        let (_, word) = all.remove(0).word.expect("not ours").expect("an app");
        assert_eq!(word.told.reason, "a Bcc: x y");
        assert_eq!((word.name.as_str(), word.told.link.as_str()), ("x y", ""));
    }
}
