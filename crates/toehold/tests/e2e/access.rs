//! The access log, as whoever reads it finds it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::alone::{command, origin};
use crate::stage::{Stage, free_port, get, request, until};

/// A proxy that ends with this.
struct Logged(Child);

impl Logged {
    fn start(port: u16, folder: &Path, more: &[&str], stdout: Stdio) -> Self {
        let backends = folder.join("backends");
        std::fs::write(&backends, format!("127.0.0.1:{}\n", origin("hello"))).expect("written");
        let mut command = command(&backends, port);
        let child = command.args(more).stdout(stdout).stderr(Stdio::null()).spawn();
        let logged = Self(child.expect("it starts"));
        until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        logged
    }

    /// By SIGTERM: what waits is written.
    fn ends(&mut self) {
        let status = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
        self.0.wait().expect("it ends");
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn each_request_has_a_line_and_no_visitor_can_forge_one() {
    let (folder, port) = (TempDir::new().expect("a folder"), free_port());
    let log = folder.path().join("access.log");
    let path = log.display().to_string();
    let mut proxy = Logged::start(port, folder.path(), &["--access-log", &path], Stdio::null());
    let hostile = "x\" 200 1 \"\\\t{\"status\":500}";
    let asked = format!(
        "POST /a?b=%0a&c=d HTTP/1.1\r\nHost: shop\r\nUser-Agent: {hostile}\r\nReferer: http://x/\r\n\
         X-Request-Id: my-id\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    );
    assert_eq!(request(port, &asked).expect("an answer").0, 200);
    assert_eq!(request(port, "GET / HTTP/1.1\r\n folded\r\n\r\n").expect("an answer").0, 400);
    assert_eq!(get(port, "shop", "/last").0, 200);
    let found = until("three lines", || Some(text(&log)).filter(|it| it.lines().count() >= 3));
    let lines_found = lines(&found);
    let line = &lines_found[0];
    for (name, value) in [
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("path", "/a?b=%0a&c=d"),
        ("protocol", "HTTP/1.1"),
        ("user_agent", hostile),
        ("referrer", "http://x/"),
        ("request_id", "my-id"),
        ("track", "stable"),
    ] {
        assert_eq!(line[name], value, "{name} of {line}");
    }
    assert_eq!(
        (&line["status"], &line["bytes"], &line["retries"]),
        (&200.into(), &5.into(), &0.into())
    );
    assert!(line["duration_ms"].as_f64().is_some_and(|it| it > 0.0) && line["whole"] == true);
    assert!(line["app"].is_string() && line["instance"].is_string() && line["release"].is_u64());
    assert_eq!((&lines_found[1]["status"], &lines_found[1]["path"]), (&400.into(), &"-".into()));
    // Whoever turns logs over moves the file away, and may say so.
    std::fs::rename(&log, folder.path().join("access.log.1")).expect("it is moved");
    let status = Command::new("kill").args(["-USR1", &proxy.0.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
    until("a new file", || {
        assert_eq!(get(port, "shop", "/more").0, 200);
        log.exists().then_some(())
    });
    assert_eq!(get(port, "shop", "/at-the-end").0, 200);
    proxy.ends();
    let more = lines(&text(&log));
    assert_eq!(more.last().expect("there are lines")["path"], "/at-the-end");
    assert_eq!(lines(&text(&folder.path().join("access.log.1")))[2]["path"], "/last");
}

#[test]
fn the_combined_format_goes_where_it_is_wished_also_to_stdout() {
    let (folder, port) = (TempDir::new().expect("a folder"), free_port());
    let log = folder.path().join("out");
    let out = std::fs::File::create(&log).expect("a file");
    let more = ["--access-log", "-", "--access-log-format", "combined"];
    let mut proxy = Logged::start(port, folder.path(), &more, out.into());
    assert_eq!(get(port, "shop", "/a?b").0, 200);
    proxy.ends();
    let text = text(&log);
    assert!(text.starts_with("127.0.0.1 - - [") && text.lines().count() == 1, "{text}");
    assert!(text.ends_with(" +0000] \"GET /a?b HTTP/1.1\" 200 5 \"-\" \"-\"\n"), "{text}");
}

#[test]
fn a_site_has_one_where_its_settings_say_so() {
    let stage = Stage::with_settings("[proxy]\naccess_log = \"access.log\"\n");
    assert_eq!(get(stage.port, "nobody.example.com", "/x").0, 404);
    let log = stage.state().join("access.log");
    let found = until("a line", || Some(text(&log)).filter(|it| !it.is_empty()));
    assert_eq!(
        (&lines(&found)[0]["status"], &lines(&found)[0]["path"]),
        (&404.into(), &"/x".into())
    );
}
