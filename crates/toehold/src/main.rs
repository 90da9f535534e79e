//! The `toehold` command: reads its arguments, calls a room, shows what came of it.

mod args;
mod ask;
mod client;
mod cmd;
mod context;
mod demo;
mod found;
mod handover;
mod program;
mod report;
mod show;
mod supervise;
mod which;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let json = args.everywhere.json;
    report::finish(cmd::run(args), json)
}
