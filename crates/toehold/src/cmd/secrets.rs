//! `toehold secrets`: values go in by stdin and never come out.

use std::io::{IsTerminal, Read};

use serde_json::json;
use toehold_core::wire::api::Done;

use crate::args::Secrets;
use crate::cmd::wishes;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show;

/// The largest value, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Sets, lists and removes secrets.
pub fn run(context: &Context, secrets: &Secrets) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let path = format!("/api/v1/apps/{app}/secrets");
        match secrets {
            Secrets::Ls => {
                let names: Vec<String> = client.get(&path).await?;
                if context.json() {
                    return show::json(&names);
                }
                names.iter().try_for_each(|name| show::line(name))
            }
            Secrets::Set { name } => {
                let body = json!({ "value": value(name)? });
                let done: Done = client.put(&format!("{path}/{name}"), &body).await?;
                wishes::show_done(context, &done)
            }
            Secrets::Rm { name } => {
                let done: Done = client.delete(&format!("{path}/{name}")).await?;
                wishes::show_done(context, &done)
            }
        }
    })
}

fn value(name: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        show::talk(&format!("type the value of {name}, then ^D on a line of its own"));
    }
    let mut value = String::new();
    stdin
        .take(LARGEST)
        .read_to_string(&mut value)
        .map_err(|error| Failure::user("cannot read the value").because(&error))?;
    let value = value.trim_end_matches('\n');
    if value.is_empty() {
        return Err(Failure::user("the value is empty")
            .hint(format!("printf %s \"$VALUE\" | toehold secrets set {name}")));
    }
    Ok(value.to_owned())
}
