//! `toehold flags`.

use serde_json::json;
use toehold_core::flag::FlagSet;
use toehold_core::wire::api::Done;

use crate::args::Flags;
use crate::cmd::wishes;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show::{self, paint, table};

/// Lists, reads and changes flags.
pub fn run(context: &Context, flags: &Flags) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let path = format!("/api/v1/apps/{app}/flags");
        match flags {
            Flags::Ls => list(context, &client.get(&path).await?),
            Flags::Get { key } => {
                let set: FlagSet = client.get(&path).await?;
                let found = set.flags.iter().find(|(known, _)| known.as_str() == key);
                let Some((_, flag)) = found else {
                    return Err(
                        Failure::no(format!("{app} has no flag {key}")).hint("toehold flags ls")
                    );
                };
                if context.json() { show::json(flag) } else { show::line(&flag.value.to_string()) }
            }
            Flags::Set { key, value } => {
                let body = json!({ "value": value });
                let done: Done = client.put(&format!("{path}/{}", escape(key)), &body).await?;
                wishes::show_done(context, &done)
            }
            Flags::Toggle { key } => {
                let body = json!({});
                let done: Done =
                    client.post(&format!("{path}/{}/toggle", escape(key)), &body).await?;
                wishes::show_done(context, &done)
            }
        }
    })
}

fn list(context: &Context, set: &FlagSet) -> Outcome {
    if context.json() {
        return show::json(set);
    }
    let rows: Vec<Vec<String>> = set
        .flags
        .iter()
        .map(|(key, flag)| {
            let value = if flag.value { paint::good("on") } else { paint::busy("off") };
            let who = format!("{} {}", flag.changed_by, show::time::ago(flag.changed_at));
            vec![key.to_string(), value, paint::faint(&table::safe(&who, 60))]
        })
        .collect();
    if rows.is_empty() {
        return show::line("no flag yet; `toehold flags set NAME true` makes one");
    }
    table::columns(&rows).iter().try_for_each(|line| show::line(line))
}

/// A key as part of a path: what is not plain is percent-encoded.
fn escape(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    key.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
