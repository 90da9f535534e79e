//! The arguments, and nothing else: what each verb is called and what it takes.

mod machines;
mod parts;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use toehold_core::model::{AppName, BranchName, CommitId, MachineName, Number, Split, Track};

pub use machines::{AddMachine, Machines};
pub use parts::{AccessLogFormat, Proxy, Serve, Up};

/// Continuous delivery for apps on your own servers: every push is tested, tried as a canary, and
/// taken back when it is bad.
#[derive(Debug, Parser)]
#[command(name = "toehold", version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub everywhere: Everywhere,
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every verb takes.
#[derive(Clone, Debug, ClapArgs)]
pub struct Everywhere {
    /// The state folder [default: `$XDG_STATE_HOME/toehold` or `~/.local/state/toehold`]
    #[arg(long, global = true, env = "TOEHOLD_DIR", value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// The control plane, where it is not on this machine: `http://host:7077`
    #[arg(long, global = true, env = "TOEHOLD_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Every answer as JSON, a line for each event
    #[arg(long, global = true)]
    pub json: bool,
    /// The app [default: by the git remote `toehold`, by `toehold.toml`, or the only one]
    #[arg(short, long, global = true, env = "TOEHOLD_APP", value_name = "NAME")]
    pub app: Option<AppName>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Play the whole story in about a minute, on real parts, in a folder of its own
    Demo(Demo),
    /// Start control plane, proxy and agent here, and watch them
    Up(Up),
    /// Start the control plane alone
    Serve(Serve),
    /// Start the proxy alone
    Proxy(Proxy),
    /// Start the agent alone
    Agent(Agent),

    /// Make an app of this repository and set up the git remote `toehold`
    Init(Init),
    /// Build and deploy the commit that is checked out here
    Deploy(Deploy),
    /// Say what a deploy of the work here would do, and do nothing
    Plan,
    /// Stop a build
    Cancel {
        /// Which [default: the one that runs]
        number: Option<Number>,
    },

