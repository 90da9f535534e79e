//! Apps that are placed on the crowd.

use std::process::Command;

use serde_json::Value;

use crate::Outcome;
use crate::yard::{Yard, said};

/// Pushes an app that runs on so many machines.
pub fn push(yard: &Yard, nth: usize, instances: usize) -> Outcome {
    let name = format!("app{nth}");
    let repository = yard.folder().join(&name);
    std::fs::create_dir_all(&repository)?;
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(&repository).args(["-c", "user.name=Ada"]);
        said(command.args(["-c", "user.email=ada@example.com"]).args(arguments))
    };
    git(&["init", "--quiet", "--initial-branch", "main"])?;
    yard.toehold_in(&repository, &["init", &name])?;
    let config = format!(
        "[build]\ninstall = \"true\"\ntest = \"true\"\nlint = \"true\"\n\
         [run]\nweb = \"true\"\n[machines]\nprovider = \"ssh\"\n\
         [scale]\nmin = {instances}\nmax = {instances}\n"
    );
    std::fs::write(repository.join("toehold.toml"), config)?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message", "begin"])?;
    git(&["push", "toehold", "HEAD:refs/heads/main"]).map(drop)
}

/// How many instances of all apps are said to be healthy.
pub fn healthy(yard: &Yard) -> Outcome<usize> {
    let all: Vec<Value> = serde_json::from_str(&yard.toehold(&["--json", "status"])?)?;
    let instances = all.iter().filter_map(|app| app["instances"].as_array()).flatten();
    Ok(instances.filter(|it| it["status"]["healthy"] == true).count())
}
