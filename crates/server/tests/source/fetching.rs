//! Fetching from another repository.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use toehold_core::model::{BranchName, CommitId};
use toehold_server::secret::Secret;
use toehold_server::source::SourceError;
use toehold_server::source::remote::Remote;
use toehold_server::source::repository::{Login, Repository, Wanted, remote_head};

use crate::stage::{Stage, eventually, git};

const TOKEN: &str = "ghp_verysecret";

fn login() -> Login {
    Login { user: "x-access-token", token: Secret::new(TOKEN) }
}

fn file_remote(path: &Path) -> Remote {
    format!("file://{}", path.display()).parse().expect("it is an address")
}

#[tokio::test]
async fn a_commit_is_fetched_by_its_id_where_the_branch_moved_on() {
    let stage = Stage::new().await;
    stage.write("file", "old");
    let old = stage.commit("one");
    stage.write("file", "new");
    let new = stage.commit("two");
    let remote = file_remote(&stage.work());
    let repository = &stage.repository;
    let fetched = repository.fetch(&remote, &Wanted::Commit(old.clone()), None).await;
    assert_eq!(fetched.expect("it can be fetched"), old);
    let read = repository.read_file(&old, "file", 100, None).await.expect("it is here");
    assert_eq!(read.as_deref(), Some("old"));
    assert!(!repository.has(&new).await.expect("git runs"));

    let main = "main".parse().expect("it is a branch");
    let fetched = repository.fetch(&remote, &Wanted::Branch(main), None).await;
    assert_eq!(fetched.expect("it can be fetched"), new);
    git(repository.path(), &["gc", "--quiet", "--prune=now"]);
    assert!(repository.has(&old).await.expect("git runs") && repository.has(&new).await.is_ok());
    // Nothing that was fetched looks like a push.
    assert_eq!(git(repository.path(), &["for-each-ref", "refs/heads"]), "");
    // What is here needs no remote any more, and is kept like what was fetched.
    let pushed = stage.commit("three");
    stage.push(&["main"]);
    let gone = file_remote(&stage.path().join("gone"));
    let fetched = repository.fetch(&gone, &Wanted::Commit(pushed.clone()), None).await;
    let kept = git(repository.path(), &["for-each-ref", "--format=%(refname)", "refs/toehold"]);
    assert!(fetched.is_ok() && kept.contains(pushed.as_str()), "{kept}");
}

#[tokio::test]
async fn what_the_remote_has_not_is_said() {
    let stage = Stage::new().await;
    stage.commit("one");
    git(&stage.work(), &["branch", "x/refs/heads/other"]);
    let remote = file_remote(&stage.work());
    let other = Wanted::Branch("other".parse().expect("it is a branch"));
    let error = stage.repository.fetch(&remote, &other, None).await.expect_err("it is not there");
    assert!(matches!(error, SourceError::NoBranch { .. }) && !error.is_transient(), "{error}");
    let absent: CommitId = "1".repeat(40).parse().expect("it is a commit");
    let wanted = Wanted::Commit(absent);
    let error = stage.repository.fetch(&remote, &wanted, None).await.expect_err("it is not there");
    assert!(matches!(error, SourceError::NotThere { .. }) && !error.is_transient(), "{error}");
    let nowhere = file_remote(&stage.path().join("nowhere"));
    let error = stage.repository.fetch(&nowhere, &wanted, None).await.expect_err("nobody there");
    assert!(error.to_string().contains("does not appear to be a git repository"), "{error}");
}

#[tokio::test]
async fn a_remote_that_says_nothing_is_given_up_with_all_its_processes() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/acme/shop.git", server.local_addr().expect("it has one"));
    let remote: Remote = url.parse().expect("it is an address");
    let main = "main".parse().expect("it is a branch");
    let asked = tokio::spawn({
        let remote = remote.clone();
        async move { remote_head(Duration::from_secs(2), &remote, &main, Some(&login())).await }
    });
    let (mut connection, _) = tokio::task::spawn_blocking(move || server.accept())
        .await
        .expect("it does not panic")
        .expect("git comes");
    let request = head_of(&mut connection);
    assert!(!running(&url).is_empty());
    let everything = running("git").join("\n");
    assert!(!everything.contains(TOKEN), "{everything}");
    // `x-access-token:ghp_verysecret`
    let basic = "authorization: basic eC1hY2Nlc3MtdG9rZW46Z2hwX3ZlcnlzZWNyZXQ=".to_lowercase();
    assert!(request.to_lowercase().contains(&basic), "{request}");
    let error = asked.await.expect("it does not panic").expect_err("nothing came");
    assert!(matches!(error, SourceError::TimedOut { .. }) && error.is_transient(), "{error}");
    eventually("no process is left", || running(&url).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_fetch_nobody_waits_for_ends() {
    let stage = Stage::new().await;
    let server = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/acme/shop.git", server.local_addr().expect("it has one"));
    let remote: Remote = url.parse().expect("it is an address");
    let main = Wanted::Branch("main".parse().expect("it is a branch"));
    let repository: Repository = stage.repository.clone();
    let asked = tokio::spawn(async move { repository.fetch(&remote, &main, None).await });
    eventually("it runs", || (!running(&url).is_empty()).then_some(())).await;
    asked.abort();
    eventually("no process is left", || running(&url).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_token_is_not_carried_to_another_host() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/acme/shop.git", server.local_addr().expect("it has one"));
    let elsewhere = format!("http://{}/x.git", other.local_addr().expect("it has one"));
    let answering = tokio::task::spawn_blocking(move || {
        let (mut connection, _) = server.accept().expect("git comes");
        head_of(&mut connection);
        let answer = format!(
            "HTTP/1.1 301 Moved\r\nLocation: {elsewhere}/info/refs?service=git-upload-pack\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        connection.write_all(answer.as_bytes()).expect("git reads");
    });
    let remote: Remote = url.parse().expect("it is an address");
    let main = "main".parse().expect("it is a branch");
    let error = remote_head(Duration::from_secs(10), &remote, &main, Some(&login())).await;
    assert!(error.is_err());
    answering.await.expect("it does not panic");
    other.set_nonblocking(true).expect("it can be set");
    assert!(other.accept().is_err(), "the redirect was followed");
}

fn head_of(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        let count = connection.read(&mut piece).expect("git writes");
        assert!(count > 0, "git went away");
        head.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// The command lines of processes that mention `text`.
fn running(text: &str) -> Vec<String> {
    std::fs::read_dir("/proc")
        .expect("there is /proc")
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(text))
        .collect()
}

#[tokio::test]
async fn a_name_that_leads_to_the_local_link_is_not_asked() {
    let stage = Stage::new().await;
    let main: BranchName = "main".parse().expect("it is a branch");
    // No address as people write one, and yet 169.254.169.254 to whoever looks it up.
    for url in ["http://2852039166/acme/shop.git", "git@0xa9fea9fe:acme/shop.git"] {
        let remote: Remote = url.parse().expect("it names a host");
        let patience = Duration::from_secs(20);
        let error = remote_head(patience, &remote, &main, Some(&login())).await.expect_err(url);
        assert!(matches!(error, SourceError::NoHost { .. }), "{url}: {error}");
        let wanted = Wanted::Commit("1".repeat(40).parse().expect("it is a commit"));
        let error = stage.repository.fetch(&remote, &wanted, None).await.expect_err(url);
        assert!(!error.is_transient() && error.to_string().contains("169.254.169.254"), "{error}");
    }
}
