//! A Toehold of its own for each test, and apps to put behind it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program under test.
const TOEHOLD: &str = env!("CARGO_BIN_EXE_toehold");

/// A Toehold that runs.
pub struct Stage {
    root: TempDir,
    /// Where visitors come in.
    pub port: u16,
    /// Where the API is.
    pub api: u16,
    up: Child,
}

impl Stage {
    /// Starts one and waits until it answers.
    pub fn new() -> Self {
        Self::with_settings("")
    }

    /// Starts one with more in its `server.toml`.
    pub fn with_settings(more: &str) -> Self {
        Self::begin(Path::new(TOEHOLD), more, &[])
    }

    /// Starts one that is this copy of the program.
    pub fn of_copy(program: &Path, more: &str) -> Self {
        std::fs::copy(TOEHOLD, program).expect("it can be copied");
        Self::begin(program, more, &[])
    }

    /// Puts another copy of the program where this one is: by a rename, as whoever installs one does.
    pub fn replace(program: &Path) {
        let new = program.with_extension("new");
        std::fs::copy(TOEHOLD, &new).expect("it can be copied");
        std::fs::rename(new, program).expect("it can be replaced");
    }

    /// Starts one that finds programs in this folder first.
    pub fn with_programs(folder: &Path) -> Self {
        let path = std::env::var("PATH").expect("there is a PATH");
        Self::begin(Path::new(TOEHOLD), "", &[("PATH", format!("{}:{path}", folder.display()))])
    }

    /// Starts one with more in its `server.toml`, and more in its environment.
    pub fn with_environment(more: &str, environment: &[(&str, String)]) -> Self {
        Self::begin(Path::new(TOEHOLD), more, environment)
    }

    fn begin(program: &Path, more: &str, environment: &[(&str, String)]) -> Self {
        let root = TempDir::new().expect("a folder for the test");
        let (port, api) = (free_port(), free_port());
        let state = root.path().join("state");
        std::fs::create_dir_all(&state).expect("the state folder");
        let settings = format!("listen = \"127.0.0.1:{port}\"\napi = \"127.0.0.1:{api}\"\n{more}");
        std::fs::write(state.join("server.toml"), settings).expect("the settings");
        let up = start(program, &state, environment);
        let stage = Self { root, port, api, up };
        until("Toehold is up", || stage.ask(&["status"]).status.success().then_some(()));
        stage
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// Runs `toehold` against it, which must do it; gives what it printed.
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "toehold {arguments:?}: {}", said(&output));
        said(&output)
    }

    /// Runs `toehold --json` against it.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend_from_slice(arguments);
        serde_json::from_str(&self.done(&all)).expect("it prints JSON")
    }

    /// The process of `toehold up`.
    pub fn pid(&self) -> u32 {
        self.up.id()
    }

    /// Ends `toehold up` by SIGTERM, and starts it again.
    pub fn restart(&mut self, between: impl FnOnce()) {
        let status = Command::new("kill").args(["-TERM", &self.up.id().to_string()]).status();
        assert!(status.expect("kill runs").success(), "it had ended");
        until("it has ended", || self.up.try_wait().ok().flatten());
        between();
        self.up = start(Path::new(TOEHOLD), &self.state(), &[]);
        until("Toehold is up", || self.ask(&["status"]).status.success().then_some(()));
    }

    /// Runs `toehold` against it.
    pub fn ask(&self, arguments: &[&str]) -> Output {
        self.ask_in(self.root.path(), arguments)
    }

    /// Runs `toehold` against it, in a folder.
    pub fn ask_in(&self, folder: &Path, arguments: &[&str]) -> Output {
        Command::new(TOEHOLD)
            .current_dir(folder)
            .arg("--dir")
            .arg(self.state())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the program runs")
    }

    /// A repository with a small app in it, made known to Toehold.
    pub fn app(&self, name: &str) -> App<'_> {
        let app = self.bare(name);
        app.write("main.js", MAIN);
        app.write("words.js", "module.exports = 'v1';\n");
        app.write("test.js", TEST);
        app.write("toehold.toml", CONFIG);
        app.commit("begin");
        app
    }

    /// An empty repository, made known to Toehold.
    pub fn bare(&self, name: &str) -> App<'_> {
        let repository = self.root.path().join(name);
        std::fs::create_dir_all(&repository).expect("the repository");
        let app = App { stage: self, name: name.to_owned(), repository };
        app.git(&["init", "--quiet", "--initial-branch", "main"]);
        app.git(&["config", "user.name", "Ada"]);
        app.git(&["config", "user.email", "ada@example.com"]);
        let init = app.toehold(&["init", name]);
        assert!(init.status.success(), "init: {}", said(&init));
        app
    }
}

