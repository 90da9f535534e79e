//! The command on another machine: by HTTP, and by HTTPS through a server that has a certificate.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::stage::{Stage, said};

#[test]
fn another_machine_needs_an_address_and_a_token() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    let token = app.done(&["tokens", "create", "laptop", "--scope", "read"]);
    let token = token.split_whitespace().find(|word| word.starts_with("th_")).expect("a token");
    let plain = format!("http://127.0.0.1:{}", stage.api);
    let seen = ask(&plain, Some(token), None, &["status"]);
    assert!(seen.status.success() && said(&seen).contains("hello"), "{}", said(&seen));
    let may_not = ask(&plain, Some(token), None, &["rollback", "--yes"]);
    assert_eq!(may_not.status.code(), Some(2), "{}", said(&may_not));
    let without = ask(&plain, None, None, &["status"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(said(&without).contains("TOEHOLD_TOKEN"), "{}", said(&without));

    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("authority.pem");
    let port = in_front_of(stage.api, &authority);
    let secure = format!("https://localhost:{port}");
    let seen = ask(&secure, Some(token), Some(&authority), &["status"]);
    assert!(seen.status.success() && said(&seen).contains("hello"), "{}", said(&seen));
    let link = said(&ask(&secure, Some(token), Some(&authority), &["open"]));
    assert!(link.contains(&format!("://localhost:{port}/login?code=")), "{link}");
    let distrusted = ask(&secure, Some(token), None, &["status"]);
    assert!(!distrusted.status.success());
    assert!(said(&distrusted).contains("SSL_CERT_FILE"), "{}", said(&distrusted));
}

/// `toehold` with nothing but an address.
fn ask(url: &str, token: Option<&str>, authority: Option<&Path>, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_toehold"));
    command.current_dir(&folder).env("TOEHOLD_URL", url).env_remove("TOEHOLD_TOKEN");
    if let Some(token) = token {
        command.env("TOEHOLD_TOKEN", token);
    }
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority);
    }
    command.args(arguments).output().expect("the program runs")
}

/// A server with a certificate for `localhost`, which passes everything on; its port. It ends with
/// the test.
fn in_front_of(api: u16, authority: &Path) -> u16 {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(authority, cert.pem()).expect("written");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let port = listener.local_addr().expect("it has one").port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    std::thread::spawn(move || {
        runtime.expect("a runtime").block_on(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut outside) = acceptor.accept(stream).await else { return };
                    let inside = TcpStream::connect(("127.0.0.1", api)).await;
                    let mut inside = inside.expect("the API is there");
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
    });
    port
}
