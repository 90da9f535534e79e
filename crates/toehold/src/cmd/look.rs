//! The verbs that only look.

use std::time::Duration;

use toehold_core::model::{AppName, Event};
use toehold_core::why::Link;
use toehold_core::wire::api::{AppView, ReleaseView};

use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show::{self, paint, table};

/// How often a watched status is drawn again.
const REDRAW: Duration = Duration::from_millis(500);

/// How often is asked for new events.
const LOOK: Duration = Duration::from_millis(250);

/// `toehold status`.
pub fn status(context: &Context, watch: bool) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        loop {
            let apps: Vec<AppName> = match context.named() {
                Some(app) => vec![app],
                None => client.get("/api/v1/apps").await?,
            };
            let mut views = Vec::with_capacity(apps.len());
            for app in &apps {
                views.push(client.get::<AppView>(&format!("/api/v1/apps/{app}")).await?);
            }
            if context.json() {
                show::json(&views)?;
            } else {
                draw(&views, watch)?;
            }
            if !watch {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(REDRAW) => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    })
}

fn draw(views: &[AppView], again: bool) -> Outcome {
    let mut lines: Vec<String> = Vec::new();
    if views.is_empty() {
        lines.push("there is no app yet; in an app's repository: toehold init".into());
    }
    for view in views {
        lines.extend(show::app::status(view));
    }
    let clear = if again { "\x1b[H\x1b[2J" } else { "" };
    show::line(&format!("{clear}{}", lines.join("\n")))
}

/// `toehold releases`.
pub fn releases(context: &Context) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let releases: Vec<ReleaseView> =
            client.get(&format!("/api/v1/apps/{app}/releases")).await?;
        if context.json() {
            return show::json(&releases);
        }
        let row = |view: &ReleaseView| {
            let release = &view.release;
            vec![
                release.number.to_string(),
                format!("{}@{}", release.branch, release.commit.short()),
                table::safe(&release.subject, 40),
                show::time::ago(release.made_at),
                release.artifact.short().to_owned(),
                state(&view.state),
            ]
        };
        let rows: Vec<Vec<String>> = releases.iter().map(row).collect();
        if rows.is_empty() {
            return show::line("no release yet");
        }
        table::columns(&rows).iter().try_for_each(|line| show::line(line))
    })
}

fn state(state: &str) -> String {
    match state {
        "serving" => paint::good(state),
        "canary" => paint::busy(state),
        bad if bad.starts_with("bad") => paint::bad(&table::safe(bad, 80)),
        other => paint::faint(other),
    }
}

/// `toehold events`.
pub fn events(context: &Context, follow: bool, lines: u32) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let scope = match context.named() {
            Some(app) => format!("/api/v1/apps/{app}/events"),
            None => "/api/v1/events".to_owned(),
        };
        let mut events: Vec<Event> = client.get(&format!("{scope}?limit={lines}")).await?;
        let mut after = 0;
        loop {
            for event in &events {
                after = event.rev;
                if context.json() {
                    show::json(event)?;
                } else {
                    show::line(&show::event::line(event))?;
                }
            }
            if !follow {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
            events = client.get(&format!("{scope}?after={after}&limit=500")).await?;
        }
    })
}

/// `toehold why`.
pub fn why(context: &Context, thing: &str) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let of = thing.replace('#', "%23").replace('/', "%2F");
        let links: Vec<Link> = client.get(&format!("/api/v1/apps/{app}/why?of={of}")).await?;
        if context.json() {
            return show::json(&links);
        }
        if links.is_empty() {
            return Err(Failure::no(format!("nothing is known of {thing}"))
                .hint("toehold events shows what happened lately"));
        }
        for link in &links {
            let mark = if link.about_it { "●" } else { "○" };
            show::line(&format!("{mark} {}", show::event::line(&link.event)))?;
            let facts = numbers(&link.event.facts);
            if !facts.is_empty() {
                show::line(&paint::faint(&format!("    {facts}")))?;
            }
        }
        Ok(())
    })
}

/// The facts of an event as `name value` pairs.
fn numbers(facts: &serde_json::Value) -> String {
    let Some(facts) = facts.as_object() else { return String::new() };
    let pairs = facts.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("{name} {}", table::safe(&value, 120))
    });
    pairs.collect::<Vec<_>>().join(" · ")
}
