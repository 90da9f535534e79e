//! Node: `package.json` and the lock files beside it.

use serde_json::{Map, Value};

use super::{DetectError, Detected, Files};

/// What `npm init` writes where there are no tests.
const NO_TEST: &str = "no test specified";

pub(super) fn detect(files: &Files) -> Result<Detected, DetectError> {
    let package = read(files.text("package.json").unwrap_or_default())?;
    let mut found = Detected { scripts: scripts(&package), ..Detected::default() };
    let manager = Packager::of(files);
    install(files, &package, &manager, &mut found);
    let run = manager.name;
    match found.scripts.get("test") {
        Some(script) if !script.contains(NO_TEST) => {
            found.test = Some(format!("{run} test"));
            found.say(format!("test: {run} test (scripts.test of package.json)"));
        }
        Some(_) | None => found.say(
            "test: none; add \"test\" to \"scripts\" in package.json, or [build] test to \
             toehold.toml",
        ),
    }
    if found.scripts.contains_key("lint") {
        found.lint = Some(format!("{run} run lint"));
        found.say(format!("lint: {run} run lint (scripts.lint of package.json)"));
    } else {
        found.say("lint: none; add \"lint\" to \"scripts\" in package.json");
    }
    if let Some((command, source)) = web(files, &package, &found, run) {
        found.say(format!("web: {command} ({source})"));
        found.web = Some(command);
    }
    Ok(found)
}

fn read(text: &str) -> Result<Map<String, Value>, DetectError> {
    let wrong = |line: usize, what: String| DetectError { file: "package.json".into(), line, what };
    // Editors on Windows write a mark in front that JSON does not allow.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match serde_json::from_str(text) {
        Ok(Value::Object(package)) => Ok(package),
        Ok(_) => Err(wrong(1, "must be an object, beginning with `{`".to_owned())),
        Err(error) => {
            let says = error.to_string();
            let what = says.split(" at line ").next().unwrap_or_default();
            Err(wrong(error.line().max(1), format!("is not JSON: {what}")))
        }
    }
}

fn scripts(package: &Map<String, Value>) -> std::collections::BTreeMap<String, String> {
    let scripts = package.get("scripts").and_then(Value::as_object);
    scripts
        .into_iter()
        .flatten()
        .filter_map(|(name, script)| Some((name.clone(), script.as_str()?.to_owned())))
        .filter(|(_, script)| !script.trim().is_empty())
        .collect()
}

/// The package manager, told by its lock file.
struct Packager {
    name: &'static str,
    install: &'static str,
    lock: Option<&'static str>,
}

impl Packager {
    fn of(files: &Files) -> Self {
        let known = [
            ("npm", "npm ci", "package-lock.json"),
            ("npm", "npm ci", "npm-shrinkwrap.json"),
            ("pnpm", "pnpm install --frozen-lockfile", "pnpm-lock.yaml"),
            ("yarn", "yarn install --frozen-lockfile", "yarn.lock"),
        ];
        let found = known.into_iter().find(|(_, _, lock)| files.has(lock));
        match found {
            Some((name, install, lock)) => Self { name, install, lock: Some(lock) },
            None => Self { name: "npm", install: "npm install", lock: None },
        }
    }
}

fn install(files: &Files, package: &Map<String, Value>, manager: &Packager, found: &mut Detected) {
    let some =
        |key: &str| package.get(key).and_then(Value::as_object).is_some_and(|it| !it.is_empty());
    let wants = ["dependencies", "devDependencies", "optionalDependencies", "workspaces"];
    let hooks = ["preinstall", "install", "postinstall", "prepare"];
    let needed = manager.lock.is_some()
        || wants.iter().any(|key| some(key))
        || hooks.iter().any(|hook| found.scripts.contains_key(*hook))
        || files.has("binding.gyp");
    let build = found.scripts.contains_key("build").then(|| format!("{} run build", manager.name));
    let command = match (needed, build) {
        (true, Some(build)) => format!("{} && {build}", manager.install),
        (true, None) => manager.install.to_owned(),
        (false, Some(build)) => build,
        (false, None) => {
            found.say("install: nothing; package.json names no dependencies");
            return;
        }
    };
    let source = manager.lock.unwrap_or("package.json; commit a lock file to make it repeatable");
    found.say(format!("install: {command} ({source})"));
    found.install = Some(command);
}

fn web(
    files: &Files,
    package: &Map<String, Value>,
    found: &Detected,
    run: &str,
) -> Option<(String, &'static str)> {
    if let Some(start) = found.scripts.get("start") {
        // A plain `node x` needs no npm around it, which would only stand between the app and its
        // signals.
        let plain = |c: char| c.is_ascii_alphanumeric() || " ./_-".contains(c);
        let alone = start.starts_with("node ")
            && start.chars().all(plain)
            && !found.scripts.contains_key("prestart");
        let command = if alone { start.trim().to_owned() } else { format!("{run} start") };
        return Some((command, "scripts.start of package.json"));
    }
    let main = package.get("main").and_then(Value::as_str).map(|it| it.trim_start_matches("./"));
    let candidates = main
        .into_iter()
        .flat_map(|it| [it.to_owned(), format!("{it}.js"), format!("{it}/index.js")])
        .map(|it| (it, "main of package.json"));
    let usual = ["server.js", "main.js", "app.js", "index.js"]
        .map(|it| (it.to_owned(), "it is there, and package.json has no start script"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "./_-".contains(c);
    candidates
        .chain(usual)
        .find(|(file, _)| files.has(file) && file.chars().all(plain) && !file.starts_with('-'))
        .map(|(file, source)| (format!("node {file}"), source))
}
