//! `toehold config`.

use std::path::Path;

use serde_json::json;
use toehold_core::spec::{self, Spec};

use crate::args::Config;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show;

/// Checks and shows `toehold.toml`.
pub fn run(context: &Context, config: &Config) -> Outcome {
    match config {
        Config::Check { file } => {
            let spec = read(file)?;
            if context.json() {
                return show::json(&json!({ "file": file, "ok": true, "app": spec.app }));
            }
            show::line(&format!("{} can be used", file.display()))
        }
        Config::Show { file } => {
            let spec = if file.exists() { read(file)? } else { Spec::default() };
            if context.json() { show::json(&spec) } else { show::line(&spec::show(&spec)) }
        }
    }
}

fn read(file: &Path) -> Result<Spec, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::user(format!("cannot read {}", file.display()))
            .because(&error)
            .hint("nothing in toehold.toml is required: without it, defaults count")
    })?;
    Spec::parse(&text).map_err(|error| {
        Failure::user(format!("{} cannot be used", file.display())).because(&error)
    })
}
