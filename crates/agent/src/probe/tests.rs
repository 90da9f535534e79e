use std::fs;

use toehold_host::process::run_id;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::scene::until;

/// Answers one connection with `answer` and closes it.
async fn server(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let addr = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accepted");
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer).await;
    });
    addr
}

async fn ask(kind: HealthKind, addr: SocketAddr) -> Evidence {
    let env = vec![("PATH".into(), "/usr/bin:/bin".into()), ("PORT".into(), "7".into())];
    let timeout = Duration::from_millis(500);
    probe(&Ask { kind, addr, timeout, dir: "/".into(), env }).await
}

fn http(path: &str) -> HealthKind {
    HealthKind::Http { path: path.to_owned() }
}

fn nobody() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.local_addr().expect("bound")
}

#[tokio::test]
async fn an_answer_of_2xx_passes_with_its_first_bytes() {
    let addr = server(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let seen = ask(http("/up"), addr).await;
    assert!(seen.passed);
    assert_eq!((seen.asked, seen.answer), (format!("GET /up on {addr}"), "204".to_owned()));
    let addr = server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nup\x1b[31m\n!").await;
    assert_eq!(ask(http("/"), addr).await.body, "up [31m !");
    let addr = server(b"HTTP/1.1 200 OK\r\n\r\nuntil the end").await;
    assert_eq!(ask(http("/"), addr).await.body, "until the end");
}

#[tokio::test]
async fn what_does_not_pass_says_why() {
    for (answer, said) in [
        (&b"HTTP/1.1 301 Moved\r\nlocation: https://shop/\r\n\r\n"[..], "301 to https://shop/"),
        (b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno", "503"),
        (b"", "closed without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
    ] {
        let seen = ask(http("/"), server(answer).await).await;
        assert!(!seen.passed);
        assert_eq!(seen.answer, said);
    }
    assert_eq!(ask(http("/"), nobody()).await.answer, "refused");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let seen = ask(http("/"), silent.local_addr().expect("bound")).await;
    assert_eq!(seen.answer, "no answer within 500ms");
}

#[tokio::test]
async fn a_connection_is_enough_where_that_is_asked() {
    assert!(ask(HealthKind::Tcp, server(b"").await).await.passed);
    assert_eq!(ask(HealthKind::Tcp, nobody()).await.answer, "refused");
}

#[tokio::test]
async fn a_command_has_the_environment_and_ends_in_time() {
    let command = |run: &str| HealthKind::Command { run: run.to_owned() };
    let seen = ask(command("echo port $PORT"), nobody()).await;
    assert!(seen.passed);
    assert_eq!((seen.answer.as_str(), seen.body.as_str()), ("exit code 0", "port 7"));
    let seen = ask(command("yes | head -c 1000000; exit 3"), nobody()).await;
    assert_eq!((seen.answer.as_str(), seen.passed), ("exit code 3", false));
    assert_eq!(seen.body.len(), 239);
    let seen = ask(command("trap '' TERM; sleep 600 & sleep 600"), nobody()).await;
    assert_eq!((seen.answer.as_str(), seen.passed), ("not done within 500ms", false));
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_ends_and_the_next_one_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let run = "sleep 600 & echo $! > new; mv new child; wait";
    let mut ask = Ask {
        kind: HealthKind::Command { run: run.to_owned() },
        addr: nobody(),
        timeout: Duration::from_mins(1),
        dir: folder.path().to_owned(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
    };
    tokio::select! {
        seen = probe(&ask) => panic!("it hangs, and said {seen:?}"),
        () = until("it has begun", || file("child").exists()) => {}
    }
    let child = fs::read_to_string(file("child")).expect("it was begun");
    let child = child.trim().parse().expect("an id");
    ask.kind = HealthKind::Command { run: "until test -e go; do sleep 0.01; done".to_owned() };
    let next = async {
        until("the first has ended", || run_id(child).is_none()).await;
        fs::write(file("go"), "").expect("written");
    };
    let (seen, ()) = tokio::join!(probe(&ask), next);
    assert!(seen.passed, "{seen:?}");
}