    /// How everything is
    Status {
        /// Stay and show every change
        #[arg(short, long)]
        watch: bool,
    },
    /// Every release and what became of it
    Releases,
    /// Back to the last good release, or to that one; holds automatic deploys until `unpin`
    Rollback {
        /// The release: `#41`
        release: Option<Number>,
        /// Ask nothing
        #[arg(short, long)]
        yes: bool,
    },
    /// Let automatic deploys go on after a rollback
    Unpin,
    /// The canary
    #[command(subcommand)]
    Rollout(Rollout),
    /// What the app's instances, or a build, have said
    Logs(Logs),
    /// How many instances: a number, `auto` or `freeze`
    Scale {
        /// `3`, `auto` or `freeze`; shows how it is without
        wish: Option<ScaleWish>,
    },
    /// Feature flags
    #[command(subcommand)]
    Flags(Flags),
    /// Alerts
    #[command(subcommand)]
    Alerts(Alerts),
    /// What happened
    Events {
        /// Stay and show what comes
        #[arg(short, long)]
        follow: bool,
        /// At most so many
        #[arg(short = 'n', long, default_value_t = 40)]
        lines: u32,
    },
    /// Why something is as it is: the chain of what led to it, with its numbers
    Why {
        /// `#42`, `web.3`, `alert/2`, `rollout` or `flag/NAME`
        thing: String,
    },
    /// `toehold.toml`
    #[command(subcommand)]
    Config(Config),
    /// Values that apps get and nobody sees
    #[command(subcommand)]
    Secrets(Secrets),
    /// Machines apps run on
    #[command(subcommand)]
    Machines(Machines),
    /// Machines for Ansible: an inventory, as an inventory script tells it
    Inventory {
        /// Every group and host, which is what is told in any case
        #[arg(long)]
        list: bool,
        /// What is said of one host
        #[arg(long, value_name = "NAME", conflicts_with = "list")]
        host: Option<MachineName>,
    },
    /// Tokens for the API
    #[command(subcommand)]
    Tokens(Tokens),
    /// What another system has, in Toehold's words
    #[command(subcommand)]
    Import(Import),
    /// A link that opens the dashboard
    Open,
    /// Look whether all is well, and say what to do where it is not
    Doctor,
    /// The version of this program and of what runs
    Version,
    /// Completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// What an SSH key of sshd's `authorized_keys` is bound to: takes pushes and gives what was
    /// pushed, and nothing else
    Git {
        /// Whose key it is: who pushes, in events
        name: String,
    },
    /// What the app's repository calls on a push
    #[command(hide = true)]
    Hook {
        /// `pre-receive` or `post-receive`
        name: String,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub enum Import {
    /// A job of Jenkins as a `toehold.toml`, and line by line what could not be carried over
    Jenkins {
        /// The job's `config.xml`
        config: PathBuf,
        /// Write the file instead of showing it; one that is there is left alone
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Clone, Debug, ClapArgs)]
pub struct Demo {
    /// Leave everything running at the end, with the dashboard's link
    #[arg(long)]
    pub keep: bool,
    /// Instead of the story: 500 requests a second through every change and the sudden death of
    /// each part, and what Toehold itself takes
    #[arg(long)]
    pub drill: bool,
    /// Instead of the story: a forge, a cloud and its machines, Ansible and a mail server, and what
    /// goes wrong with each; the machines are made here, which takes root
    #[arg(long, value_name = "KIND", conflicts_with = "drill")]
    pub machines: Option<Elsewhere>,
}

/// Machines other than this one.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Elsewhere {
    /// Network namespaces with an SSH server each
    Ssh,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct Agent {
    #[command(flatten)]
    pub parent: Parent,
    #[command(subcommand)]
    pub verb: Option<AgentVerb>,
}

#[derive(Clone, Debug, Subcommand)]
pub enum AgentVerb {
    /// Let this machine join a control plane elsewhere; the token is read from stdin
    Join {
        /// Where the control plane listens for agents: `host:port`
        control: String,
    },
}

#[derive(Clone, Copy, Debug, ClapArgs)]
pub struct Parent {
    /// End when whoever started this process ends
    #[arg(long, hide = true)]
    pub supervised: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct Init {
    /// The app's name [default: `app` in toehold.toml, or the folder's name]
    pub name: Option<AppName>,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct Deploy {
    /// The track [default: by the branch that is checked out]
    #[arg(long)]
    pub track: Option<Track>,
    /// What is not committed, too
    #[arg(long)]
    pub dirty: bool,
    /// Deploy this release again, without a build
    #[arg(long, conflicts_with_all = ["dirty", "branch", "commit"])]
    pub release: Option<Number>,
    /// Another branch of the app's repository at Toehold
    #[arg(long, conflicts_with = "dirty")]
    pub branch: Option<BranchName>,
    /// A commit of the app's repository at Toehold
    #[arg(long, conflicts_with = "dirty")]
    pub commit: Option<CommitId>,
    /// Return once it is queued
    #[arg(long)]
    pub detach: bool,
    /// Show everything the steps say
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Rollout {
    /// How far it is
    Status,
    /// Make the canary stable; nothing is built again
    Promote,
    /// Stop its steps where they are
    Pause,
    /// Let its steps go on
    Resume,
    /// Give everything back to stable
    Abort,
    /// Try it again after it was held or aborted
    Retry,
    /// How to see it before anyone else: a header and a cookie, secret
    Look,
    /// Give it another share: `20%` or `2:1` (stable:canary)
    Set {
        /// The share
        split: Split,
    },
}

#[derive(Clone, Debug, ClapArgs)]
pub struct Logs {
    /// `web.3` [default: every instance], or a build `#42`
    pub what: Option<String>,
    /// Stay and show what comes
    #[arg(short, long)]
    pub follow: bool,
    /// Only what is younger: `10m`
    #[arg(long)]
    pub since: Option<String>,
    /// Only lines that have this text in them
    #[arg(long)]
    pub grep: Option<String>,
    /// Only the instances of this release
    #[arg(long)]
    pub release: Option<Number>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleWish {
    To(u32),
    Auto,
    Freeze,
}

impl std::str::FromStr for ScaleWish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "freeze" => Ok(Self::Freeze),
            _ => text
                .parse()
                .map(Self::To)
                .map_err(|_| format!("{text:?} is not a number of instances, `auto` or `freeze`")),
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub enum Flags {
    /// Every flag
    Ls,
    /// One flag: prints `true` or `false`
    Get {
        /// Its key
        key: String,
    },
    /// Set a flag
    Set {
        /// Its key
        key: String,
        /// `true` or `false` (also `on`, `off`)
        #[arg(value_parser = on_or_off, action = clap::ArgAction::Set)]
        value: bool,
    },
    /// Turn a flag over
    Toggle {
        /// Its key
        key: String,
    },
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "true" | "on" => Ok(true),
        "false" | "off" => Ok(false),
        _ => Err("say `true` or `false`".into()),
    }
}

fn alert_number(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix("alert/").unwrap_or(text);
    number.parse().map_err(|_| "say a number, as `toehold alerts ls` shows it".into())
}

#[derive(Clone, Debug, Subcommand)]
pub enum Alerts {
    /// Every alert that is raised, and the last few that were
    Ls,
    /// Say that somebody has seen it
    Ack {
        /// Its number: `3` or `alert/3`
        #[arg(value_parser = alert_number)]
        alert: u64,
    },
    /// Tell nobody of its rule for a while; what it does to traffic goes on
    Silence {
        /// Its number: `3` or `alert/3`
        #[arg(value_parser = alert_number)]
        alert: u64,
        /// How long
        #[arg(long, default_value_t = 4)]
        hours: u32,
    },
    /// Count it as cleared; a canary it holds gets its share back
    Clear {
        /// Its number: `3` or `alert/3`
        #[arg(value_parser = alert_number)]
        alert: u64,
    },
    /// Send a message by every channel that is set up
    Test,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Config {
    /// Look whether `toehold.toml` can be used
    Check {
        /// The file
        #[arg(default_value = "toehold.toml")]
        file: PathBuf,
    },
    /// The configuration in force: what is said, what was found, every default
    Show {
        /// The file
        #[arg(default_value = "toehold.toml")]
        file: PathBuf,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub enum Secrets {
    /// Set one: its value is read from stdin
    Set {
        /// Its name, as the environment has it
        name: String,
    },
    /// The names
    Ls,
    /// Remove one
    Rm {
        /// Its name
        name: String,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub enum Tokens {
    /// Make one; it is shown once
    Create {
        /// What it is for
        name: String,
        /// `admin`, `read`, `deploy:APP`, `alert:APP`, `flag:APP` or `evaluate:APP`;
        /// may be given several times
        #[arg(long, required = true)]
        scope: Vec<String>,
        /// When it ends: `90d` [default: never]
        #[arg(long)]
        expires: Option<String>,
    },
    /// Every token, without its secret
    Ls,
    /// Take one back
    Revoke {
        /// Its id
        id: String,
    },
}
