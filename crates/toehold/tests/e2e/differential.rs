//! One corpus of clean and hostile messages goes through Toehold, nginx and `HAProxy` to an origin
//! that records. What either of the two refuses, or reads in another way, Toehold must not forward.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::stage::{free_port, until};

/// So long nothing must come any more before a message counts as done with; what seems to differ is
/// looked at again with the second, since somebody may only have been slow.
const QUIET: [Duration; 2] = [Duration::from_millis(150), Duration::from_secs(2)];

/// The longest a message may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request as the origin got it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    line: String,
    host: String,
    /// `None` where it never came to its end.
    body: Option<Vec<u8>>,
}

/// Records what comes, and answers each request with `ok`.
#[derive(Clone)]
struct Origin {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Origin {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let origin = Self { port, seen: Arc::default() };
        let inside = origin.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let origin = inside.clone();
                std::thread::spawn(move || origin.serve(stream));
            }
        });
        origin
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut wire = Wire { stream: stream.try_clone().expect("a handle"), held: Vec::new() };
        while let Some(head) = wire.until(b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&head).into_owned();
            let field = |name: &str| {
                let mut all = head.lines().filter_map(|line| line.split_once(':'));
                let found = all.find(|(it, _)| it.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.trim().to_owned())
            };
            let body = match (field("transfer-encoding"), field("content-length")) {
                (Some(_), Some(_)) => panic!("a proxy forwards two lengths: {head}"),
                (Some(_), None) => wire.chunks(),
                (None, length) => wire.take(length.map_or(0, |it| it.parse().expect("a length"))),
            };
            let line = asked(head.lines().next().unwrap_or_default());
            let is_whole = body.is_some();
            let host = field("host").unwrap_or_default();
            self.seen().push(Seen { line, host, body });
            let answer: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            // An answer to HEAD has no body, whatever its length says.
            let answer =
                if head.starts_with("HEAD ") { &answer[..answer.len() - 2] } else { answer };
            if !is_whole || stream.write_all(answer).is_err() {
                return;
            }
        }
    }

    /// What was seen, once nothing more has come for so long: what was cut off is noticed late.
    fn wait_for_silence(&self, quiet: Duration) -> Vec<Seen> {
        let mut before = self.seen().clone();
        loop {
            std::thread::sleep(quiet);
            let now = self.seen().clone();
            if now == before {
                return now;
            }
            before = now;
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Method and path of a request line. The version is a matter of one connection, and `HAProxy` passes a
/// target with a host in it on as it came.
fn asked(line: &str) -> String {
    let (asked, _version) = line.rsplit_once(' ').unwrap_or((line, ""));
    match asked.split_once(" http://") {
        Some((method, target)) => {
            let path = target.find('/').map_or("/", |at| &target[at..]);
            format!("{method} {path}")
        }
        None => asked.to_owned(),
    }
}

/// What comes from a proxy, read as it says: a proxy that cannot be believed is not compared.
struct Wire {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Wire {
    fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(read @ 1..) => {
                self.held.extend_from_slice(&piece[..read]);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.held.windows(end.len()).position(|it| it == end) {
                return Some(self.held.drain(..at + end.len()).collect());
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        while self.held.len() < bytes {
            if !self.more() {
                return None;
            }
        }
        Some(self.held.drain(..bytes).collect())
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = String::from_utf8(self.until(b"\r\n")?).expect("a size");
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).expect("a size");
            if size == 0 {
                while self.until(b"\r\n")?.len() > 2 {}
                return Some(body);
            }
            body.extend(self.take(size)?);
            self.take(2)?;
        }
    }
}

/// A proxy in front of an origin of its own.
struct Proxy {
    process: Child,
    port: u16,
    origin: Origin,
}

impl Proxy {
    fn start(mut command: Command, port: u16, origin: Origin) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program} is not here (script/test brings it): {error}")
            });
        until("the proxy listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { process, port, origin }
    }

    fn toehold(folder: &Path) -> Self {
        let (port, origin) = (free_port(), Origin::new());
        let file = folder.join("backends");
        std::fs::write(&file, format!("127.0.0.1:{}\n", origin.port)).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_toehold"));
        command.args(["proxy", "--cpus", "1", "--listen"]).arg(format!("127.0.0.1:{port}"));
        command.arg("--backends").arg(file);
        Self::start(command, port, origin)
    }

    fn nginx(folder: &Path) -> Self {
        let (port, origin) = (free_port(), Origin::new());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|it| format!("{it}_temp_path {}/{it};", folder.display()))
            .concat();
        let user = if rustix::process::geteuid().is_root() { "user root root;" } else { "" };
        let text = format!(
            "{user} daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n\
             events {{ worker_connections 100; }}\n\
             http {{ access_log off; {temporary}\n\
             server {{ listen 127.0.0.1:{port}; location / {{\n\
             proxy_pass http://127.0.0.1:{}; proxy_http_version 1.1;\n\
             proxy_set_header Host $http_host; proxy_set_header Connection \"\"; }} }} }}\n",
            origin.port,
            folder = folder.display(),
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, text).expect("written");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder).arg("-c").arg(file);
        Self::start(command, port, origin)
    }

    fn haproxy(folder: &Path) -> Self {
        let (port, origin) = (free_port(), Origin::new());
        let text = format!(
            "defaults\n mode http\n timeout connect 1s\n timeout client 10s\n timeout server 10s\n\
             frontend in\n bind 127.0.0.1:{port}\n default_backend origin\n\
             backend origin\n server one 127.0.0.1:{}\n",
            origin.port
        );
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, text).expect("written");
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(file);
        Self::start(command, port, origin)
    }

    /// What the origin sees of a message.
    fn forwards(&self, message: &[u8], quiet: Duration) -> Vec<Seen> {
        self.origin.seen().clear();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        // It may be refused before it is sent whole.
        let _ = stream.write_all(message);
        stream.set_read_timeout(Some(quiet)).expect("a timeout");
        let (began, mut space) = (Instant::now(), [0; 4096]);
        while began.elapsed() < PATIENCE {
            match stream.read(&mut space) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => break,
            }
        }
        drop(stream);
        self.origin.wait_for_silence(quiet / 2)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Every message of the corpus, by its name.
