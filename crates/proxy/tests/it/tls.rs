use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use toehold_core::wire::certificates::{AlpnChallenge, Certificates, KeyPem, Pair};
use toehold_proxy::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore};

use crate::client::Raw;
use crate::origin::Origin;
use crate::stage::{Stage, eventually, routes, stable};

/// A certificate for these names, in force for itself.
pub(crate) struct Made {
    pair: Pair,
    der: CertificateDer<'static>,
}

pub(crate) fn made(names: &[&str]) -> Made {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(names.clone()).expect("it is made");
    let key = KeyPem::new(signing_key.serialize_pem());
    Made { pair: Pair { names, chain: cert.pem(), key }, der: cert.der().clone() }
}

pub(crate) fn certificates(serial: u64, made: &[&Made]) -> Certificates {
    let pairs = made.iter().map(|it| it.pair.clone()).collect();
    Certificates { serial, pairs, ..Certificates::default() }
}

/// A visitor who trusts these.
pub(crate) fn trusting(made: &[&Made], spoken: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for it in made {
        roots.add(it.der.clone()).expect("it is a certificate");
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("there are some")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = spoken.iter().map(|it| it.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

pub(crate) async fn meet(
    connector: &TlsConnector,
    addr: SocketAddr,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    let name = ServerName::try_from(name.to_owned()).expect("it is a name");
    connector.connect(name, stream).await
}

/// What a visitor is answered to one request, until the connection ends well.
async fn asked(mut stream: TlsStream<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("the proxy reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("its end is said");
    text
}

const GET: &str = "GET /headers HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_visitor_is_shown_the_certificate_of_the_name_it_asks_for() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let (shop, all) = (made(&["shop.example.com"]), made(&["*.example.com"]));
    stage.certify(certificates(1, &[&shop, &all])).await.expect("they are shown");
    for (trusted, name) in
        [(&shop, "shop.example.com"), (&all, "blog.example.com"), (&all, "other.example.com")]
    {
        let stream = meet(&trusting(&[trusted], &[]), stage.tls_addr, name).await;
        let text = asked(stream.expect(name), GET).await;
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("x-forwarded-proto: https"));
    }
    for name in ["a.b.example.com", "example.com", "elsewhere.org"] {
        let refused = meet(&trusting(&[&shop, &all], &[]), stage.tls_addr, name).await;
        refused.expect_err("there is none for it");
    }
}

#[tokio::test]
async fn bodies_pass_whole_and_connections_are_kept_behind_tls() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let shop = made(&["shop.example.com"]);
    stage.certify(certificates(1, &[&shop])).await.expect("they are shown");
    let connector = trusting(&[&shop], &["http/1.1"]);
    let mut stream = meet(&connector, stage.tls_addr, "shop.example.com").await.expect("it is met");
    let body = "x".repeat(1_000_000);
    let head =
        format!("POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\n\r\n", body.len());
    for _ in 0..2 {
        stream.write_all(head.as_bytes()).await.expect("the proxy reads");
        stream.write_all(body.as_bytes()).await.expect("the proxy reads");
        let mut got = Vec::new();
        while !got.ends_with(body.as_bytes()) {
            assert!(stream.read_buf(&mut got).await.expect("it is open") > 0);
        }
    }
    // More than sockets hold, to one who reads it slowly.
    let large = "GET /large HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    let text = asked(stream, large).await;
    assert_eq!(text.split_once("\r\n\r\n").expect("there is a head").1.len(), 3_000_000);
}

#[tokio::test]
async fn who_comes_again_is_met_without_the_certificate() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let shop = made(&["shop.example.com"]);
    stage.certify(certificates(1, &[&shop])).await.expect("they are shown");
    let connector = trusting(&[&shop], &[]);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let stream = meet(&connector, stage.tls_addr, "shop.example.com").await.expect("it is met");
        kinds.push(stream.get_ref().1.handshake_kind());
        asked(stream, GET).await;
    }
    assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
}

#[tokio::test]
async fn who_comes_without_tls_is_sent_to_it_but_a_ca_is_not() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let shop = made(&["shop.example.com"]);
    let mut all = certificates(1, &[&shop]);
    all.redirect = true;
    all.http_challenges = BTreeMap::from([("token".to_owned(), "token.print".to_owned())]);
    stage.certify(all).await.expect("they are shown");
    let port = stage.tls_addr.port();
    for (target, host, said) in [
        ("/a?b=c", "shop.example.com", "location: https://shop.example.com/a?b=c\r\n".to_owned()),
        ("/", "Shop.example.com:80", format!("location: https://shop.example.com:{port}/\r\n")),
        ("/headers", "shop.localhost", "HTTP/1.1 200 OK\r\n".to_owned()),
        ("/.well-known/acme-challenge/token", "shop.example.com", "\r\n\r\ntoken.print".to_owned()),
        ("/.well-known/acme-challenge/token", "elsewhere", "\r\n\r\ntoken.print".to_owned()),
        ("/.well-known/acme-challenge/other", "shop.example.com", "HTTP/1.1 308 ".to_owned()),
    ] {
        let mut visitor = Raw::connect(stage.addr).await;
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        visitor.send(head).await;
        let (text, _) = visitor.rest().await;
        assert!(text.contains(&said), "{target} of {host}: {text}");
    }
}

