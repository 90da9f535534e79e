//! `toehold machines`.

use serde::{Deserialize, Serialize};
use serde_json::json;
use toehold_core::model::{AppName, Machine, MachineGoal, MachineName, MachinePhase};
use toehold_core::wire::api::{Done, HostKey, MachineView};

use crate::args::{AddMachine, Machines};
use crate::ask;
use crate::client::Client;
use crate::cmd::wishes;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show::{self, paint, table, time};

/// A join token that was just made.
#[derive(Deserialize, Serialize)]
struct Made {
    token: String,
    control: Option<String>,
}

/// What a playbook printed.
#[derive(Deserialize, Serialize)]
struct Printed {
    text: Option<String>,
}

/// The public half of the key Toehold logs in with.
#[derive(Deserialize, Serialize)]
struct SshKey {
    key: String,
}

/// Lists, adds and changes machines.
pub fn run(context: &Context, machines: &Machines) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        match machines {
            Machines::Ls => list(context, &client.get::<Vec<MachineView>>("/api/v1/machines").await?),
            Machines::Add(new) => add(context, &client, new).await,
            Machines::Cordon { name } => set(context, &client, name, MachineGoal::Cordon).await,
            Machines::Uncordon { name } => set(context, &client, name, MachineGoal::Run).await,
            Machines::Drain { name } => set(context, &client, name, MachineGoal::Drain).await,
            Machines::Rm { name, yes } => {
                let question = format!("{name} is emptied and given back. Go on?");
                if !yes && ask::somebody_is_there() && !ask::agreed(&question)? {
                    return Err(Failure::no("nothing was changed"));
                }
                set(context, &client, name, MachineGoal::Remove).await
            }
            Machines::Configure { name, app } => {
                let path = format!("/api/v1/machines/{name}/configure");
                let done: Done = client.post(&path, &json!({ "app": app })).await?;
                wishes::show_done(context, &done)
            }
            Machines::Playbook { name, app } => {
                playbook(context, &client, name, app.as_ref()).await
            }
            Machines::Key => {
                let found: SshKey = client.get("/api/v1/machines/ssh-key").await?;
                if context.json() { show::json(&found) } else { show::line(&found.key) }
            }
            Machines::Token { name } => {
                let path = format!("/api/v1/machines/{name}/token");
                let made: Made = client.post(&path, &json!({})).await?;
                if context.json() {
                    return show::json(&made);
                }
                let control = made.control.as_deref().unwrap_or("HOST:PORT");
                show::talk(&format!(
                    "it is good once, for 15 minutes; there, say `toehold agent join {control}` and give it on stdin:"
                ));
                show::line(&made.token)
            }
        }
    })
}

/// What a playbook printed, as it is.
async fn playbook(
    context: &Context,
    client: &Client,
    name: &MachineName,
    app: Option<&AppName>,
) -> Outcome {
    let asked = app.map_or_else(String::new, |app| format!("?app={app}"));
    let printed: Printed = client.get(&format!("/api/v1/machines/{name}/playbook{asked}")).await?;
    if context.json() {
        return show::json(&printed);
    }
    match printed.text {
        Some(text) => text.lines().try_for_each(|line| show::line(&table::safe(line, 500))),
        None => {
            Err(Failure::no(format!("no playbook has ended on {name}")).hint("toehold machines ls"))
        }
    }
}

async fn set(context: &Context, client: &Client, name: &MachineName, goal: MachineGoal) -> Outcome {
    let path = format!("/api/v1/machines/{name}/goal");
    let done: Done = client.post(&path, &json!({ "goal": goal })).await?;
    wishes::show_done(context, &done)
}

