//! `toehold doctor`: looks whether all is well, and says what to do where it is not.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show::{self, paint, table};

/// One thing that was looked at.
#[derive(Debug, Deserialize, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    says: String,
    #[serde(default)]
    hint: String,
}

/// Looks at this machine, then at what runs.
pub fn run(context: &Context) -> Outcome {
    let mut findings = here(context)?;
    let client = context.client()?;
    match context.block_on(client.get::<Vec<Finding>>("/api/v1/health")) {
        Ok(more) => findings.extend(more),
        Err(_) => findings.push(Finding {
            what: "control plane".into(),
            ok: false,
            says: "cannot be reached".into(),
            hint: "toehold up".into(),
        }),
    }
    if context.json() {
        show::json(&findings)?;
    } else {
        draw(&findings)?;
    }
    let ill = findings.iter().filter(|finding| !finding.ok).count();
    if ill == 0 {
        Ok(())
    } else {
        Err(Failure::no(format!("{ill} of {} not well", findings.len())))
    }
}

fn draw(findings: &[Finding]) -> Outcome {
    let row = |finding: &Finding| {
        let mark = if finding.ok { paint::good("✓") } else { paint::bad("✗") };
        vec![mark, finding.what.clone(), table::safe(&finding.says, 160)]
    };
    let rows: Vec<Vec<String>> = findings.iter().map(row).collect();
    for (line, finding) in table::columns(&rows).iter().zip(findings) {
        show::line(line)?;
        if !finding.ok && !finding.hint.is_empty() {
            show::line(&format!("    try: {}", finding.hint))?;
        }
    }
    Ok(())
}

fn here(context: &Context) -> Result<Vec<Finding>, Failure> {
    let layout = context.layout()?;
    let mut findings = vec![program("git", "the pushes", "apt-get install git")];
    findings.push(folder(layout.root()));
    findings.push(settings(context)?);
    Ok(findings)
}

fn program(name: &str, needed_for: &str, hint: &str) -> Finding {
    let found = Command::new(name)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|answer| answer.status.success());
    let says = found.as_ref().map_or_else(
        || format!("not found; {needed_for} need it"),
        |answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned(),
    );
    Finding { what: name.into(), ok: found.is_some(), says, hint: hint.into() }
}

fn folder(root: &Path) -> Finding {
    let free = toehold_host::disk::free_bytes(root);
    let (ok, says) = match free {
        Ok(free) => (free > 1 << 30, format!("{}, {} MiB free", root.display(), free >> 20)),
        Err(error) => (false, format!("{}: {error}", root.display())),
    };
    let hint = "free some space, or name another folder with --dir".into();
    Finding { what: "state folder".into(), ok, says, hint }
}

fn settings(context: &Context) -> Result<Finding, Failure> {
    let layout = context.layout()?;
    let path = layout.settings();
    let (ok, says) = match toehold_server::settings::Settings::read(&path) {
        Ok(_) if path.exists() => (true, format!("{} can be used", path.display())),
        Ok(_) => (true, "server.toml is not there: defaults count".to_owned()),
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            (false, format!("{error}: {}", source.unwrap_or_default()))
        }
    };
    Ok(Finding { what: "settings".into(), ok, says, hint: format!("edit {}", path.display()) })
}
