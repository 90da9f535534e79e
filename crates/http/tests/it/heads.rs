//! What is let in, what is refused, and what of both is said.

use toehold_http::{Answer, Body, Framing, Garbled, Refusal, Request, Version, fields};

use crate::holds;
use crate::reading::{Reading, Requests};

/// What becomes of `bytes` that come in pieces which end there: how many heads and how many bytes
/// passed, or the refusal.
fn shown(bytes: &[u8], ends: impl Iterator<Item = usize>) -> Result<(usize, usize), Refusal> {
    let mut reading = Reading::<Requests>::default();
    let mut used = 0;
    for end in ends {
        used += reading.look(&bytes[used..end]);
    }
    reading.refusal.map_or(Ok((reading.messages.len(), used)), Err)
}

fn whole(bytes: &[u8]) -> Result<(usize, usize), Refusal> {
    shown(bytes, std::iter::once(bytes.len()))
}

/// As a slow visitor sends it.
fn dribbled(bytes: &[u8]) -> Result<(usize, usize), Refusal> {
    shown(bytes, 1..=bytes.len())
}

fn passes(text: &str, heads: usize) {
    assert_eq!(whole(text.as_bytes()), Ok((heads, text.len())), "{text:?} at once");
    assert_eq!(dribbled(text.as_bytes()), Ok((heads, text.len())), "{text:?} byte by byte");
}

fn refused(text: &str) {
    assert!(whole(text.as_bytes()).is_err(), "{text:?} at once");
    assert!(dribbled(text.as_bytes()).is_err(), "{text:?} byte by byte");
}

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn ordinary_requests_pass_one_behind_the_other() {
    passes("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    passes("\r\nGET / HTTP/1.1\r\nHost: a:80\r\n\r\n", 1);
    passes("GET / HTTP/1.0\r\n\r\n", 1);
    passes("OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 1);
    passes("GET HTTP://A:80/ HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    passes("GET https://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n", 1);
    passes("GET http://a/ HTTP/1.0\r\n\r\n", 1);
    passes("GET http://a/b?c=`d`\\ HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t \u{e9} \r\n\r\n", 1);
    passes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n", 2);
    passes(
        &format!("{POST}a;x=y\r\n0123456789\r\n0\r\nT: v\r\nU:\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
        2,
    );
    passes(&format!("{POST}000\r\n\r\n{POST}0\r\n\r\n"), 2);
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for framing in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3, 3",
        "Content-Length: +3",
        "Content-Length: -3",
        "Content-Length: 0x3",
        "Content-Length: 3 3",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Content-Length : 3",
        "Content_Length: 3",
        " Content-Length: 3",
        "X: y\r\n Content-Length: 3",
        "X: y\r\n\tz",
        "Content-Length: 3\rX: y",
        "Content-Length: 3\nX: y",
        "X: \0",
        "X\0: y",
        "X y: z",
        "X",
        ": y",
        "X: a\u{7f}",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:\u{b}chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding:",
        "Transfer_Encoding: chunked",
        "Host: b",
    ] {
        refused(&format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"));
    }
}

#[test]
fn what_is_no_request_is_refused() {
    for head in [
        "\x16\x03\x01\x02\x00",
        "\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://b@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET https://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:///x HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\\a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        "G=T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        refused(head);
    }
}

#[test]
fn chunks_that_are_not_well_formed_are_refused() {
    for body in [
        "\r\n",
        "g\r\n",
        "0x1\r\n",
        "+1\r\n",
        " 1\r\n",
        "1 \r\n",
        "-1\r\n",
        ";a\r\n",
        "1\n",
        "1\ra",
        "1\r\nab",
        "1\r\na\n",
        "1\r\na\rb",
        "1;\n\r\n",
        "1;\0\r\n",
        "0\r\n\n",
        "0\r\n\rX",
        "0\r\n X: y\r\n\r\n",
        "0\r\nX\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n: y\r\n\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
    ] {
        refused(&format!("{POST}{body}"));
    }
    refused(&format!("{POST}1;{}\r\n", "x".repeat(300)));
    refused(&format!("{POST}0\r\n{}", "x: y\r\n".repeat(2_000)));
}

#[test]
fn a_head_has_its_limits() {
    let many =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    passes(&many(100), 1);
    assert_eq!(whole(many(101).as_bytes()), Err(Refusal::HeadTooLarge));
    let long = |len: usize| {
        let head = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
        head.replace("X: ", &format!("X: {}", "y".repeat(len - head.len())))
    };
    assert_eq!(whole(long(65_536).as_bytes()), Ok((1, 65_536)));
    assert_eq!(whole(long(65_537).as_bytes()), Err(Refusal::HeadTooLarge));
    assert_eq!(whole(&long(70_000).as_bytes()[..65_536]), Err(Refusal::HeadTooLarge));
}

/// Random bytes, the same at each run.
fn spoiled(random: &mut fastrand::Rng) -> Vec<u8> {
    let chunked = format!("{POST}a;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n");
    let mut bytes = b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_vec();
    bytes.extend_from_slice(chunked.as_bytes());
    bytes.extend_from_slice(b"GET / HTTP/1.0\r\nX: y\r\n\r\n");
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..bytes.len());
        match random.u8(..4) {
            0 => bytes[at] = random.u8(..),
            1 => bytes.insert(at, b"\r\n :;,\t0"[random.usize(..8)]),
            2 if bytes.len() > 1 => _ = bytes.remove(at),
            _ => bytes.truncate(at + 1),
        }
    }
    bytes
}

#[test]
fn how_bytes_are_cut_into_pieces_changes_nothing() {
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..20_000 {
        holds::of_requests(&spoiled(&mut random));
    }
}

/// What a head says of its target, its host and its connection.
fn read(head: &str, look: impl FnOnce(Request<'_, '_>)) {
    let mut room = fields();
    look(Request::read(head.as_bytes(), &mut room).expect("it is let in"));
}

#[test]
fn a_head_says_what_it_is_for() {
    read("GET http://Shop:80?a=b HTTP/1.1\r\nHost: shop\r\n\r\n", |it| {
        assert_eq!((it.slash, it.path, it.host), ("/", "?a=b", Some("Shop:80")));
        assert!(it.version == Version::Http11 && it.keep_alive && !it.names_fields);
    });
    read("GET /a?b HTTP/1.0\r\n\r\n", |it| {
        assert_eq!((it.slash, it.path, it.host), ("", "/a?b", None));
        assert!(it.version == Version::Http10 && !it.keep_alive);
    });
    read("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", |it| assert!(it.keep_alive));
    read("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X\r\nX: y\r\n\r\n", |it| {
        assert!(!it.keep_alive && it.is_named("x") && !it.is_named("host"));
    });
}

#[test]
fn an_upgrade_is_asked_for_by_two_fields_and_without_a_body() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n";
    read(&format!("{head}Connection: a, upgrade\r\n\r\n"), |it| assert_eq!(it.upgrade, Some("x")));
    for more in ["", "Connection: upgrade\r\nContent-Length: 1\r\n"] {
        read(&format!("{head}{more}\r\n"), |it| assert_eq!(it.upgrade, None));
    }
}

#[test]
fn whoever_expects_to_be_told_has_a_body_to_send() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n";
    read(&format!("{head}Content-Length: 1\r\n\r\n"), |it| assert!(it.expects_continue));
    read(&format!("{head}\r\n"), |it| assert!(!it.expects_continue));
}

