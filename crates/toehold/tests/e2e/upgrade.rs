//! The proxy is replaced by a newer program while visitors come, stay and listen.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use crate::death::{kill, part};
use crate::stage::{App, Stage, free_port, get, said, until};
use crate::visitors::{Listener, Talk, Visitors, head};

/// Whom visitors by TLS ask for.
const HOST: &str = "hello.localhost";

/// A server for all of that; its port.
fn origin() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let is_over = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || serve(BufReader::new(stream), &is_over));
        }
    });
    port
}

fn serve(mut stream: BufReader<TcpStream>, is_over: &AtomicBool) -> std::io::Result<()> {
    stream.get_mut().set_nodelay(true)?;
    loop {
        let head = head(&mut stream)?;
        match head.split(' ').nth(1) {
            Some("/stream") => {
                stream
                    .get_mut()
                    .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                tick_until(stream.get_mut(), is_over)?;
            }
            Some("/talk") => {
                stream.get_mut().write_all(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
                )?;
                let mut line = String::new();
                while stream.read_line(&mut line)? > 0 {
                    stream.get_mut().write_all(line.as_bytes())?;
                    line.clear();
                }
                return Ok(());
            }
            path => {
                is_over.fetch_or(path == Some("/end"), Ordering::Relaxed);
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")?;
            }
        }
    }
}

fn tick_until(stream: &mut TcpStream, is_over: &AtomicBool) -> std::io::Result<()> {
    for count in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let tick = format!("tick {count}\n");
        write!(stream, "{:x}\r\n{tick}\r\n", tick.len())?;
        std::thread::sleep(Duration::from_millis(10));
    }
    stream.write_all(b"0\r\n\r\n")
}

/// Whether a process is no more; one that nobody asks for its end is none either.
fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
}

fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "{pid} had ended");
}

/// A proxy by itself, and those that took over from it.
struct Alone {
    first: Child,
    port: u16,
    program: PathBuf,
    folder: TempDir,
}

impl Alone {
    fn start() -> Self {
        let alone = Self::with(&[]);
        let serves = || (get(alone.port, "hello.localhost", "/").0 == 200).then_some(());
        until("it serves", serves);
        alone
    }

    /// One that speaks TLS, and the folder with its certificate.
    fn by_tls() -> (Self, TempDir) {
        let tls = TempDir::new().expect("a folder");
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([HOST.to_owned()]).expect("it is made");
        std::fs::write(tls.path().join("cert.pem"), cert.pem()).expect("written");
        std::fs::write(tls.path().join("key.pem"), signing_key.serialize_pem()).expect("written");
        (Self::with(&["--tls".as_ref(), tls.path().as_os_str()]), tls)
    }

    fn with(more: &[&OsStr]) -> Self {
        let (folder, port) = (TempDir::new().expect("a folder"), free_port());
        let at = |name: &str| folder.path().join(name);
        let program = at("toehold");
        Stage::replace(&program);
        std::fs::write(at("backends"), format!("127.0.0.1:{}\n", origin())).expect("written");
        let log = std::fs::File::create(at("log")).expect("a log");
        let first = Command::new(&program)
            .args(["--json", "proxy", "--cpus", "2", "--listen", &format!("127.0.0.1:{port}")])
            .arg("--backends")
            .arg(at("backends"))
            .args(more)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let alone = Self { first, port, program, folder };
        until("it listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        alone
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("there is a log")
    }

    /// Which processes served, in order.
    fn served(&self) -> Vec<u32> {
        let later = self.log();
        let later = later.lines().filter(|it| it.contains("serves from now on"));
        let pid = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
            let pid = line["fields"]["pid"].as_u64().expect("it names a process");
            u32::try_from(pid).expect("a process id")
        };
        std::iter::once(self.first.id()).chain(later.map(pid)).collect()
    }

    /// The process that serves now is replaced by what lies there now; the process that serves then.
    fn upgrades(&self) -> u32 {
        let before = self.served();
        signal("-USR2", *before.last().expect("one serves"));
        until("the next one serves", || self.served().get(before.len()).copied())
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        for pid in self.served() {
            if !is_gone(pid) {
                let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            }
        }
        let _ = self.first.wait();
    }
}