impl Drop for Stage {
    /// ^C: everything ends, the apps too.
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.up.id().to_string()]).status();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if matches!(self.up.try_wait(), Ok(Some(_))) {
                return;
            }
            wait_a_little();
        }
        let _ = self.up.kill();
        let _ = self.up.wait();
        assert!(std::thread::panicking(), "Toehold did not end");
    }
}

fn start(program: &Path, state: &Path, environment: &[(&str, String)]) -> Child {
    let log = std::fs::File::create(state.join("up.log")).expect("a log");
    Command::new(program)
        .args(["up", "--dir"])
        .arg(state)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("the program starts")
}

/// An app and its team's repository.
pub struct App<'a> {
    stage: &'a Stage,
    /// Its name.
    pub name: String,
    /// Its team's repository.
    pub repository: PathBuf,
}

impl App<'_> {
    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.repository.join(path);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder");
        std::fs::write(path, text).expect("the file");
    }

    /// Changes a file.
    pub fn change(&self, path: &str, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.repository.join(path)).expect("it is there");
        self.write(path, &change(text));
    }

    /// Changes what stands in `toehold.toml`.
    pub fn set(&self, from: &str, to: &str) {
        self.change("toehold.toml", |config| {
            assert!(config.contains(from), "{from:?} does not stand in toehold.toml");
            config.replace(from, to)
        });
    }

    /// Adds to a file.
    pub fn add(&self, path: &str, more: &str) {
        self.change(path, |text| text + more);
    }

    /// Says other words on the front page.
    pub fn says(&self, words: &str) -> &Self {
        self.write("words.js", &format!("module.exports = '{words}';\n"));
        self.commit(&format!("say {words}"));
        self
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// Runs git, which must do it.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.try_git(arguments);
        assert!(output.status.success(), "git {arguments:?}: {}", said(&output));
        said(&output)
    }

    /// Runs git.
    pub fn try_git(&self, arguments: &[&str]) -> Output {
        Command::new("git")
            .current_dir(&self.repository)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("git runs")
    }

    /// Pushes what is checked out to a branch at Toehold; gives what the pusher sees.
    pub fn push(&self, branch: &str) -> String {
        self.git(&["push", "--force", "toehold", &format!("HEAD:refs/heads/{branch}")])
    }

    /// Begins a push and lets it go on; it ends with the test at the latest.
    pub fn push_in_background(&self, branch: &str) -> Pusher {
        let child = Command::new("git")
            .current_dir(&self.repository)
            .args(["push", "--force", "toehold", &format!("HEAD:refs/heads/{branch}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("git runs");
        Pusher(child)
    }

    /// Runs `toehold` in the repository.
    pub fn toehold(&self, arguments: &[&str]) -> Output {
        self.stage.ask_in(&self.repository, arguments)
    }

    /// Runs `toehold`, which must do it; gives what it printed.
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.toehold(arguments);
        assert!(output.status.success(), "toehold {arguments:?}: {}", said(&output));
        said(&output)
    }

    /// Runs `toehold --json`.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend_from_slice(arguments);
        let output = self.toehold(&all);
        assert!(output.status.success(), "toehold {arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).expect("it prints JSON")
    }

    /// The app at one glance.
    pub fn status(&self) -> Value {
        self.json(&["status", "--app", &self.name])[0].clone()
    }

    /// The events of a kind, oldest first.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let output = self.toehold(&["--json", "events", "--app", &self.name, "--lines", "1000"]);
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("an event is JSON"))
            .filter(|event| event["kind"] == kind)
            .collect()
    }

    /// Asks the front page.
    pub fn visit(&self) -> (u16, String) {
        get(self.stage.port, &format!("{}.localhost", self.name), "/")
    }

    /// Asks the front page as `toehold rollout look` says that the canary is seen.
    pub fn look(&self) -> String {
        let look = self.json(&["rollout", "look"]);
        let (host, header) = (&self.name, look["header"].as_str().expect("a header"));
        let head = format!(
            "GET / HTTP/1.1\r\nHost: {host}.localhost\r\nConnection: close\r\n{header}\r\n\r\n"
        );
        let (status, body) = request(self.stage.port, &head).expect("it is answered");
        assert_eq!(status, 200, "{body}");
        body.trim().to_owned()
    }

    /// Asks the front page so often; counts what was heard. Every answer must be a 200.
    pub fn visits(&self, times: usize) -> BTreeMap<String, usize> {
        let mut heard = BTreeMap::new();
        for _ in 0..times {
            let (status, body) = self.visit();
            assert_eq!(status, 200, "{body}");
            *heard.entry(body.trim().to_owned()).or_default() += 1;
        }
        heard
    }

    /// Waits until so many instances are healthy.
    pub fn until_healthy(&self, count: usize) {
        until(&format!("{count} are healthy"), || {
            let status = self.status();
            let list = status["instances"].as_array()?;
            let healthy = list.iter().filter(|it| it["status"]["healthy"] == true).count();
            (healthy == count).then_some(())
        });
    }

    /// Waits until the front page says this.
    pub fn until_heard(&self, words: &str) {
        until(&format!("the front page says {words}"), || {
            (self.visit().1.trim() == words).then_some(())
        });
    }
}

