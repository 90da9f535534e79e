//! What an app is, told by its files.

use crate::pipeline::{Detected, Files, detect};
use crate::spec::Spec;

/// Files by name; those with a text are those that are read.
fn files(given: &[(&str, &str)]) -> Files {
    Files {
        names: given.iter().map(|(name, _)| (*name).to_owned()).collect(),
        texts: given
            .iter()
            .filter(|(name, _)| Files::READ.contains(name))
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
    }
}

fn found(given: &[(&str, &str)]) -> Detected {
    detect(&files(given)).expect("the files can be read")
}

fn web(given: &[(&str, &str)]) -> Option<String> {
    found(given).web
}

#[test]
fn a_node_app_with_everything() {
    let package = r#"{ "scripts": { "test": "jasmine", "lint": "jshint .", "start": "node main.js" },
                       "dependencies": { "express": "4" } }"#;
    let app = found(&[("package.json", package), ("package-lock.json", ""), ("main.js", "")]);
    assert_eq!(app.install.as_deref(), Some("npm ci"));
    assert_eq!(app.test.as_deref(), Some("npm test"));
    assert_eq!(app.lint.as_deref(), Some("npm run lint"));
    assert_eq!(app.web.as_deref(), Some("node main.js"));
    assert_eq!(app.scripts["test"], "jasmine");
}

#[test]
fn the_test_that_npm_init_writes_is_none() {
    let package = r#"{ "scripts": { "test": "echo \"Error: no test specified\" && exit 1" } }"#;
    let app = found(&[("package.json", package)]);
    assert_eq!((app.test, app.install), (None, None));
    assert!(app.why.iter().any(|line| line.contains("add \"test\" to \"scripts\"")));
}

#[test]
fn the_lock_file_tells_the_package_manager() {
    let package = r#"{ "dependencies": { "a": "1" }, "scripts": { "build": "tsc" } }"#;
    for (lock, install) in [
        ("package-lock.json", "npm ci && npm run build"),
        ("yarn.lock", "yarn install --frozen-lockfile && yarn run build"),
        ("pnpm-lock.yaml", "pnpm install --frozen-lockfile && pnpm run build"),
        ("README", "npm install && npm run build"),
    ] {
        let app = found(&[("package.json", package), (lock, "")]);
        assert_eq!(app.install.as_deref(), Some(install));
    }
}

#[test]
fn a_node_app_is_started_as_it_says() {
    let start = |script: &str| format!(r#"{{ "scripts": {{ "start": "{script}" }} }}"#);
    let started = |script: &str| web(&[("package.json", start(script).as_str())]);
    assert_eq!(started("node main.js").as_deref(), Some("node main.js"));
    assert_eq!(started("node $FILE").as_deref(), Some("npm start"));
    assert_eq!(started("NODE_ENV=x node main.js").as_deref(), Some("npm start"));
    let main = r#"{ "main": "lib/app" }"#;
    assert_eq!(
        web(&[("package.json", main), ("lib/app.js", "")]).as_deref(),
        Some("node lib/app.js")
    );
    assert_eq!(
        web(&[("package.json", r#"{ "main": "gone.js" }"#), ("server.js", "")]).as_deref(),
        Some("node server.js")
    );
    assert_eq!(web(&[("package.json", r#"{ "main": "a;reboot.js" }"#), ("a;reboot.js", "")]), None);
    let both =
        [("package.json", r#"{ "main": "a.js" }"#), ("a.js", ""), ("Procfile", "web: node b.js")];
    assert_eq!(web(&both).as_deref(), Some("node b.js"));
}

#[test]
fn a_broken_file_is_named_with_its_line() {
    let error =
        |given: &[(&str, &str)]| detect(&files(given)).expect_err("it is broken").to_string();
    let says = error(&[("package.json", "{\n  \"scripts\": {\n    \"test\": \n  }\n}")]);
    assert_eq!(says, "package.json:4: is not JSON: expected value");
    assert!(error(&[("package.json", "[]")]).starts_with("package.json:1: must be an object"));
    assert!(
        error(&[("Cargo.toml", "[package]\nname = \n")]).starts_with("Cargo.toml:2: is not TOML")
    );
    assert!(error(&[("Procfile", "# x\nweb node a.js")]).starts_with("Procfile:2: "));
}

#[test]
fn a_rust_app() {
    let app = found(&[
        ("Cargo.toml", "[package]\nname = \"shop\""),
        ("Cargo.lock", ""),
        ("src/main.rs", ""),
    ]);
    assert_eq!(app.install.as_deref(), Some("cargo build --release --locked"));
    assert_eq!(app.test.as_deref(), Some("cargo test --locked"));
    assert_eq!(app.web.as_deref(), Some("target/release/shop"));
    assert!(app.exclude.contains(&"target/debug".to_owned()));
    assert_eq!(web(&[("Cargo.toml", "[package]\nname = \"lib\""), ("src/lib.rs", "")]), None);
}

#[test]
fn a_python_app() {
    let app = found(&[
        ("requirements.txt", "flask\ngunicorn\n"),
        ("requirements-dev.txt", "pytest\n"),
        ("Procfile", "release: python3 migrate.py\nweb: gunicorn app:app\nworker: x"),
    ]);
    let install = app.install.expect("there are requirements");
    assert!(install.ends_with("-r requirements.txt -r requirements-dev.txt"), "{install}");
    assert!(app.test.expect("pytest is named").ends_with("python3 -m pytest --junitxml=junit.xml"));
    assert_eq!(app.reports.junit.as_deref(), Some("junit.xml"));
    let web = app.web.expect("the Procfile says");
    assert!(web.contains(".packages") && web.ends_with("gunicorn app:app"), "{web}");
    assert!(app.release.expect("the Procfile says").ends_with("python3 migrate.py"));
}

#[test]
fn what_is_named_wins_and_what_is_off_stays_off() {
    let package =
        r#"{ "scripts": { "test": "jasmine", "lint": "jshint .", "start": "node a.js" } }"#;
    let app = found(&[("package.json", package)]);
    let named = "[build]\ntest = \"make check\"\nlint = false\n[run]\nweb = \"./start\"";
    let spec = Spec::parse(named).expect("it is right");
    assert_eq!(app.news(&spec), ["install: nothing; package.json names no dependencies"]);
    let spec = app.fill(spec);
    assert_eq!(spec.build.test.as_deref(), Some("make check"));
    assert_eq!(spec.build.lint, None);
    assert_eq!(spec.run.web.as_deref(), Some("./start"));
    let spec = app.fill(Spec::default());
    assert_eq!(spec.build.lint.as_deref(), Some("npm run lint"));
}

#[test]
fn an_app_that_says_nothing_has_nothing() {
    assert_eq!(found(&[("README.md", "")]), Detected::default());
}
