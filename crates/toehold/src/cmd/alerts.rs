//! `toehold alerts`.

use serde_json::json;
use toehold_core::model::{Alert, AlertPhase, Basis, InstanceId};
use toehold_core::wire::api::{AppView, Done};
use toehold_core::wish::Wish;

use crate::args::Alerts;
use crate::cmd::wishes;
use crate::context::Context;
use crate::report::Outcome;
use crate::show::{self, paint, table, time::ago};

/// Lists alerts and says what is done about them.
pub fn run(context: &Context, alerts: &Alerts) -> Outcome {
    match alerts {
        Alerts::Ack { alert } => wishes::wish(context, &Wish::AckAlert { alert: *alert }),
        Alerts::Silence { alert, hours } => {
            wishes::wish(context, &Wish::SilenceAlert { alert: *alert, hours: *hours })
        }
        Alerts::Clear { alert } => wishes::wish(context, &Wish::ClearAlert { alert: *alert }),
        Alerts::Ls => list(context),
        Alerts::Test => {
            let client = context.client()?;
            context.block_on(async {
                let done: Done = client.post("/api/v1/messages/test", &json!({})).await?;
                wishes::show_done(context, &done)
            })
        }
    }
}

fn list(context: &Context) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let view: AppView = client.get(&format!("/api/v1/apps/{app}")).await?;
        if context.json() {
            return show::json(&view.alerts);
        }
        if view.alerts.is_empty() {
            return show::line("no alert");
        }
        let rows: Vec<Vec<String>> = view.alerts.iter().map(row).collect();
        table::columns(&rows).iter().try_for_each(|line| show::line(line))
    })
}

/// `cpu 91 % (above 45 %)`, or what another system said.
fn finding(alert: &Alert) -> String {
    match &alert.basis {
        Basis::Measured(it) => {
            format!("{} {:.0} % (above {:.0} %)", it.metric.as_str(), it.value, it.threshold)
        }
        Basis::Outside(it) => table::safe(&format!("{} {}", alert.rule, it.reason), 80),
    }
}

fn row(alert: &Alert) -> Vec<String> {
    let state = match &alert.phase {
        AlertPhase::Raised { stale: false } => paint::bad("raised"),
        AlertPhase::Raised { stale: true } => paint::bad("raised, no news"),
        AlertPhase::Cleared { why, .. } => {
            paint::faint(&format!("cleared: {}", table::safe(why, 60)))
        }
    };
    let seen = alert.acknowledged_by.as_ref().map(|by| format!("seen by {}", table::safe(by, 30)));
    vec![
        format!("alert/{}", alert.id),
        alert.instance().map_or_else(|| "from outside".to_owned(), InstanceId::short),
        alert.track.to_string(),
        alert.release.to_string(),
        finding(alert),
        ago(alert.raised_at),
        state,
        seen.unwrap_or_default(),
    ]
}
