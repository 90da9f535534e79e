//! Real Redis servers on loopback ports.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::time::Instant;

use crate::ask::PATIENCE;

/// A server; it ends with this, as by `kill -9`.
pub(crate) struct Redis {
    process: Child,
    pub(crate) port: u16,
    more: Vec<String>,
    _folder: TempDir,
}

impl Redis {
    /// An empty one.
    pub(crate) fn start(port: u16, arguments: &[&str]) -> Self {
        Self::run("redis-server", port, arguments, &[])
    }

    /// One that is asked with more arguments of `redis-cli`.
    pub(crate) fn start_with(port: u16, arguments: &[&str], more: &[&str]) -> Self {
        Self::run("redis-server", port, arguments, more)
    }

    fn run(program: &str, port: u16, arguments: &[&str], more: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let process = Command::new(program)
            .args(arguments)
            .args(["--dir", &folder.path().display().to_string()])
            .args(["--save", "", "--bind", "127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is there: Debian has it in redis-tools, see script/setup");
        let more = more.iter().map(ToString::to_string).collect();
        Self { process, port, more, _folder: folder }
    }

    /// A sentinel that watches `primary` under the name `main`.
    pub(crate) fn sentinel(port: u16, primary: u16) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let file = folder.path().join("sentinel.conf");
        let config = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
            folder.path().display()
        );
        fs::write(&file, config).expect("it is written");
        let process = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is there");
        Self { process, port, more: Vec::new(), _folder: folder }
    }

    /// What it answers; nothing where it does not.
    pub(crate) fn ask(&self, words: &[&str]) -> Option<String> {
        let told = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(&self.more)
            .args(words)
            .output()
            .expect("redis-cli is there");
        let text = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        let refused = text.contains("refused") || text.starts_with("LOADING");
        (told.status.success() && !refused).then_some(text)
    }

    /// Waits until it answers so.
    pub(crate) async fn says(&self, words: &[&str], wanted: &str) {
        let what = format!("{words:?} is {wanted:?}");
        until(&what, async || self.ask(words).filter(|said| said == wanted)).await;
    }

    pub(crate) async fn ready(self) -> Self {
        self.says(&["PING"], "PONG").await;
        self
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Three nodes that are a cluster.
pub(crate) async fn cluster() -> Vec<Redis> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let port = cluster_port();
        let text = port.to_string();
        let arguments =
            ["--port", text.as_str(), "--cluster-enabled", "yes", "--cluster-node-timeout", "1500"];
        nodes.push(Redis::start_with(port, &arguments, &["-c"]).ready().await);
    }
    let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
    let made = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(addresses)
        .arg("--cluster-yes")
        .output()
        .expect("redis-cli is there");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    for node in &nodes {
        let ok =
            async || node.ask(&["CLUSTER", "INFO"]).filter(|it| it.contains("cluster_state:ok"));
        until("the cluster is one", ok).await;
    }
    nodes
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// The nodes of a cluster speak to each other on a port that is ten thousand higher.
fn cluster_port() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut ports = std::iter::repeat_with(free_port).take(1_000);
    let found = ports.find_map(|port| {
        let low = if port > 55_000 { port - 10_000 } else { port };
        (free(low) && free(low + 10_000)).then_some(low)
    });
    found.expect("two ports are free")
}

/// What `look` sees once it sees something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// A certificate for 127.0.0.1 and its key, in a folder.
pub(crate) fn certificate(folder: &Path, name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]);
    let made = made.expect("a certificate can be made");
    let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
    let (certificate, key) = (folder.join(certificate), folder.join(key));
    fs::write(&certificate, made.cert.pem()).expect("it is written");
    fs::write(&key, made.signing_key.serialize_pem()).expect("it is written");
    (certificate.display().to_string(), key.display().to_string())
}
