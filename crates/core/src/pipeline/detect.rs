//! What an app is, told by the files it has: how it is installed, tested, checked and started.

mod node;
mod procfile;
mod python;
mod rust;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::model::StepKind;
use crate::spec::{Reports, Spec};

/// The files of a commit.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Every path, relative to the root.
    pub names: BTreeSet<String>,
    /// The text of those of [`Files::READ`] that are there.
    pub texts: BTreeMap<String, String>,
}

impl Files {
    /// The files whose text tells something.
    pub const READ: [&str; 7] = [
        "package.json",
        "Procfile",
        "Cargo.toml",
        "pyproject.toml",
        "requirements.txt",
        "requirements-dev.txt",
        "setup.py",
    ];

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }
}

/// A file that should tell how the app is built, and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}: {what}")]
pub struct DetectError {
    /// The file, relative to the checkout.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detected {
    /// Installs the dependencies.
    pub install: Option<String>,
    /// Runs the tests.
    pub test: Option<String>,
    /// Runs the style check.
    pub lint: Option<String>,
    /// Starts the app.
    pub web: Option<String>,
    /// Runs once before traffic.
    pub release: Option<String>,
    /// The reports the detected commands write.
    pub reports: Reports,
    /// What need not be in the artifact.
    pub exclude: Vec<String>,
    /// The scripts of `package.json`, by name: what `npm test` really runs.
    pub scripts: BTreeMap<String, String>,
    /// One line for each thing found or missed, beginning with its key: `test: npm test (…)`.
    pub why: Vec<String>,
}

/// Looks at the files of a commit. The first of Node, Rust and Python that fits is taken; a
/// `Procfile` says how the app is started in any case.
pub fn detect(files: &Files) -> Result<Detected, DetectError> {
    let mut found = if files.has("package.json") {
        node::detect(files)?
    } else if files.has("Cargo.toml") {
        rust::detect(files)?
    } else if python::FILES.iter().any(|name| files.has(name)) {
        python::detect(files)
    } else {
        Detected::default()
    };
    procfile::detect(files, &mut found)?;
    Ok(found)
}

impl Detected {
    fn say(&mut self, line: impl Into<String>) {
        self.why.push(line.into());
    }

    /// The lines of `why` that matter where `spec` is what the team says: those about what it
    /// neither names nor switches off.
    #[must_use]
    pub fn news(&self, spec: &Spec) -> Vec<&str> {
        let said = [
            ("install", StepKind::Install, &spec.build.install),
            ("test", StepKind::Test, &spec.build.test),
            ("lint", StepKind::Lint, &spec.build.lint),
        ]
        .map(|(key, kind, named)| (key, named.is_some() || spec.build.off.contains(&kind)));
        let run = [("web", spec.run.web.is_some()), ("release", spec.run.release.is_some())];
        let is_said = |line: &str| {
            let key = line.split(':').next().unwrap_or_default();
            said.iter().chain(&run).any(|(it, is_said)| *it == key && *is_said)
        };
        self.why.iter().map(String::as_str).filter(|line| !is_said(line)).collect()
    }

    /// `spec` with what it neither names nor switches off taken from here.
    #[must_use]
    pub fn fill(&self, mut spec: Spec) -> Spec {
        let build = &mut spec.build;
        if build.test.is_none()
            && !build.off.contains(&StepKind::Test)
            && build.reports.junit.is_none()
            && build.reports.tap.is_none()
        {
            build.reports.junit.clone_from(&self.reports.junit);
            build.reports.tap.clone_from(&self.reports.tap);
        }
        let steps = [
            (StepKind::Install, &mut build.install, &self.install),
            (StepKind::Test, &mut build.test, &self.test),
            (StepKind::Lint, &mut build.lint, &self.lint),
        ];
        for (kind, named, found) in steps {
            if named.is_none() && !build.off.contains(&kind) {
                named.clone_from(found);
            }
        }
        let missing: Vec<String> =
            self.exclude.iter().filter(|it| !build.exclude.contains(it)).cloned().collect();
        build.exclude.extend(missing);
        for (named, found) in
            [(&mut spec.run.web, &self.web), (&mut spec.run.release, &self.release)]
        {
            if named.is_none() {
                named.clone_from(found);
            }
        }
        spec
    }
}