#[test]
fn fields_behind_a_body_are_told_from_it() {
    let mut body = Body::new(Framing::Chunked);
    let bytes = b"3;x=y\r\nabc\r\n0\r\nT: v\r\nU: w\r\n\r\nGET";
    let mut content = Vec::new();
    let taken = body.each(bytes, |piece| content.extend_from_slice(piece)).expect("it is right");
    assert_eq!((taken.bytes, taken.content, taken.ended), (bytes.len() - 3, 3, true));
    assert_eq!(&bytes[taken.trailer], b"T: v\r\nU: w\r\n");
    assert_eq!(content, b"abc");
    assert!(body.has_ended());
}

/// How an answer ends, and whether its connection may be used again.
fn ends(answer: &str, to_head: bool) -> Result<(Body, bool), Garbled> {
    let mut room = fields();
    let (answer, _) = Answer::read(answer.as_bytes(), &mut room)?.expect("it is whole");
    Ok((answer.body(to_head), answer.keep_alive))
}

#[test]
fn an_answer_ends_as_rfc_9112_says() {
    let ok = |fields: &str| ends(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), false);
    assert!(matches!(ok("Content-Length: 3\r\n"), Ok((Body::Length(3), true))));
    assert!(matches!(
        ok("Content-Length: 3\r\nContent-Length: 3\r\n"),
        Ok((Body::Length(3), true))
    ));
    assert!(matches!(ok("Content-Length: 0\r\nConnection: close\r\n"), Ok((Body::Ended, false))));
    assert!(matches!(ok("Transfer-Encoding: chunked\r\n"), Ok((Body::Chunked(_), true))));
    let both = ok("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n");
    assert!(matches!(both, Ok((Body::Chunked(_), false))));
    assert!(matches!(ok(""), Ok((Body::UntilClose, true))));
    for wrong in [
        "Content-Length: x\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "X\0: y\r\n",
    ] {
        assert_eq!(ok(wrong).map(|_| ()), Err(Garbled), "{wrong:?}");
    }
    for (head, stays) in
        [("204 No Content", false), ("304 Not Modified", true), ("101 Go on", true)]
    {
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: 3\r\n\r\n");
        let read = ends(&head, false).expect("it can be read");
        assert!(read.0.has_ended() && read.1 == stays, "{head}");
    }
    let none = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(ends(none, false), Ok((Body::Ended, true))));
    let long = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n";
    assert!(matches!(ends(long, true), Ok((Body::Ended, false))));
    let mut room = fields();
    assert!(matches!(Answer::read(b"HTTP/1.1 200 OK\r\nX:", &mut room), Ok(None)));
    let mut room = fields();
    assert!(Answer::read(b"SSH-2.0-OpenSSH\r\n\r\n", &mut room).is_err());
}
