//! `toehold logs`: what instances, or a build, have said.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use toehold_core::model::{AppName, InstanceId, Number};
use toehold_core::wire::agent::LogPiece;
use toehold_core::wire::api::AppView;
use toehold_server::control::LogChunk;

use crate::args::Logs;
use crate::client::Client;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show::{self, paint, time};

/// How often is asked for more.
const LOOK: Duration = Duration::from_millis(300);

/// What is shown at first of each instance, in bytes.
const TAIL: u64 = 16 * 1024;

/// The largest piece of one answer, in bytes.
const PIECE: u64 = 256 * 1024;

/// Shows a log, and stays with it where asked.
pub fn run(context: &Context, logs: &Logs) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let shown = async {
            match logs.what.as_deref() {
                Some(text) if !text.starts_with("web.") => {
                    let number: Number = text.parse().map_err(|error| {
                        Failure::user("neither an instance nor a build").because(&error)
                    })?;
                    of_build(context, &client, &app, number, logs).await
                }
                instance => of_instances(context, &client, &app, instance, logs).await,
            }
        };
        tokio::select! {
            ended = shown => ended,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}

async fn of_build(
    context: &Context,
    client: &Client,
    app: &AppName,
    number: Number,
    logs: &Logs,
) -> Outcome {
    let mut from = 0;
    loop {
        let path = format!("/api/v1/apps/{app}/builds/{}/log?from={from}", number.0);
        let chunk: LogChunk = client.get(&path).await?;
        for line in chunk.text.lines() {
            print(context, logs, &number.to_string(), line, false)?;
        }
        let went_on = chunk.next > from;
        from = chunk.next;
        if chunk.ended || (!went_on && !logs.follow) {
            return Ok(());
        }
        if !went_on {
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn of_instances(
    context: &Context,
    client: &Client,
    app: &AppName,
    instance: Option<&str>,
    logs: &Logs,
) -> Outcome {
    let begin = begin(logs)?;
    let mut next: BTreeMap<InstanceId, u64> = BTreeMap::new();
    loop {
        let instances = instances(client, app, instance, logs.release).await?;
        let several = instances.len() > 1;
        if instances.is_empty() && !logs.follow {
            show::talk("no instance runs; what a build said: toehold logs NUMBER");
        }
        let mut news = false;
        for id in instances {
            let from = next.get(&id).map_or_else(|| begin.clone(), |at| format!("offset={at}"));
            let path =
                format!("/api/v1/apps/{app}/instances/{}/log?{from}&max={PIECE}", id.ordinal());
            let piece: LogPiece = match client.get(&path).await {
                Ok(piece) => piece,
                // An instance that was just asked for has said nothing yet.
                Err(_) if logs.follow || several => continue,
                Err(failure) => return Err(failure),
            };
            let whole = if logs.follow { whole_lines(&piece.text) } else { piece.text.len() };
            for line in piece.text[..whole].lines() {
                print(context, logs, &id.short(), line, several)?;
            }
            news |= piece.more;
            let left = (piece.text.len() - whole) as u64;
            next.insert(id, piece.end.saturating_sub(left));
        }
        if !logs.follow && !news {
            return Ok(());
        }
        if !news {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// How much of a text ends with a line feed: the rest comes again with the next piece.
fn whole_lines(text: &str) -> usize {
    text.rfind('\n').map_or(0, |last| last + 1)
}

fn begin(logs: &Logs) -> Result<String, Failure> {
    let Some(since) = &logs.since else { return Ok(format!("tail={TAIL}")) };
    let since = time::parse(since).ok_or_else(|| {
        Failure::user(format!("{since:?} is not a time")).hint("write it as 10m, 2h or 30s")
    })?;
    let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Ok(format!("since={}", time::now().as_ms().saturating_sub(since_ms)))
}

async fn instances(
    client: &Client,
    app: &AppName,
    instance: Option<&str>,
    release: Option<Number>,
) -> Result<Vec<InstanceId>, Failure> {
    if let Some(instance) = instance {
        let id = format!("{app}/{instance}")
            .parse()
            .map_err(|error| Failure::user("that is not an instance").because(&error))?;
        return Ok(vec![id]);
    }
    let view: AppView = client.get(&format!("/api/v1/apps/{app}")).await?;
    let wanted = |number: Number| release.is_none_or(|release| release == number);
    let instances = view.instances.into_iter().map(|view| view.instance);
    Ok(instances.filter(|it| wanted(it.release)).map(|it| it.id).collect())
}

fn print(context: &Context, logs: &Logs, of: &str, line: &str, several: bool) -> Outcome {
    if logs.grep.as_ref().is_some_and(|text| !line.contains(text)) {
        return Ok(());
    }
    if context.json() {
        return show::json(&json!({ "of": of, "line": line }));
    }
    // What an app prints is shown as it is, but for what would move the cursor.
    let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
    if several { show::line(&format!("{}  {line}", paint::faint(of))) } else { show::line(&line) }
}
