use super::*;

/// What becomes of `bytes`, shown whole: how many heads and how many bytes passed, or the refusal.
fn whole(bytes: &[u8]) -> Result<(u64, usize), Refusal> {
    let mut gate = Gate::new(65_536, 100);
    let pass = gate.look(bytes)?;
    gate.look(&bytes[pass.bytes..])?;
    Ok((gate.heads(), pass.bytes))
}

/// The same, shown one byte more at a time, as a slow visitor sends it.
fn dribbled(bytes: &[u8]) -> Result<(u64, usize), Refusal> {
    let mut gate = Gate::new(65_536, 100);
    let mut passed = 0;
    for end in 1..=bytes.len() {
        passed += gate.look(&bytes[passed..end])?.bytes;
    }
    Ok((gate.heads(), passed))
}

fn passes(text: &str, heads: u64) {
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
fn a_head_that_is_not_whole_is_held_back() {
    let mut gate = Gate::new(65_536, 100);
    assert_eq!(gate.look(b"GET / HTTP/1.1\r\nHo"), Ok(Pass { bytes: 0 }));
    assert_eq!(gate.look(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"), Ok(Pass { bytes: 27 }));
    assert_eq!((gate.heads(), gate.in_head()), (1, true));
}

#[test]
fn what_is_right_passes_before_what_is_not_is_refused() {
    let good = "GET / HTTP/1.0\r\n\r\n";
    let both = format!("{good}{good}GET nowhere HTTP/1.0\r\n\r\n");
    let mut gate = Gate::new(65_536, 100);
    assert_eq!(gate.look(both.as_bytes()), Ok(Pass { bytes: 2 * good.len() }));
    assert!(gate.will_refuse());
    assert!(gate.look(b"whatever").is_err());
}

#[test]
fn nothing_passes_behind_an_upgrade_until_it_is_decided() {
    let upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: a, upgrade\r\n\r\nmore";
    let mut gate = Gate::new(65_536, 100);
    assert_eq!(gate.look(upgrade), Ok(Pass { bytes: upgrade.len() - 4 }));
    assert!(gate.is_undecided());
    gate.decide(true);
    assert_eq!(gate.look(b"\0more"), Ok(Pass { bytes: 5 }));

    let mut gate = Gate::new(65_536, 100);
    assert_eq!(gate.look(upgrade), Ok(Pass { bytes: upgrade.len() - 4 }));
    gate.decide(false);
    assert!(gate.look(b"\0more").is_err());
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

/// How much passes, and whether the rest is refused, where bytes come in random pieces.
fn in_pieces(bytes: &[u8], random: &mut fastrand::Rng) -> (u64, usize, bool) {
    let mut gate = Gate::new(65_536, 100);
    let (mut passed, mut end) = (0, 0);
    while end < bytes.len() {
        end = random.usize(end + 1..=bytes.len());
        while let Ok(pass) = gate.look(&bytes[passed..end]) {
            passed += pass.bytes;
            if !gate.will_refuse() {
                break;
            }
        }
        if gate.look(&bytes[passed..end]).is_err() {
            return (gate.heads(), 0, true);
        }
    }
    (gate.heads(), passed, false)
}

#[test]
fn how_bytes_are_cut_into_pieces_changes_nothing() {
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..20_000 {
        let bytes = spoiled(&mut random);
        let whole = in_pieces(&bytes, &mut fastrand::Rng::with_seed(0));
        let other = in_pieces(&bytes, &mut random);
        assert_eq!(whole, other, "{:?}", String::from_utf8_lossy(&bytes));
    }
}
