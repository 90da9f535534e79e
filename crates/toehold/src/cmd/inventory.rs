//! `toehold inventory`: what Ansible asks an inventory script.

use serde_json::{Value, json};
use toehold_core::model::MachineName;

use crate::context::Context;
use crate::report::Outcome;
use crate::show;

/// Every group and host, or what is said of one host; of one that is not there, nothing.
pub fn run(context: &Context, host: Option<&MachineName>) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let inventory: Value = client.get("/api/v1/machines/inventory").await?;
        let told = match host {
            None => inventory,
            Some(host) => {
                let vars = &inventory["_meta"]["hostvars"][host.as_str()];
                if vars.is_null() { json!({}) } else { vars.clone() }
            }
        };
        show::json(&told)
    })
}
