//! A push from another machine: over HTTP with a token, and over the system's SSH with a key.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::stage::{App, Stage, request, said, until};

fn token(app: &App<'_>, scope: &str) -> String {
    let made = app.done(&["tokens", "create", &format!("laptop {scope}"), "--scope", scope]);
    let token = made.split_whitespace().find(|word| word.starts_with("th_")).expect("a token");
    token.to_owned()
}

/// Git in the app's repository, as on a machine that asks nobody and has these variables.
fn git(app: &App<'_>, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new("git")
        .current_dir(&app.repository)
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("git runs")
}

#[test]
fn a_push_over_http_is_built_and_shows_what_a_local_push_shows() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let deploy = token(&app, "deploy:hello");
    let base = format!("http://127.0.0.1:{}", stage.api);
    // What `toehold init` leads to at a Toehold elsewhere, for one who may push and no more.
    app.git(&["remote", "remove", "toehold"]);
    let made = Command::new(env!("CARGO_BIN_EXE_toehold"))
        .current_dir(&app.repository)
        .args(["init", "hello"])
        .envs([("TOEHOLD_URL", base.as_str()), ("TOEHOLD_TOKEN", deploy.as_str())])
        .output()
        .expect("the program runs");
    assert!(made.status.success(), "{}", said(&made));
    let remote = app.git(&["remote", "get-url", "toehold"]);
    assert_eq!(remote.trim(), format!("{base}/git/hello.git"));
    let config = std::fs::read_to_string(app.repository.join(".git/config")).expect("it is there");
    assert!(!config.contains(&deploy), "the token is written nowhere: {config}");

    let push = |token: &str| {
        git(&app, &[("TOEHOLD_TOKEN", token)], &["push", "toehold", "HEAD:refs/heads/main"])
    };
    let refused = push("");
    assert!(!refused.status.success(), "nobody pushes without a token");
    let other = push(&token(&app, "deploy:other"));
    assert!(!other.status.success() && said(&other).contains("403"), "{}", said(&other));
    let only_read = token(&app, "read");
    let refused = push(&only_read);
    assert!(said(&refused).contains("deploy:hello"), "{}", said(&refused));
    let pushed = push(&deploy);
    let shown = said(&pushed);
    assert!(
        pushed.status.success() && shown.contains("remote: ") && shown.contains("test"),
        "{shown}"
    );
    app.until_heard("v1");
    let event = app.events("push.received").pop().expect("the push is written down");
    assert_eq!(event["actor"], "laptop deploy:hello");

    // A larger push comes in pieces, without a length.
    let noise: Vec<u8> =
        (0..3_000_000_u32).map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    std::fs::write(app.repository.join("noise"), noise).expect("written");
    app.says("v2");
    let pushed = push(&deploy);
    assert!(pushed.status.success(), "{}", said(&pushed));
    app.until_heard("v2");
    app.says("broken");
    let shown = said(&push(&deploy));
    assert!(shown.contains("Expected words to be whole"), "{shown}");
    assert_eq!(app.events("build.failed").len(), 1);
}

#[test]
fn who_may_look_fetches_what_was_pushed() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    let read = token(&app, "read");
    let address = format!("http://toehold:{read}@127.0.0.1:{}/git/hello.git", stage.api);
    let clone = app.repository.with_file_name("clone");
    app.git(&["clone", "--quiet", &address, clone.to_str().expect("text")]);
    app.git(&["-C", clone.to_str().expect("text"), "config", "user.email", "bob@example.com"]);
    app.git(&["-C", clone.to_str().expect("text"), "config", "user.name", "Bob"]);
    // With so much to compare, git packs its question. Git compares from the youngest on, so these
    // are younger than what both have: made in the same second, a few could be compared at first.
    let later = [("GIT_COMMITTER_DATE", "2099-01-01T00:00:00Z")];
    for nth in 0..60 {
        let words = nth.to_string();
        let here = clone.to_str().expect("text");
        let made =
            git(&app, &later, &["-C", here, "commit", "--quiet", "--allow-empty", "-m", &words]);
        assert!(made.status.success(), "{}", said(&made));
    }
    app.says("v2").push("main");
    let trace = [("GIT_TRACE_CURL", "1")];
    let fetched = git(&app, &trace, &["-C", clone.to_str().expect("text"), "fetch", "origin"]);
    let shown = said(&fetched);
    assert!(fetched.status.success(), "{shown}");
    assert!(shown.to_ascii_lowercase().contains("content-encoding: gzip"), "{shown}");
    let head = app.git(&["rev-parse", "HEAD"]);
    assert_eq!(app.git(&["-C", clone.to_str().expect("text"), "rev-parse", "origin/main"]), head);
}

