//! `toehold config`.

use serde_json::json;
use toehold_core::spec;

use crate::args::Config;
use crate::context::Context;
use crate::found;
use crate::report::Outcome;
use crate::show;

/// Checks and shows `toehold.toml`.
pub fn run(context: &Context, config: &Config) -> Outcome {
    match config {
        Config::Check { file } => {
            let spec = found::written(file)?;
            if context.json() {
                return show::json(&json!({ "file": file, "ok": true, "app": spec.app }));
            }
            let there = if file.exists() { "can be used" } else { "is not there: defaults count" };
            show::line(&format!("{} {there}", file.display()))
        }
        Config::Show { file } => {
            let spec = found::in_force(file)?;
            if context.json() { show::json(&spec) } else { show::line(&spec::show(&spec)) }
        }
    }
}
