//! Rust: `Cargo.toml`.

use toml::{Table, Value};

use super::{DetectError, Detected, Files};

/// What `cargo build` leaves beside the program.
const REST: [&str; 8] = [
    "target/debug",
    "target/tmp",
    "target/release/deps",
    "target/release/build",
    "target/release/examples",
    "target/release/incremental",
    "target/release/.fingerprint",
    "target/release/*.d",
];

pub(super) fn detect(files: &Files) -> Result<Detected, DetectError> {
    let text = files.text("Cargo.toml").unwrap_or_default();
    let cargo: Table = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(start).filter(|&byte| byte == b'\n').count();
        let what = format!("is not TOML: {}", error.message().trim());
        DetectError { file: "Cargo.toml".into(), line, what }
    })?;
    let locked = if files.has("Cargo.lock") { " --locked" } else { "" };
    let mut found = Detected {
        install: Some(format!("cargo build --release{locked}")),
        test: Some(format!("cargo test{locked}")),
        exclude: REST.map(str::to_owned).into(),
        ..Detected::default()
    };
    found.say(format!("install: cargo build --release{locked} (Cargo.toml)"));
    found.say(format!("test: cargo test{locked} (Cargo.toml)"));
    if let Some(name) = program(files, &cargo) {
        found.say(format!("web: target/release/{name} (Cargo.toml)"));
        found.web = Some(format!("target/release/{name}"));
    }
    Ok(found)
}

/// The program, where there is one and no doubt which.
fn program(files: &Files, cargo: &Table) -> Option<String> {
    let package = cargo.get("package").and_then(Value::as_table)?;
    let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
    let bins: Vec<&str> = cargo
        .get("bin")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|bin| bin.get("name").and_then(Value::as_str))
        .collect();
    let by_name = || if files.has("src/main.rs") { text("name") } else { None };
    match bins.as_slice() {
        [] => text("default-run").or_else(by_name),
        [one] => Some((*one).to_owned()),
        [_, ..] => text("default-run"),
    }
}