#[test]
fn a_proxy_that_is_replaced_twice_loses_no_request_and_breaks_nothing_off() {
    let mut alone = Alone::start();
    let visitors = Visitors::come(alone.port);
    let (mut listener, mut talk) = (Listener::begin(alone.port), Talk::begin(alone.port));
    let mut all = vec![(alone.first.id(), Vec::new())];
    for _ in 0..2 {
        Stage::replace(&alone.program);
        let next = alone.upgrades();
        visitors.until_answered(100);
        all.push((next, vec![Listener::begin(alone.port)]));
        talk.goes_on();
        listener.hears();
    }
    let [(first, _), (second, _), (third, _)] = all.as_slice() else { panic!("there are three") };
    assert!(!is_gone(*first) && !is_gone(*second), "what is under way there goes on");
    assert_eq!(visitors.leave(), Vec::<String>::new(), "{}", alone.log());
    assert_eq!(get(alone.port, "hello.localhost", "/end").0, 200);
    listener.ends();
    talk.goes_on();
    drop(talk);
    let third = *third;
    let (first, second) = (*first, *second);
    for (_, listeners) in all {
        listeners.into_iter().for_each(Listener::ends);
    }
    until("those before have ended", || (is_gone(first) && is_gone(second)).then_some(()));
    let status = alone.first.wait().expect("it ended");
    assert!(status.success(), "{status}");
    assert_eq!(get(alone.port, "hello.localhost", "/"), (200, "hi".to_owned()));
    signal("-TERM", third);
    until("the last one has ended", || is_gone(third).then_some(()));
    assert!(TcpStream::connect(("127.0.0.1", alone.port)).is_err(), "nobody holds the socket");
}

/// curl, by TLS; fifty requests on a connection where `path` says so.
fn by_tls(port: u16, trusted: &Path, protocol: &str, path: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--fail-early", "--no-buffer", protocol])
        .args(["--max-time", "60", "--resolve", &format!("{HOST}:{port}:127.0.0.1"), "--cacert"])
        .arg(trusted.join("cert.pem"))
        .arg(format!("https://{HOST}:{port}{path}"))
        .stdin(Stdio::null());
    curl
}

/// An answer by HTTP/2 that has no end until somebody asks for `/end`.
struct Hearing(Child, BufReader<ChildStdout>);

impl Hearing {
    fn begin(mut curl: Command) -> Self {
        let mut child = curl.stdout(Stdio::piped()).spawn().expect("curl runs");
        let lines = BufReader::new(child.stdout.take().expect("it is read"));
        Self(child, lines)
    }

    /// Hears one more tick, the one with this number.
    fn hears(&mut self, number: usize) {
        let mut line = String::new();
        self.1.read_line(&mut line).expect("it goes on");
        assert_eq!(line, format!("tick {number}\n"), "a tick is missing");
    }

    /// Hears the rest, to its proper end.
    fn ends(mut self) {
        self.1.read_to_end(&mut Vec::new()).expect("it ends");
        assert!(self.0.wait().expect("curl ends").success(), "it broke off");
    }
}

#[test]
fn who_comes_by_tls_notices_nothing_either() {
    let (alone, tls) = Alone::by_tls();
    let (port, trusted) = (alone.port, tls.path().to_owned());
    let mut hearing = Hearing::begin(by_tls(port, &trusted, "--http2", "/stream"));
    hearing.hears(0);
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::<AtomicUsize>::default());
    let visit = |protocol: &'static str| {
        let (done, answered, trusted) = (done.clone(), answered.clone(), trusted.clone());
        std::thread::spawn(move || {
            let mut lost = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let output = by_tls(port, &trusted, protocol, "/?[1-50]").output();
                let output = output.expect("curl runs");
                if !output.status.success() {
                    lost.push(format!("{protocol}: {}", said(&output)));
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            lost
        })
    };
    let visitors = ["--http2", "--http2", "--http1.1"].map(visit);
    let until_answered = |more: usize| {
        let from = answered.load(Ordering::Relaxed);
        until("visitors are answered", || {
            (answered.load(Ordering::Relaxed) >= from + more).then_some(())
        });
    };
    until_answered(3);
    Stage::replace(&alone.program);
    alone.upgrades();
    until_answered(6);
    (1..30).for_each(|number| hearing.hears(number));
    assert!(!is_gone(alone.first.id()), "what is under way there goes on");
    done.store(true, Ordering::Relaxed);
    let lost = visitors.into_iter().flat_map(|it| it.join().expect("no panic"));
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<String>::new(), "{}", alone.log());
    let end = by_tls(port, &trusted, "--http2", "/end").output().expect("curl runs");
    assert!(end.status.success(), "{}", said(&end));
    hearing.ends();
    until("the one before has ended", || is_gone(alone.first.id()).then_some(()));
}

/// Puts something else where the program is.
fn put(program: &Path, text: &str) {
    let new = program.with_extension("new");
    std::fs::write(&new, text).expect("written");
    std::fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).expect("it is ours");
    std::fs::rename(new, program).expect("it is replaced");
}

#[test]
fn a_newer_program_that_is_broken_changes_nothing_and_is_named() {
    let alone = Alone::start();
    let visitors = Visitors::come(alone.port);
    let mut talk = Talk::begin(alone.port);
    for (broken, why) in [
        ("#!/bin/sh\nexit 1\n", "it ended before it served (exit status: 1)"),
        ("echo this is no program\n", "is no program"),
    ] {
        put(&alone.program, broken);
        signal("-USR2", alone.first.id());
        let said = until("it says why", || {
            alone.log().lines().find(|it| it.contains(why)).map(str::to_owned)
        });
        assert!(said.contains("there is no upgrade"), "{said}");
    }
    visitors.until_answered(50);
    talk.goes_on();
    assert_eq!(alone.served(), [alone.first.id()]);
    assert_eq!(visitors.leave(), Vec::<String>::new());
    // One that is whole is taken at once, and one that dies gives back to the one before.
    Stage::replace(&alone.program);
    let next = alone.upgrades();
    kill(next);
    assert_eq!(get(alone.port, "hello.localhost", "/"), (200, "hi".to_owned()));
    talk.goes_on();
    assert!(alone.log().contains("this one serves again"), "{}", alone.log());
}

