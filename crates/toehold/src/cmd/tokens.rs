//! `toehold tokens`.

use serde::Deserialize;
use serde_json::json;
use toehold_core::wire::api::{Done, TokenView};

use crate::args::Tokens;
use crate::cmd::wishes;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show::{self, paint, table, time};

/// A token that was just made.
#[derive(Deserialize, serde::Serialize)]
struct Made {
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// Makes, lists and revokes tokens.
pub fn run(context: &Context, tokens: &Tokens) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        match tokens {
            Tokens::Create { name, scope, expires } => {
                let expires_s = match expires {
                    Some(text) => Some(
                        time::parse(text)
                            .ok_or_else(|| {
                                Failure::user(format!("{text:?} is not a time"))
                                    .hint("write it as 90d, 12h or 30m")
                            })?
                            .as_secs(),
                    ),
                    None => None,
                };
                let body = json!({ "name": name, "scopes": scope, "expires_s": expires_s });
                let made: Made = client.post("/api/v1/tokens", &body).await?;
                if context.json() {
                    return show::json(&made);
                }
                show::talk("it is shown this once:");
                show::line(&made.token)
            }
            Tokens::Ls => list(context, &client.get::<Vec<TokenView>>("/api/v1/tokens").await?),
            Tokens::Revoke { id } => {
                let done: Done = client.delete(&format!("/api/v1/tokens/{id}")).await?;
                wishes::show_done(context, &done)
            }
        }
    })
}

fn list(context: &Context, tokens: &[TokenView]) -> Outcome {
    if context.json() {
        return show::json(&tokens);
    }
    let row = |token: &TokenView| {
        let used =
            token.last_used_at.map_or("never used".into(), |at| format!("used {}", time::ago(at)));
        let ends = token.expires_at.map_or("never ends".into(), |at| format!("ends {at}"));
        vec![
            token.id.clone(),
            table::safe(&token.name, 40),
            token.scopes.join(" "),
            paint::faint(&used),
            paint::faint(&ends),
        ]
    };
    let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
    table::columns(&rows).iter().try_for_each(|line| show::line(line))
}
