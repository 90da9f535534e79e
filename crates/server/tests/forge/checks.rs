//! Checks, which only an App may report.

use std::path::PathBuf;
use std::process::Command;

use ring::signature::{KeyPair, RsaKeyPair};
use tempfile::TempDir;
use toehold_server::forge::{Annotation, Check, Conclusion, Report};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::github::github;
use crate::stage::Stage;

/// A key as GitHub hands it out, and its public half.
fn key(folder: &TempDir, traditional: bool) -> (PathBuf, Vec<u8>) {
    let path = folder.path().join("key.pem");
    let mut command = Command::new("openssl");
    command.arg("genrsa");
    if traditional {
        command.arg("-traditional");
    }
    let made = command.arg("-out").arg(&path).arg("2048").output().expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    let pem = std::fs::read(&path).expect("it was made");
    let pair = match PrivateKeyDer::from_pem_slice(&pem).expect("it is a key") {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        other => panic!("another kind of key: {other:?}"),
    };
    (path, pair.expect("it is an RSA key").public_key().as_ref().to_vec())
}

fn check(findings: u32) -> Report {
    let annotations = (1..=findings).map(|line| Annotation {
        path: "src/main.js".into(),
        line,
        level: "warning".into(),
        message: "Missing semicolon.".into(),
        title: "jshint.W033".into(),
    });
    Report::Check(Check {
        conclusion: Conclusion::Failure,
        title: "73 new".into(),
        annotations: annotations.collect(),
    })
}

#[tokio::test]
async fn findings_are_told_fifty_at_a_time_by_an_app_that_proves_itself() {
    for traditional in [true, false] {
        let folder = TempDir::new().expect("a folder can be made");
        let (path, public) = key(&folder, traditional);
        let mut double = github(public).await;
        let stage = Stage::new("github", &double.url()).with_app(path);
        let _running = stage.run();
        stage.write(42, check(73)).await;
        stage.write(43, check(0)).await;
        stage.until_told().await;
        let mut ways = Vec::new();
        for _ in 0..6 {
            let asked = double.next().await;
            let told = asked.body["output"]["annotations"].as_array().map_or(0, Vec::len);
            ways.push((asked.method, asked.status, told));
        }
        let ways: Vec<(&str, u16, usize)> =
            ways.iter().map(|(method, status, told)| (method.as_str(), *status, *told)).collect();
        let one = [("POST", 201, 0), ("GET", 200, 0), ("POST", 201, 50), ("PATCH", 200, 23)];
        // The token is got once.
        assert_eq!(ways, [&one[..], &[("GET", 200, 0), ("POST", 201, 0)]].concat());
        assert!(stage.failures().await.is_empty());
    }
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_got_anew_once() {
    let folder = TempDir::new().expect("a folder can be made");
    let (path, public) = key(&folder, true);
    let mut double = github(public).await;
    let stage = Stage::new("github", &double.url()).with_app(path);
    let _running = stage.run();
    stage.write(42, check(1)).await;
    stage.until_told().await;
    let asked = [double.next().await, double.next().await, double.next().await];
    assert_eq!(asked.map(|it| it.status), [201, 200, 201]);
    // Whoever owns the App takes its tokens back: the one that is kept is not known any more.
    double.tell(401, &[], 1);
    stage.write(43, check(1)).await;
    stage.until_told().await;
    let asked = [double.next().await, double.next().await, double.next().await];
    let ways = asked.each_ref().map(|it| (it.status, it.path.ends_with("access_tokens")));
    assert_eq!(ways, [(401, false), (201, true), (200, false)]);
    assert_ne!(asked[0].header("authorization"), asked[2].header("authorization"));
    assert!(stage.failures().await.is_empty());
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_a_matter_of_time() {
    let folder = TempDir::new().expect("a folder can be made");
    let (path, public) = key(&folder, true);
    let pem = std::fs::read(&path).expect("it was made");
    std::fs::write(&path, "no key").expect("it can be written");
    let mut double = github(public).await;
    let stage = Stage::new("github", &double.url()).with_app(path.clone());
    let _running = stage.run();
    stage.write(42, check(1)).await;
    assert!(double.is_quiet());
    std::fs::write(&path, pem).expect("it can be written");
    let told = async {
        while stage.waiting().await > 0 {
            stage.clock.advance(std::time::Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), told).await.expect("it is told");
    assert_eq!(double.next().await.status, 201);
}
