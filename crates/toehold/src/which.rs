//! Which app is meant, where nobody said it.

use std::path::Path;
use std::process::{Command, Stdio};

use toehold_core::model::AppName;
use toehold_core::spec::Spec;

use crate::client::Client;
use crate::report::Failure;

/// The git remote that `toehold init` makes.
pub const REMOTE: &str = "toehold";

/// By the git remote, by `toehold.toml`, else the only app there is.
pub async fn app(client: &Client) -> Result<AppName, Failure> {
    if let Some(app) = by_remote().or_else(by_config) {
        return Ok(app);
    }
    let apps: Vec<AppName> = client.get("/api/v1/apps").await?;
    match apps.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            Err(Failure::user("there is no app yet").hint("in the app's repository: toehold init"))
        }
        several => {
            let names: Vec<&str> = several.iter().map(AppName::as_str).collect();
            Err(Failure::user("which app?")
                .hint(format!("name it: --app {}", names.join(" | --app "))))
        }
    }
}

fn by_remote() -> Option<AppName> {
    let url = git(Path::new("."), &["remote", "get-url", REMOTE])?;
    let name = url.rsplit('/').next()?.strip_suffix(".git")?;
    name.parse().ok()
}

/// The name `toehold.toml` gives, if it gives one and can be read.
pub fn by_config() -> Option<AppName> {
    let text = std::fs::read_to_string("toehold.toml").ok()?;
    Spec::parse(&text).ok()?.app
}

/// What a git command answers, trimmed; `None` where it fails.
pub fn git(dir: &Path, arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git")
        .current_dir(dir)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| text.trim().to_owned())
}
