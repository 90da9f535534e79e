//! Where things lie under the state folder.

use std::path::{Path, PathBuf};

use toehold_core::model::{AppName, Number};

/// The state folder (`--dir`) and what is in it.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident => $path:literal,)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> PathBuf {
            self.root.join($path)
        })*
    };
}

impl Layout {
    /// The state folder `root`.
    #[must_use]
    pub const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    places! {
        /// What an operator may set: `server.toml`.
        settings => "server.toml",
        /// The store.
        store => "store",
        /// Sockets.
        run => "run",
        /// The API's socket, for whoever owns the folder.
        api_socket => "run/api.sock",
        /// Keys, readable by the owner alone.
        keys => "keys",
        /// The key Toehold logs in to machines with.
        ssh_key => "keys/ssh",
        /// Certificates with their keys, and the accounts with those who give them.
        certificates => "keys/tls",
        /// The host keys machines are made with.
        host_keys => "keys/hosts",
        /// The apps' secrets, readable by the owner alone.
        secrets => "secrets",
        /// The apps' own bare repositories.
        repositories => "git",
        /// Checkouts of builds that run.
        work => "work",
        /// Dependencies, by lock file.
        cache => "cache",
        /// What builds said.
        build_logs => "log/builds",
        /// What machines that failed said when they first started.
        machine_logs => "log/machines",
        /// What the processes of Toehold said.
        logs => "log",
        /// What playbooks said, by app and run.
        playbook_records => "log/playbooks",
        /// Checkouts of playbooks that run.
        playbooks => "playbooks",
        /// Artifacts by digest.
        artifacts => "artifacts",
        /// The agent's own.
        agent => "agent",
        /// The proxy's own.
        proxy => "proxy",
        /// What apps keep, a folder each.
        data => "data",
    }

    /// The folders in it that Toehold makes.
    #[must_use]
    pub fn folders(&self) -> [PathBuf; 13] {
        [
            self.store(),
            self.run(),
            self.keys(),
            self.secrets(),
            self.repositories(),
            self.work(),
            self.cache(),
            self.logs(),
            self.playbooks(),
            self.artifacts(),
            self.agent(),
            self.proxy(),
            self.data(),
        ]
    }

    /// The bare repository of an app.
    #[must_use]
    pub fn repository(&self, app: &AppName) -> PathBuf {
        self.repositories().join(format!("{app}.git"))
    }

    /// What a build said.
    #[must_use]
    pub fn build_log(&self, app: &AppName, number: Number) -> PathBuf {
        self.build_logs().join(app.as_str()).join(format!("{}.log", number.0))
    }

    /// What an app keeps; all its instances share it.
    #[must_use]
    pub fn app_data(&self, app: &AppName) -> PathBuf {
        self.data().join(app.as_str())
    }
}
