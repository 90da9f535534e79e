//! The tool a command really runs: `npx jasmine` is jasmine.

use std::collections::BTreeMap;

/// Words that only prepare what is run.
const WRAPPERS: [&str; 9] =
    ["!", "exec", "env", "time", "nice", "nohup", "command", "sudo", "xvfb-run"];

/// Commands that only prepare the next one.
const PREPARING: [&str; 7] = ["cd", "export", "mkdir", "rm", "set", "source", "."];

/// The name of the tool, as people say it. `scripts` are those of `package.json`.
pub(super) fn tool(command: &str, scripts: &BTreeMap<String, String>) -> String {
    let found = find(command, scripts, 4).unwrap_or_default();
    if found.is_empty() { command.chars().take(30).collect() } else { found }
}

fn find(command: &str, scripts: &BTreeMap<String, String>, depth: u32) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let parts = command.split("&&").flat_map(|part| part.split([';', '|', '\n']));
    let mut commands = parts.map(words).filter(|words| !words.is_empty());
    let words = commands.find(|words| !PREPARING.contains(&words[0]))?;
    let rest = words.get(1..).unwrap_or_default();
    let operands: Vec<&str> = rest.iter().filter(|it| !it.starts_with('-')).copied().collect();
    let script = |name: &str| {
        let script = scripts.get(name).filter(|script| script.as_str() != command)?;
        find(script, scripts, depth)
    };
    let inner =
        |from: usize| find(&operands.get(from..).unwrap_or_default().join(" "), scripts, depth);
    match (base_name(words[0]), operands.as_slice()) {
        ("npx" | "bunx", [_, ..]) => inner(0),
        ("npm" | "pnpm" | "yarn" | "bun", ["exec" | "dlx", _, ..])
        | ("bundle", ["exec", _, ..])
        | ("poetry" | "uv" | "pipenv", ["run", _, ..]) => inner(1),
        (npm @ ("npm" | "pnpm" | "yarn" | "bun"), ["test" | "t", ..]) => {
            script("test").or_else(|| Some(npm.to_owned()))
        }
        (npm @ ("npm" | "pnpm" | "yarn" | "bun"), ["run" | "run-script", name, ..]) => {
            script(name).or_else(|| Some(npm.to_owned()))
        }
        (npm @ ("pnpm" | "yarn" | "bun"), [name, ..]) => {
            script(name).or_else(|| Some(npm.to_owned()))
        }
        (python, _) if python.starts_with("python") && rest.first() == Some(&"-m") => {
            rest.get(1).map(|module| (*module).to_owned())
        }
        ("node" | "sh" | "bash" | "python" | "python3" | "ruby", [file, ..])
            if rest.first() == Some(file) =>
        {
            Some(base_name(file).to_owned())
        }
        (name, _) => Some(name.chars().take(30).collect()),
    }
}

/// The words of a command without what stands in front of it: `!`, `env`, `A=b`, `timeout 5`.
fn words(command: &str) -> Vec<&str> {
    let mut words: Vec<&str> = command.split_whitespace().collect();
    loop {
        let skipped = match words.first() {
            Some(&"timeout") => 2.min(words.len()),
            Some(word) if WRAPPERS.contains(word) || is_assignment(word) => 1,
            Some(_) | None => return words,
        };
        words.drain(..skipped);
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn base_name(word: &str) -> &str {
    word.trim_matches(['"', '\'']).trim_end_matches('/').rsplit('/').next().unwrap_or(word)
}
