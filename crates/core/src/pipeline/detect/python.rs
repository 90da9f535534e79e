//! Python: `requirements.txt` or `pyproject.toml`.
//!
//! Packages go into a folder of the checkout and not into a virtual environment: an environment
//! holds absolute paths and links out of its folder, so it cannot be moved to where it runs.

use super::{Detected, Files};
use crate::spec::Reports;

/// The files that make an app a Python one.
pub(super) const FILES: [&str; 3] = ["requirements.txt", "pyproject.toml", "setup.py"];

/// Lets a command find what was installed.
pub(super) const ENV: &str =
    "export PYTHONPATH=\"$PWD/.packages\" PATH=\"$PWD/.packages/bin:$PATH\";";

/// Where `pytest` is told to write its report.
const REPORT: &str = "junit.xml";

pub(super) fn detect(files: &Files) -> Detected {
    let mut found = Detected::default();
    let pip = "python3 -m pip install --target .packages";
    let (install, source) = if files.has("requirements-dev.txt") && files.has("requirements.txt") {
        (format!("{pip} -r requirements.txt -r requirements-dev.txt"), "requirements.txt")
    } else if files.has("requirements.txt") {
        (format!("{pip} -r requirements.txt"), "requirements.txt")
    } else {
        (
            format!("{pip} ."),
            if files.has("pyproject.toml") { "pyproject.toml" } else { "setup.py" },
        )
    };
    found.say(format!("install: {install} ({source})"));
    found.install = Some(install);
    test(files, &mut found);
    if let Some(file) = ["main.py", "app.py", "server.py"].into_iter().find(|it| files.has(it)) {
        found.say(format!("web: python3 {file} (it is there)"));
        found.web = Some(format!("{ENV} python3 {file}"));
    }
    found
}

fn test(files: &Files, found: &mut Detected) {
    let named = files.texts.values().any(|text| text.contains("pytest"));
    let set_up = ["pytest.ini", "conftest.py", "tests/conftest.py"].iter().any(|it| files.has(it));
    let is_test = |name: &String| {
        let last = name.rsplit('/').next().unwrap_or_default();
        last.starts_with("test") && last.strip_suffix(".py").is_some()
    };
    if named || set_up {
        found.say("test: pytest (it is named among the requirements, or set up)");
        found.test = Some(format!("{ENV} python3 -m pytest --junitxml={REPORT}"));
        found.reports = Reports { junit: Some(REPORT.to_owned()), ..Reports::default() };
    } else if files.names.iter().any(is_test) {
        let folder = files.names.iter().any(|name| name.starts_with("tests/") && is_test(name));
        let place = if folder { " -s tests" } else { "" };
        found.say("test: unittest (there are files named test*.py)");
        found.test = Some(format!("{ENV} python3 -m unittest discover{place}"));
    } else {
        found.say("test: none; add [build] test to toehold.toml");
    }
}