#[test]
fn what_is_not_git_gets_nothing_over_http() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let token = token(&app, "deploy:hello");
    let ask = |head: &str| {
        let text = format!(
            "{head} HTTP/1.1\r\nHost: toehold\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: 0\r\n\r\n"
        );
        request(stage.api, &text).expect("an answer")
    };
    assert_eq!(ask("GET /git/hello.git/info/refs").0, 403, "the dumb protocol");
    assert_eq!(ask("GET /git/hello.git/info/refs?service=git-upload-archive").0, 403);
    assert_eq!(ask("GET /git/other.git/info/refs?service=git-upload-pack").0, 403);
    for path in ["HEAD", "config", "objects/info/packs", "..%2f..%2fkeys/x"] {
        assert_eq!(ask(&format!("GET /git/hello.git/{path}")).0, 404, "{path}");
    }
    assert_eq!(ask("POST /git/hello.git/git-receive-pack").0, 415);
    // A client that goes away in the middle leaves nothing behind.
    let text = format!(
        "POST /git/hello.git/git-receive-pack HTTP/1.1\r\nHost: toehold\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 1000\r\n\r\n00"
    );
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", stage.api)).expect("it listens");
    std::io::Write::write_all(&mut stream, text.as_bytes()).expect("it is taken");
    let serving = || receiving(&stage);
    until("git waits for the rest", || (serving() > 0).then_some(()));
    drop(stream);
    until("git has ended", || (serving() == 0).then_some(()));
    app.push("main");
    app.until_heard("v1");
}

/// How many processes of git take a push for this Toehold.
fn receiving(stage: &Stage) -> usize {
    let state = stage.state().display().to_string();
    let is = |process: &Path| {
        let has = |file: &str, words: &str| {
            let text = std::fs::read(process.join(file)).unwrap_or_default();
            String::from_utf8_lossy(&text).contains(words)
        };
        has("cmdline", "receive-pack") && has("environ", &state)
    };
    let processes = std::fs::read_dir("/proc").expect("Linux has it").flatten();
    processes.filter(|process| is(&process.path())).count()
}

/// An SSH server of the test's own, with one key that is bound to `toehold git ada`.
struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    server: Child,
}

impl Sshd {
    fn start(stage: &Stage, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for key in ["host", "ada"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(path(key))
                .status();
            assert!(made.expect("ssh-keygen runs: script/setup brings it").success());
        }
        let key = std::fs::read_to_string(path("ada.pub")).expect("it was made");
        let command = format!(
            "{} git ada --dir {}{more}",
            env!("CARGO_BIN_EXE_toehold"),
            stage.state().display()
        );
        std::fs::write(path("keys"), format!("command=\"{command}\",restrict {key}"))
            .expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it has one").port();
        drop(listener);
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {host}\nAuthorizedKeysFile {keys}\n\
             PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n\
             AcceptEnv GIT_PROTOCOL\nPermitRootLogin yes\n",
            host = path("host").display(),
            keys = path("keys").display(),
        );
        std::fs::write(path("config"), config).expect("written");
        if rustix::process::getuid().is_root() {
            std::fs::create_dir_all("/run/sshd").expect("sshd wants it");
        }
        let log = std::fs::File::create(path("log")).expect("a log");
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(path("config"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd starts: script/setup brings it");
        let sshd = Self { folder, port, server };
        until("sshd listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        sshd
    }

    fn ssh(&self) -> String {
        format!(
            "ssh -F none -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
             -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -p {}",
            self.folder.path().join("ada").display(),
            self.port
        )
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn user() -> String {
    let asked = Command::new("id").arg("-un").output().expect("id runs");
    said(&asked).trim().to_owned()
}

#[test]
fn a_push_over_ssh_is_built_however_its_address_is_written() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let sshd = Sshd::start(&stage, "");
    let ssh = sshd.ssh();
    let variables = [("GIT_SSH_COMMAND", ssh.as_str()), ("GIT_PROTOCOL", "version=2")];
    let user = user();
    let short = format!("{user}@127.0.0.1:hello.git");
    let pushed = git(&app, &variables, &["push", &short, "HEAD:refs/heads/main"]);
    let shown = said(&pushed);
    assert!(pushed.status.success() && shown.contains("remote: "), "{shown}");
    app.until_heard("v1");
    assert_eq!(app.events("push.received").pop().expect("it is written down")["actor"], "ada");
    app.says("v2");
    let long = format!("ssh://{user}@127.0.0.1/hello.git");
    let pushed = git(&app, &variables, &["push", &long, "HEAD:refs/heads/main"]);
    assert!(pushed.status.success(), "{}", said(&pushed));
    app.until_heard("v2");
    let fetched = git(&app, &variables, &["fetch", &long, "main"]);
    assert!(fetched.status.success(), "{}", said(&fetched));
    let nothing = git(&app, &variables, &["fetch", &format!("{user}@127.0.0.1:other.git"), "main"]);
    assert!(said(&nothing).contains("there is no app other"), "{}", said(&nothing));
    let mut words = ssh.split(' ').map(str::to_owned).collect::<Vec<_>>();
    words.push(format!("{user}@127.0.0.1"));
    for asked in ["id", "git-receive-pack '/etc'", ""] {
        let output = Command::new(&words[0])
            .args(&words[1..])
            .args(Some(asked).filter(|it| !it.is_empty()))
            .output();
        let output = output.expect("ssh runs");
        assert_eq!(output.status.code(), Some(2), "{asked:?}: {}", said(&output));
    }
}

#[test]
fn a_key_may_be_bound_to_one_app() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let sshd = Sshd::start(&stage, " --app other");
    let ssh = sshd.ssh();
    let address = format!("{}@127.0.0.1:hello.git", user());
    let pushed = git(&app, &[("GIT_SSH_COMMAND", &ssh)], &["push", &address, "HEAD:main"]);
    assert!(said(&pushed).contains("this key is not for hello"), "{}", said(&pushed));
}