async fn add(context: &Context, client: &Client, new: &AddMachine) -> Outcome {
    let (user, host) = new.host.split_once('@').unwrap_or(("root", &new.host));
    let host_key = match &new.host_key {
        Some(key) => key.clone(),
        None => seen_key(client, new, host).await?,
    };
    let body = json!({
        "name": new.name,
        "user": user,
        "host": host,
        "port": new.port,
        "host_key": host_key,
        "address": new.address,
    });
    let done: Done = client.post("/api/v1/machines", &body).await?;
    if !context.json() {
        let found: SshKey = client.get("/api/v1/machines/ssh-key").await?;
        show::talk(&format!(
            "this line must stand in ~{user}/.ssh/authorized_keys there:\n  {}\nfollow it with `toehold machines ls`",
            found.key
        ));
    }
    wishes::show_done(context, &done)
}

/// The host key the machine shows, once somebody has said that it is the right one.
async fn seen_key(client: &Client, new: &AddMachine, host: &str) -> Result<String, Failure> {
    let asked = json!({ "host": host, "port": new.port });
    let shown: HostKey = client.post("/api/v1/machines/host-key", &asked).await?;
    let HostKey { key, fingerprint } = shown;
    if let Some(expected) = &new.fingerprint {
        if *expected == fingerprint {
            return Ok(key);
        }
        return Err(Failure::no(format!(
            "{host} shows the host key {fingerprint}, and not {expected}: it is another machine, or \
             somebody stands between"
        )));
    }
    show::talk(&format!("{host} shows this host key:\n  {key}\n  {fingerprint}"));
    if !ask::somebody_is_there() {
        return Err(Failure::user("nobody said that this is the right machine")
            .hint(format!("where it is: add --fingerprint {fingerprint}")));
    }
    if ask::agreed("Is that the machine you mean?")? {
        return Ok(key);
    }
    Err(Failure::no("nothing was added"))
}

fn list(context: &Context, machines: &[MachineView]) -> Outcome {
    if context.json() {
        return show::json(&machines);
    }
    let rows: Vec<Vec<String>> = machines.iter().map(row).collect();
    table::columns(&rows).iter().try_for_each(|line| show::line(line))
}

fn row(view: &MachineView) -> Vec<String> {
    let machine = &view.machine;
    let of = machine.app.as_ref().map_or_else(String::new, |app| format!("for {app}"));
    let used = view.reading.map_or_else(String::new, |reading| {
        format!("cpu {:.0} %  memory {:.0} %", reading.cpu_percent, reading.memory_percent)
    });
    vec![
        machine.name.to_string(),
        machine.provider.to_string(),
        machine.address.map_or_else(|| "-".to_owned(), |address| address.to_string()),
        state(view),
        match view.instances {
            1 => "1 instance".to_owned(),
            count => format!("{count} instances"),
        },
        used,
        paint::faint(&of),
    ]
}

/// How a machine is, in a few words.
fn state(view: &MachineView) -> String {
    let machine = &view.machine;
    let since = time::ago(machine.since);
    let goal = match machine.goal {
        MachineGoal::Run => String::new(),
        goal => format!(" ({})", goal.as_str()),
    };
    let said = match &machine.phase {
        MachinePhase::Ready if view.heard => ready(view),
        MachinePhase::Ready => troubled("silent".to_owned(), machine),
        MachinePhase::Lost { why } | MachinePhase::Failed { why } => {
            format!("{}: {}", machine.phase.as_str(), table::safe(why, 60))
        }
        phase => troubled(format!("{} {since}", phase.as_str()), machine),
    };
    format!("{said}{goal}")
}

/// With what stands in the way of what is done about it.
fn troubled(said: String, machine: &Machine) -> String {
    match &machine.trouble {
        None => said,
        Some(why) => format!("{said}: {}", table::safe(why, 100)),
    }
}

/// How a machine is that is there: what is done with it, or why an app does not come to it.
fn ready(view: &MachineView) -> String {
    if let Some(doing) = &view.doing {
        return table::safe(doing, 60);
    }
    let mut failed =
        view.machine.configured.iter().filter_map(|(app, it)| Some((app, it.failed.as_ref()?)));
    match failed.next() {
        None => troubled("ready".to_owned(), &view.machine),
        Some((app, why)) => {
            format!("ready, but the playbook of {app} failed: {}", table::safe(why, 60))
        }
    }
}