/// A push that goes on.
pub struct Pusher(Child);

impl Pusher {
    /// Ends git and all that it started, as a terminal does that is closed.
    pub fn interrupt(mut self) {
        let group = format!("-{}", self.0.id());
        let sent = Command::new("kill").args(["-TERM", "--", &group]).status();
        assert!(sent.expect("kill runs").success(), "the push had ended");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is there.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        wait_a_little();
    }
}

fn wait_a_little() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Runs `toehold` with this on stdin.
pub fn with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(TOEHOLD)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // One that does not read says so by its exit code.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// Both streams of a program that ended.
pub fn said(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// One GET on a connection of its own; status 0 where no answer came.
pub fn get(port: u16, host: &str, path: &str) -> (u16, String) {
    request(port, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
        .unwrap_or_else(|error| (0, error.to_string()))
}

/// One request as it stands.
pub fn request(port: u16, text: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Ok((status, if chunked { dechunked(body) } else { body.to_owned() }))
}

fn dechunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

const MAIN: &str = "'use strict';
const http = require('node:http');
const words = require('./words.js');
const server = http.createServer((request, response) => response.end(words + '\\n'));
server.listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
";

const TEST: &str = "'use strict';
const fs = require('node:fs');
const words = require('./words.js');
const good = words.length > 0 && !words.includes('broken');
const failure = good ? '' : '<failure message=\"Expected words to be whole.\">at Object (test.js:4:1)</failure>';
fs.mkdirSync('reports', { recursive: true });
fs.writeFileSync('reports/junit.xml', `<?xml version=\"1.0\"?>
<testsuites><testsuite name=\"words\"><testcase classname=\"words\" name=\"are whole\">${failure}</testcase></testsuite></testsuites>`);
process.exit(good ? 0 : 1);
";

const CONFIG: &str = "[build]
install = \"true\"
test = \"node test.js\"
lint = \"true\"

[build.reports]
junit = \"reports/*.xml\"

[run]
web = \"node main.js\"

[proxy]
drain = \"2s\"

[scale]
max = 3
";
