//! What the app's repository calls on a push: `pre-receive` where a failed build is to make a
//! failed push, `post-receive` for all others. What it prints stands at the pusher as `remote: …`.

use std::io::Read;

use serde_json::json;
use toehold_server::control::{Pushed, Verdict};
use toehold_server::source::service::PUSHER;

use crate::cmd::follow;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show;

/// The longest list of refs of one push, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Runs a hook.
pub fn run(context: &Context, name: &str) -> Outcome {
    let before = match name {
        "pre-receive" => true,
        "post-receive" => false,
        _ => return Err(Failure::user(format!("there is no hook {name:?}"))),
    };
    let mut lines = String::new();
    std::io::stdin()
        .take(LONGEST)
        .read_to_string(&mut lines)
        .map_err(|error| Failure::world("cannot read what was pushed").because(&error))?;
    let lines: Vec<&str> = lines.lines().collect();
    // While a push waits for the verdict, git keeps its objects apart; only there are they found.
    let objects = std::env::var_os("GIT_QUARANTINE_PATH").filter(|_| before);
    let app = context.named_app()?;
    let client = context.client()?;
    context.block_on(async {
        let us = toehold_host::process::run_id(std::process::id());
        let waiting = objects
            .zip(us)
            .map(|(path, us)| json!({ "objects": path.to_string_lossy(), "hook": us }));
        // Over HTTP and SSH somebody else pushes than whose process this is.
        let by = std::env::var(PUSHER).ok().filter(|by| !by.is_empty());
        let body = json!({ "lines": lines, "waiting": waiting, "by": by });
        let path = format!("/api/v1/apps/{app}/push");
        let pushed: Pushed = client.post(&path, &body).await?;
        for verdict in pushed.refs {
            match verdict {
                Verdict::Queued { queued, reject, .. } if reject == before => {
                    let style = follow::Style { json: false, verbose: true };
                    follow::build(&client, &app, queued.number, style).await?;
                }
                Verdict::Ignored { why } if !why.is_empty() && !before => show::line(&why)?,
                Verdict::Queued { .. } | Verdict::Ignored { .. } => {}
            }
        }
        Ok(())
    })
}