/// Streams and says back what it hears, as the server above does.
const MAIN: &str = "'use strict';
const http = require('node:http');
let over = false;
const server = http.createServer((request, response) => {
  if (request.url === '/end') over = true;
  if (request.url !== '/stream') return response.end('hi');
  let count = 0;
  const ticks = setInterval(() => {
    if (!over) return response.write(`tick ${count++}\\n`);
    clearInterval(ticks);
    response.end();
  }, 10);
});
server.on('upgrade', (request, socket) => {
  socket.on('error', () => {});
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n');
  socket.pipe(socket);
});
server.listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => process.exit(0));
";

fn streams(stage: &Stage) -> App<'_> {
    let app = stage.app("hello");
    app.write("main.js", MAIN);
    app.commit("stream");
    app.push("main");
    app
}

fn up_says(stage: &Stage, words: &str) {
    until(&format!("Toehold says {words}"), || {
        let said = std::fs::read_to_string(stage.state().join("up.log")).unwrap_or_default();
        said.contains(words).then_some(())
    });
}

#[test]
fn toehold_is_upgraded_as_it_runs_and_no_visitor_notices() {
    let folder = TempDir::new().expect("a folder");
    let program = folder.path().join("toehold");
    let stage = Stage::of_copy(&program, "");
    let app = streams(&stage);
    let pids = || ["proxy", "serve", "agent"].map(|verb| part(&stage, verb));
    let before = until("all run", || pids().into_iter().collect::<Option<Vec<_>>>());
    let visitors = Visitors::come(stage.port);
    let (mut listener, mut talk) = (Listener::begin(stage.port), Talk::begin(stage.port));

    // What is no Toehold changes nothing.
    put(&program, "#!/bin/sh\nexit 1\n");
    signal("-USR2", stage.pid());
    up_says(&stage, "`toehold proxy` goes on as it was");
    assert_eq!(pids().map(Option::unwrap_or_default).to_vec(), before);

    Stage::replace(&program);
    signal("-USR2", stage.pid());
    up_says(&stage, "`toehold agent` is upgraded");
    visitors.until_answered(50);
    assert!(before[1..].iter().all(|pid| is_gone(*pid)), "the newer ones run");
    assert!(!is_gone(before[0]), "what is under way there goes on");
    listener.hears();
    talk.goes_on();
    // Both proxies are heard: what is in flight at the one that drains counts.
    until("both are heard", || {
        let status = app.toehold(&["--json", "status"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).ok()?;
        (status[0]["instances"][0]["in_flight"].as_u64()? >= 2).then_some(())
    });
    assert_eq!(visitors.leave(), Vec::<String>::new());

    // The newer one dies: the one that drains serves again.
    let newer = std::fs::read_to_string(stage.state().join("up.log")).expect("there is a log");
    let newer = newer.split(" takes the visitors").next().and_then(|it| it.rsplit(' ').next());
    kill(newer.and_then(|pid| pid.parse().ok()).expect("it is named"));
    assert_eq!(get(stage.port, "hello.localhost", "/"), (200, "hi".to_owned()));
    up_says(&stage, &format!("process {} serves again", before[0]));
    listener.hears();
    talk.goes_on();
    drop(talk);
    // And is replaced once more; it ends once all is through.
    signal("-USR2", stage.pid());
    until("it drains", || (part(&stage, "proxy")? != 0).then_some(()));
    assert_eq!(get(stage.port, "hello.localhost", "/end").0, 200);
    listener.ends();
    until("the first one has ended", || is_gone(before[0]).then_some(()));
    assert_eq!(get(stage.port, "hello.localhost", "/"), (200, "hi".to_owned()));
}

#[test]
fn a_process_that_is_replaced_goes_on_for_no_longer_than_is_set() {
    let folder = TempDir::new().expect("a folder");
    let program = folder.path().join("toehold");
    let stage = Stage::of_copy(&program, "[proxy]\ndrain = \"1s\"\ntunnel_drain = \"1s\"\n");
    let _app = streams(&stage);
    let before = until("the proxy runs", || part(&stage, "proxy"));
    let (mut listener, mut talk) = (Listener::begin(stage.port), Talk::begin(stage.port));
    listener.hears();
    talk.goes_on();
    Stage::replace(&program);
    signal("-USR2", stage.pid());
    until("the one before has ended", || is_gone(before).then_some(()));
    assert_eq!(get(stage.port, "hello.localhost", "/"), (200, "hi".to_owned()));
}
