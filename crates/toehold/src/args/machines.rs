//! `toehold machines …`.

use std::net::IpAddr;

use clap::{Args as ClapArgs, Subcommand};
use toehold_core::model::{AppName, MachineName};

#[derive(Clone, Debug, Subcommand)]
pub enum Machines {
    /// Every machine, and how it is
    Ls,
    /// Add a machine that is there already and is reached by SSH
    Add(AddMachine),
    /// Let a machine take no more instances
    Cordon {
        /// Its name
        name: MachineName,
    },
    /// Let a machine take instances again
    Uncordon {
        /// Its name
        name: MachineName,
    },
    /// Replace what runs on a machine elsewhere
    Drain {
        /// Its name
        name: MachineName,
    },
    /// Empty a machine and give it back
    Rm {
        /// Its name
        name: MachineName,
        /// Ask nothing
        #[arg(short, long)]
        yes: bool,
    },
    /// Run the playbooks of its apps on a machine again
    Configure {
        /// Its name
        name: MachineName,
        /// Whose playbook [default: each that was run there]
        #[arg(short, long)]
        app: Option<AppName>,
    },
    /// What the last run of a playbook on a machine printed
    Playbook {
        /// Its name
        name: MachineName,
        /// Whose playbook [default: the one that was run last]
        #[arg(short, long)]
        app: Option<AppName>,
    },
    /// The public key Toehold logs in to machines with, for those who let it in
    Key,
    /// A token for a machine that joins by itself: `toehold agent join`
    Token {
        /// The machine's name
        name: MachineName,
    },
}

#[derive(Clone, Debug, ClapArgs)]
pub struct AddMachine {
    /// What it is to be called
    pub name: MachineName,
    /// Who logs in, and where: `root@10.0.0.5` [default user: root]
    pub host: String,
    /// The port of its SSH server
    #[arg(short, long, default_value_t = 22)]
    pub port: u16,
    /// The host key it must show: `ssh-ed25519 AAAA…`
    #[arg(long, value_name = "KEY")]
    pub host_key: Option<String>,
    /// The fingerprint of the host key it must show: `SHA256:…`
    #[arg(long, conflicts_with = "host_key")]
    pub fingerprint: Option<String>,
    /// Where the proxy reaches it, where that is not where SSH does
    #[arg(long, value_name = "IP")]
    pub address: Option<IpAddr>,
}
