//! The first step: a clean checkout, its configuration, and what the app is.

use std::collections::BTreeMap;
use std::time::Instant;

use toehold_core::model::{StepKind, StepOutcome};
use toehold_core::pipeline::detect;
use toehold_core::spec::Spec;
use toehold_core::tell::chain;

use super::{Run, Stop, passed, stop, took};
use crate::builder::checkout::{Checkout, CheckoutError, checkout, text};

/// A checkout that is understood.
pub(super) struct Fetched {
    /// The configuration in force.
    pub(super) spec: Spec,
    /// The scripts of `package.json`.
    pub(super) scripts: BTreeMap<String, String>,
}

impl Run {
    pub(super) async fn fetch(&mut self) -> Result<(Fetched, StepOutcome), Stop> {
        let began = Instant::now();
        self.log.begin(&format!("fetch: {}", self.order.commit));
        let found = {
            let git = self.git();
            let work = checkout(&git, &self.order.commit, &self.order.limits);
            tokio::select! {
                () = self.cancel.cancelled() => return Err(Stop::Cancelled),
                found = work => found,
            }
        };
        let fetched = self.understood(found).map_err(|(what, hint)| {
            let _ = self.log.end();
            stop(StepKind::Fetch, what, hint, took(began))
        })?;
        let _ = self.log.end();
        Ok((fetched, passed(StepKind::Fetch, "clean checkout".to_owned(), took(began))))
    }

    /// What is to be done with the checkout; else what is wrong, and the cure.
    fn understood(
        &mut self,
        found: Result<Checkout, CheckoutError>,
    ) -> Result<Fetched, (String, String)> {
        let told = |error: CheckoutError| (chain(&error), String::new());
        let Checkout { files, notes } = found.map_err(told)?;
        for note in &notes {
            self.log.say(&format!("warning: {note}"));
        }
        let file = text(&self.workshop.checkout, "toehold.toml").map_err(told)?;
        let spec = Spec::parse(file.as_deref().unwrap_or_default())
            .map_err(|error| (error.to_string(), "toehold config check".to_owned()))?;
        let detected = detect(&files).map_err(|error| {
            let hint = format!("mend {} and push again", error.file);
            (error.to_string(), hint)
        })?;
        for line in detected.news(&spec) {
            self.log.say(&format!("found {line}"));
        }
        let spec = detected.fill(spec);
        if spec.run.web.is_none() {
            let what = "no command starts the app: neither toehold.toml nor a Procfile names one, \
                        and none could be told by its files";
            let hint = "write `[run]` and `web = \"node main.js\"` (or whatever starts it on \
                        $PORT) into toehold.toml";
            return Err((what.to_owned(), hint.to_owned()));
        }
        self.secrets_are_set(&spec)?;
        Ok(Fetched { spec, scripts: detected.scripts })
    }
    /// An app that would start without a secret it names is better not started.
    fn secrets_are_set(&self, spec: &Spec) -> Result<(), (String, String)> {
        let is_set = |wanted: &&String| self.order.secrets.iter().any(|(name, _)| name == *wanted);
        match spec.run.secrets.iter().find(|name| !is_set(name)) {
            Some(missing) => Err((
                format!("`[run] secrets` names {missing}, which is not set"),
                format!("`toehold secrets set {missing}`, then push or `toehold deploy` again"),
            )),
            None => Ok(()),
        }
    }
}
