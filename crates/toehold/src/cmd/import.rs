//! `toehold import`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use serde_json::json;
use toehold_core::jenkins::{self, Imported, MAX_BYTES};

use crate::args::Import;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show;

/// Reads what another system has.
pub fn run(context: &Context, import: &Import) -> Outcome {
    match import {
        Import::Jenkins { config, out } => of_jenkins(context, config, out.as_deref()),
    }
}

fn of_jenkins(context: &Context, config: &Path, out: Option<&Path>) -> Outcome {
    let shown = config.display();
    let text = read(config)?;
    let Imported { toml, notes } = jenkins::import(&text).map_err(|error| {
        Failure::user(format!("{shown} is no job of Jenkins"))
            .because(&error)
            .hint("it lies in jobs/NAME/config.xml below Jenkins' home")
    })?;
    if let Some(out) = out {
        write(out, &toml)?;
    }
    if context.json() {
        let notes: Vec<_> = notes
            .iter()
            .map(|it| json!({ "line": it.line, "what": it.what, "then": it.then }))
            .collect();
        return show::json(&json!({ "toml": toml, "notes": notes, "written": out }));
    }
    for note in &notes {
        show::talk(&format!("{shown}:{}: {}: {}", note.line, note.what, note.then));
    }
    match out {
        Some(out) => {
            show::talk(&format!("{} is written; `toehold config check` reads it", out.display()));
            Ok(())
        }
        None => show::line(toml.trim_end()),
    }
}

/// The text of a file, a little more of it than may be read; what is not UTF-8 is replaced.
fn read(path: &Path) -> Result<String, Failure> {
    let cannot = |error: &std::io::Error| {
        Failure::user(format!("cannot read {}", path.display())).because(error)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| cannot(&error))?;
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a file that was not there: what somebody wrote by hand is never written over.
fn write(path: &Path, text: &str) -> Outcome {
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    let written = made.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let failure = Failure::user(format!("cannot write {}", path.display())).because(&error);
        if error.kind() == ErrorKind::AlreadyExists {
            return failure.hint("name another file with --out, or move that one away");
        }
        failure
    })
}