#[tokio::test]
async fn where_something_in_front_speaks_tls_nobody_is_sent_round_in_circles() {
    let stage = Stage::without_tls().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut all = certificates(1, &[&made(&["shop.example.com"])]);
    all.redirect = true;
    stage.certify(all).await.expect("they are taken");
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n").await;
    assert!(visitor.until("web.1").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_ca_is_shown_its_proof_and_nobody_else() {
    let stage = Stage::start().await;
    let (shop, proof) = (made(&["shop.example.com"]), made(&["shop.example.com"]));
    let Pair { chain, key, .. } = proof.pair.clone();
    let mut all = certificates(1, &[&shop]);
    all.alpn_challenges = vec![AlpnChallenge { name: "shop.example.com".into(), chain, key }];
    stage.certify(all).await.expect("they are shown");
    for (made, spoken) in [(&proof, &["acme-tls/1"][..]), (&shop, &["http/1.1"]), (&shop, &[])] {
        let connector = trusting(&[made], spoken);
        meet(&connector, stage.tls_addr, "shop.example.com").await.expect("it is what was wanted");
    }
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_and_what_was_shown_stays_also_over_a_restart() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let (shop, other) = (made(&["shop.example.com"]), made(&["shop.example.com"]));
    stage.certify(certificates(5, &[&shop])).await.expect("they are shown");
    let older = stage.certify(certificates(4, &[&other])).await.expect_err("it is older");
    assert!(older.contains("older (4) than those shown (5)"), "{older}");
    let mut mixed = certificates(6, &[&other]);
    mixed.pairs[0].key = shop.pair.key.clone();
    let wrong = stage.certify(mixed).await.expect_err("they do not belong together");
    assert!(wrong.starts_with("shop.example.com: certificate and key: "), "{wrong}");
    assert!(!wrong.contains("PRIVATE"), "{wrong}");
    // The same once more is the same.
    stage.certify(certificates(5, &[&shop])).await.expect("they are shown");
    let dir = stage.dir.clone();
    stage.stop().await;
    let stage = Stage::again(Limits::default(), dir, false).await;
    let stream = meet(&trusting(&[&shop], &[]), stage.tls_addr, "shop.example.com").await;
    assert!(asked(stream.expect("it is met"), GET).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn localhost_is_vouched_for_by_a_ca_of_its_own_which_stays() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let pem =
        || std::fs::read(stage.dir.path().join("proxy/localhost-ca.pem")).expect("it is there");
    let connector = toehold_host::tls::connector(Some(&pem())).expect("it is a CA");
    for name in ["localhost", "shop.localhost", "127.0.0.1"] {
        let stream = meet(&connector, stage.tls_addr, name).await.expect(name);
        assert!(asked(stream, GET).await.starts_with("HTTP/1.1 200 "), "{name}");
    }
    meet(&connector, stage.tls_addr, "elsewhere.org").await.expect_err("it is not below localhost");
    let (dir, before) = (stage.dir.clone(), pem());
    let key = std::fs::metadata(dir.path().join("proxy/localhost-ca.key")).expect("it is there");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o077, 0);
    stage.stop().await;
    let stage = Stage::again(Limits::default(), dir, false).await;
    assert_eq!(
        std::fs::read(stage.dir.path().join("proxy/localhost-ca.pem")).expect("it is there"),
        before
    );
    meet(&connector, stage.tls_addr, "shop.localhost").await.expect("it is the same");
    // Where only its certificate is lost, there is one again, and who trusts either is content.
    let dir = stage.dir.clone();
    stage.stop().await;
    let lost = dir.path().join("proxy/localhost-ca.pem");
    std::fs::remove_file(&lost).expect("it was there");
    let stage = Stage::again(Limits::default(), dir, false).await;
    let again = eventually("it is there again", || async { std::fs::read(&lost).ok() }).await;
    let again = toehold_host::tls::connector(Some(&again)).expect("it is a CA");
    for connector in [&connector, &again] {
        meet(connector, stage.tls_addr, "shop.localhost").await.expect("it vouches");
    }
}

#[tokio::test]
async fn who_forgets_the_s_is_told() {
    let stage = Stage::start().await;
    let mut visitor = Raw::connect(stage.tls_addr).await;
    visitor.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let text = visitor.until("https://.").await;
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
}
