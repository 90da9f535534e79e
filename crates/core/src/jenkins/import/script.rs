//! What the lines of a shell step do: install, test, check the style, or call Toehold's forebear.

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// It brings what the app needs.
    Install,
    /// It tries the app.
    Test,
    /// It checks the style.
    Lint,
    /// Nobody can tell.
    Unknown,
}

/// What a call of the older set-up asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// `/deploy`
    Deploy,
    /// `/canary`
    Canary,
}

/// Tools by what they are for.
const INSTALLS: [&str; 12] = [
    "npm ci",
    "npm install",
    "npm i",
    "yarn install",
    "pnpm install",
    "pip install",
    "pip3 install",
    "bundle install",
    "composer install",
    "cargo fetch",
    "go mod download",
    "poetry install",
];
const LINTERS: [&str; 14] = [
    "jshint",
    "eslint",
    "jslint",
    "standard",
    "prettier",
    "flake8",
    "pylint",
    "ruff",
    "rubocop",
    "npm run lint",
    "yarn lint",
    "cargo clippy",
    "checkstyle",
    "stylelint",
];
const TESTERS: [&str; 20] = [
    "npm test",
    "npm t",
    "npm run test",
    "yarn test",
    "jasmine",
    "jasmine-node",
    "mocha",
    "jest",
    "vitest",
    "karma",
    "tap",
    "nyc",
    "istanbul",
    "pytest",
    "tox",
    "python -m unittest",
    "cargo test",
    "go test",
    "mvn",
    "make test",
];

/// The lines of a script that do something, without what only a shell needs.
pub(super) fn lines(script: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut begun = String::new();
    for line in script.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(half) = line.strip_suffix('\\') {
            begun.push_str(half);
            continue;
        }
        let line = std::mem::take(&mut begun) + line;
        if !matches!(line.as_str(), "set -e" | "set -x" | "set -ex" | "set -xe") {
            lines.push(line);
        }
    }
    if !begun.is_empty() {
        lines.push(begun);
    }
    lines
}

/// Whether each line stands for itself, so that they may go different ways.
pub(super) fn can_be_parted(lines: &[String]) -> bool {
    let binds =
        ["if ", "for ", "while ", "until ", "case ", "function ", "cd ", "export ", "{", "("];
    lines.iter().all(|line| {
        let sets = line.split(' ').next().is_some_and(|word| word.contains('='));
        let binds = binds.iter().any(|word| line.starts_with(word));
        !sets && !binds && !line.contains("<<") && !line.ends_with(['|', '&', '{'])
    })
}

/// What a line is for. `!` in front of it only turned its end over.
pub(super) fn purpose(line: &str) -> Purpose {
    let line = plain(line);
    let runs = |tools: &[&str]| {
        tools.iter().any(|tool| {
            line.strip_prefix(tool).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    };
    if runs(&INSTALLS) {
        Purpose::Install
    } else if runs(&LINTERS) {
        Purpose::Lint
    } else if runs(&TESTERS) {
        Purpose::Test
    } else {
        Purpose::Unknown
    }
}

/// The call of the older set-up that a line makes.
pub(super) fn call(line: &str) -> Option<Call> {
    if !line.contains("curl") && !line.contains("wget") {
        return None;
    }
    let paths = line.split_whitespace().map(|word| word.trim_end_matches(['"', '\'', ';', '/']));
    paths.into_iter().find_map(|word| {
        let path = word.split(['?', '#']).next().unwrap_or_default();
        match path.rsplit('/').next() {
            Some("deploy") => Some(Call::Deploy),
            Some("canary") => Some(Call::Canary),
            _ => None,
        }
    })
}

/// Whether the end of a line did not count: `!` in front, or `|| true` behind it.
pub(super) fn is_let_pass(line: &str) -> bool {
    line.starts_with("! ") || line.ends_with("|| true") || line.ends_with("|| :")
}

/// The line so that its end counts.
pub(super) fn that_counts(line: &str) -> &str {
    let line = line.strip_prefix("! ").unwrap_or(line).trim();
    let line = line.strip_suffix("|| true").or_else(|| line.strip_suffix("|| :")).unwrap_or(line);
    line.trim()
}

/// The command without what stands before it, and without the path of its program.
fn plain(line: &str) -> String {
    let line = that_counts(line);
    let line = line
        .strip_prefix("npx ")
        .map_or(line, |rest| rest.trim_start_matches("--yes ").trim_start_matches("-y "));
    let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
    let program = program.rsplit('/').next().unwrap_or(program);
    format!("{program} {rest}").trim().to_owned()
}