fn corpus() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../http/corpus");
    let files = std::fs::read_dir(folder).expect("the corpus is there");
    let paths = files.map(|it| it.expect("a file").path());
    let messages = paths.filter(|it| it.extension().is_some_and(|it| it == "http")).map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("it can be read"))
    });
    messages.collect()
}

#[test]
fn nothing_is_forwarded_that_nginx_or_haproxy_refuses_or_reads_in_another_way() {
    let corpus = corpus();
    assert!(corpus.len() > 100, "{}", corpus.len());
    let folders = [(); 3].map(|()| TempDir::new().expect("a folder"));
    let [ours, nginx, haproxy] = [Proxy::toehold, Proxy::nginx, Proxy::haproxy];
    let started = [ours, nginx, haproxy].into_iter().zip(&folders).map(|(it, at)| it(at.path()));
    let proxies: Vec<Proxy> = started.collect();
    let mut findings = BTreeMap::new();
    let mut names: Vec<&str> = corpus.keys().map(String::as_str).collect();
    for quiet in QUIET {
        let forwarded = all_forward(&proxies, &corpus, &names, quiet);
        findings =
            names.into_iter().filter_map(|it| Some((it, finding(it, &forwarded)?))).collect();
        names = findings.keys().copied().collect();
    }
    let said: Vec<&str> = findings.values().map(String::as_str).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

/// What each proxy forwards of each of these messages; all three at the same time.
fn all_forward<'a>(
    proxies: &[Proxy],
    corpus: &BTreeMap<String, Vec<u8>>,
    names: &[&'a str],
    quiet: Duration,
) -> Vec<BTreeMap<&'a str, Vec<Seen>>> {
    std::thread::scope(|scope| {
        let all = proxies.iter().map(|proxy| {
            scope.spawn(move || {
                names.iter().map(|name| (*name, proxy.forwards(&corpus[*name], quiet))).collect()
            })
        });
        let all: Vec<_> = all.collect();
        all.into_iter().map(|it| it.join().expect("it went through")).collect()
    })
}

/// What is wrong with what we forward of a message.
fn finding(name: &str, forwarded: &[BTreeMap<&str, Vec<Seen>>]) -> Option<String> {
    let [ours, nginx, haproxy] = [0, 1, 2].map(|it| &forwarded[it][name]);
    let is_safe = nginx.starts_with(ours) && haproxy.starts_with(ours);
    // What is clean gets through, and all of it.
    let is_clean = name.starts_with("clean-");
    let is_lost = ours.is_empty() || ours.len() < nginx.len() || ours.len() < haproxy.len();
    (!is_safe || (is_clean && is_lost))
        .then(|| format!("{name}\n  ours    {ours:?}\n  nginx   {nginx:?}\n  haproxy {haproxy:?}"))
}
