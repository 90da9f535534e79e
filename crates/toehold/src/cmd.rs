//! The verbs: each in a file of its own, and nothing more.

mod agent;
mod alerts;
mod config;
mod deploy;
mod doctor;
mod flags;
mod follow;
mod git;
mod hook;
mod import;
mod init;
mod inventory;
mod little;
mod logs;
mod look;
mod machines;
mod process;
mod proxy;
mod secrets;
mod serve;
mod tokens;
mod up;
mod wishes;

use toehold_core::wish::Wish;

use crate::args::{Args, Verb};
use crate::context::Context;
use crate::demo;
use crate::report::Outcome;

/// Carries out what was asked for.
pub fn run(args: Args) -> Outcome {
    let context = Context::new(args.everywhere)?;
    match args.verb {
        Verb::Up(up) => up::run(&context, &up),
        Verb::Serve(serve) => serve::run(&context, &serve),
        Verb::Proxy(proxy) => proxy::run(&context, &proxy),
        Verb::Agent(agent) => agent::run(&context, &agent),
        Verb::Demo(demo) => demo::run(&context, &demo),
        Verb::Init(init) => init::run(&context, &init),
        Verb::Deploy(deploy) => deploy::run(&context, &deploy),
        Verb::Plan => little::plan(&context),
        Verb::Cancel { number } => little::cancel(&context, number),
        Verb::Status { watch } => look::status(&context, watch),
        Verb::Releases => look::releases(&context),
        Verb::Rollback { release, yes } => wishes::rollback(&context, release, yes),
        Verb::Unpin => wishes::wish(&context, &Wish::Unpin),
        Verb::Rollout(rollout) => wishes::rollout(&context, &rollout),
        Verb::Logs(logs) => logs::run(&context, &logs),
        Verb::Scale { wish } => wishes::scale(&context, wish),
        Verb::Flags(flags) => flags::run(&context, &flags),
        Verb::Alerts(alerts) => alerts::run(&context, &alerts),
        Verb::Events { follow, lines } => look::events(&context, follow, lines),
        Verb::Why { thing } => look::why(&context, &thing),
        Verb::Config(config) => config::run(&context, &config),
        Verb::Secrets(secrets) => secrets::run(&context, &secrets),
        Verb::Inventory { list: _, host } => inventory::run(&context, host.as_ref()),
        Verb::Machines(machines) => machines::run(&context, &machines),
        Verb::Tokens(tokens) => tokens::run(&context, &tokens),
        Verb::Import(import) => import::run(&context, &import),
        Verb::Open => little::open(&context),
        Verb::Doctor => doctor::run(&context),
        Verb::Version => little::version(&context),
        Verb::Completions { shell } => little::completions(shell),
        Verb::Git { name } => git::run(&context, &name),
        Verb::Hook { name } => hook::run(&context, &name),
    }
}
