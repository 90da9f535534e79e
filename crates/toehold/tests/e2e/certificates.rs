//! Visitors by TLS, with a certificate of a real CA that speaks ACME (Pebble), and with one of a folder.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rcgen::{CertificateParams, CertifiedKey, KeyPair, generate_simple_self_signed};
use tempfile::TempDir;

use crate::stage::{Stage, free_port, get, said, until};

/// The CA, with a DNS of its own in which every name leads here. It ends with this.
struct Ca {
    processes: Vec<Child>,
    folder: TempDir,
    /// Where its directory is, and where it is managed.
    ports: (u16, u16),
}

impl Ca {
    /// One that does not run yet.
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let params = CertificateParams::new(names).expect("these are names");
        let own = params.self_signed(&key).expect("it is signed");
        std::fs::write(folder.path().join("own.pem"), own.pem()).expect("it is written");
        std::fs::write(folder.path().join("own.key"), key.serialize_pem()).expect("it is written");
        Self { processes: Vec::new(), folder, ports: (free_port(), free_port()) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self, tls: u16) -> String {
        format!(
            "listen_tls = \"127.0.0.1:{tls}\"\n[acme]\nagree_to_terms = true\n\
             directory = \"https://127.0.0.1:{}/dir\"\nca_file = \"{}\"\n",
            self.ports.0,
            self.file("own.pem").display()
        )
    }

    /// It finds every name at these ports.
    fn run(&mut self, http: u16, tls: u16) {
        let (dns, control) = (free_port(), free_port());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", self.ports.0),
            "managementListenAddress": format!("127.0.0.1:{}", self.ports.1),
            "certificate": self.file("own.pem"), "privateKey": self.file("own.key"),
            "httpPort": http, "tlsPort": tls, "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        std::fs::write(self.file("config.json"), config.to_string()).expect("it is written");
        let mut names = Command::new("pebble-challtestsrv");
        names
            .args(["-dns01", &format!("127.0.0.1:{dns}"), "-defaultIPv6", ""])
            .args(["-management", &format!("127.0.0.1:{control}")])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
        let mut ca = Command::new("pebble");
        ca.arg("-config")
            .arg(self.file("config.json"))
            .args(["-dnsserver", &format!("127.0.0.1:{dns}")])
            .env("PEBBLE_VA_NOSLEEP", "1");
        for command in [&mut names, &mut ca] {
            let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
            self.processes.push(quiet.spawn().expect("see see_to_pebble in script/lib"));
        }
        until("the CA answers", || self.root().status.success().then_some(()));
        std::fs::write(self.file("root.pem"), self.root().stdout).expect("it is written");
    }

    fn root(&self) -> Output {
        let at = format!("https://localhost:{}/roots/0", self.ports.1);
        curl(&self.file("own.pem"), &[&at])
    }

    fn end(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        self.processes.clear();
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        self.end();
    }
}

/// curl, which trusts this file alone.
fn curl(trusted: &Path, arguments: &[&str]) -> Output {
    Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10", "--cacert"])
        .arg(trusted)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("curl runs")
}

/// What a visitor by TLS hears, and how it was spoken.
fn heard(trusted: &Path, host: &str, port: u16, more: &[&str]) -> Result<String, String> {
    let resolve = format!("{host}:{port}:127.0.0.1");
    let at = format!("https://{host}:{port}/");
    let mut all = vec!["--resolve", &resolve, "--write-out", " by %{http_version}", &at];
    all.extend_from_slice(more);
    let output = curl(trusted, &all);
    if output.status.success() { Ok(said(&output)) } else { Err(said(&output)) }
}

#[test]
fn a_host_gets_a_certificate_and_keeps_it_without_ca_and_control_plane() {
    let (mut ca, tls) = (Ca::new(), free_port());
    let mut stage = Stage::with_settings(&ca.settings(tls));
    ca.run(stage.port, tls);
    let app = stage.app("shop");
    app.set("drain = \"2s\"", "drain = \"2s\"\nhosts = [\"shop.example.com\"]");
    app.commit("be found");
    app.push("main");
    app.until_heard("v1");
    let root = ca.file("root.pem");
    let by_tls = |more: &[&str]| heard(&root, "shop.example.com", tls, more);
    until("the certificate is there", || by_tls(&[]).ok());
    for (how, said) in [("--http2", "v1\n by 2"), ("--http1.1", "v1\n by 1.1")] {
        assert_eq!(by_tls(&[how]).expect("it is met"), said);
    }
    assert_eq!(get(stage.port, "shop.example.com", "/").0, 308, "who comes without is sent to it");
    assert_eq!(app.visit().0, 200, "a name that no CA knows is served as it is");
    by_tls(&["--tlsv1.2", "--tls-max", "1.2"]).expect("TLS 1.2 is spoken");
    heard(&root, "other.example.com", tls, &[]).expect_err("there is none for this name");

    // The CA is gone, and so is the proxy that had it: the next one has it from its own folder, or is
    // told.
    ca.end();
    stage.restart(|| ());
    until("it is shown again", || by_tls(&[]).ok());
    let keys = ["proxy/certificates.json", "keys/tls"].map(|name| stage.state().join(name));
    for path in &keys {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is open to others", path.display());
    }
}

#[test]
fn a_proxy_alone_speaks_tls_and_follows_its_certificate() {
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let renew = || {
        let names = vec!["bench.example.com".to_owned()];
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(names).expect("it is made");
        std::fs::write(file("key.pem"), signing_key.serialize_pem()).expect("it is written");
        std::fs::write(file("cert.pem"), cert.pem()).expect("it is written");
    };
    renew();
    let origin = Stage::new();
    let (port, backends) = (free_port(), file("backends"));
    std::fs::write(&backends, format!("127.0.0.1:{}\n", origin.port)).expect("it is written");
    let mut proxy = Command::new(env!("CARGO_BIN_EXE_toehold"))
        .args(["proxy", "--listen", &format!("127.0.0.1:{port}"), "--backends"])
        .arg(&backends)
        .arg("--tls")
        .arg(folder.path())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let met = || heard(&file("cert.pem"), "bench.example.com", port, &[]);
    until("it speaks TLS", || met().ok());
    renew();
    until("the new one is shown", || met().ok());
    // What is no certificate changes nothing.
    let good = file("good.pem");
    std::fs::copy(file("cert.pem"), &good).expect("it is copied");
    std::fs::write(file("cert.pem"), "nonsense").expect("it is written");
    for _ in 0..20 {
        heard(&good, "bench.example.com", port, &[]).expect("the one of before is shown");
    }
    let _ = proxy.kill();
    let _ = proxy.wait();
}
