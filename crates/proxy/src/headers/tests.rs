use super::*;

use toehold_http::fields;

/// What an instance is sent of these fields, and what the proxy adds, sorted.
fn sent(lines: &[(&str, &str)]) -> Vec<String> {
    let mut lines: Vec<String> = of_request(lines, |request, id, out| {
        to_instance(request, Told { peer: "192.0.2.1", https: false, id }, out);
    });
    lines.sort();
    lines
}

/// What is written of a request with these fields, a line each, but for the first.
fn of_request(
    lines: &[(&str, &str)],
    write: impl FnOnce(&Request<'_, '_>, &Id, &mut Vec<u8>),
) -> Vec<String> {
    let head = head("POST / HTTP/1.1", lines);
    let mut room = fields();
    let request = Request::read(head.as_bytes(), &mut room).expect("it is let in");
    let mut out = Vec::new();
    write(&request, &Id::of(&request), &mut out);
    written(&out)
}

fn head(first: &str, lines: &[(&str, &str)]) -> String {
    let lines: Vec<String> =
        lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first}\r\n{}\r\n", lines.concat())
}

fn written(out: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(out).expect("it is text");
    let lines = text.strip_suffix("\r\n\r\n").expect("it ends");
    lines.split("\r\n").skip(1).map(str::to_owned).collect()
}

const ALWAYS: [(&str, &str); 2] = [("host", "a"), ("x-request-id", "id")];
const OURS: [&str; 5] = [
    "host: a",
    "x-forwarded-for: 192.0.2.1",
    "x-forwarded-host: a",
    "x-forwarded-proto: http",
    "x-request-id: id",
];

fn sent_with(lines: &[(&str, &str)]) -> Vec<String> {
    sent(&[&ALWAYS, lines].concat())
}

#[test]
fn what_is_about_one_connection_is_not_passed_on() {
    let lines = sent_with(&[
        ("connection", "close, X-Custom"),
        ("connection", "Cookie"),
        ("x-custom", "a"),
        ("cookie", "a"),
        ("keep-alive", "timeout=5"),
        ("te", "gzip"),
        ("proxy-authorization", "a"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
    ]);
    assert_eq!(lines, OURS);
}

#[test]
fn who_takes_fields_behind_an_answer_is_given_them() {
    let lines = sent_with(&[("TE", "gzip, trailers"), ("connection", "TE")]);
    assert_eq!(
        lines,
        [&["connection: te"][..], &OURS[..1], &["te: trailers"], &OURS[1..]].concat()
    );
}

#[test]
fn a_list_cannot_take_away_what_the_proxy_says_or_where_a_body_ends() {
    let lines = sent_with(&[
        ("content-length", "3"),
        ("connection", "host, content-length, x-forwarded-for, x-request-id"),
    ]);
    assert_eq!(lines, [&["content-length: 3"][..], &OURS].concat());
    let lines = sent_with(&[("transfer-encoding", "chunked"), ("connection", "transfer-encoding")]);
    assert!(lines.contains(&"transfer-encoding: chunked".to_owned()), "{lines:?}");
}

#[test]
fn what_a_visitor_claims_about_itself_is_replaced() {
    let lines = sent_with(&[
        ("x-forwarded-for", "10.0.0.1"),
        ("X-Forwarded-For", "10.0.0.2"),
        ("x_forwarded_for", "10.0.0.3"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "bank"),
        ("x-forwarded-port", "443"),
        ("x-real-ip", "10.0.0.1"),
        ("X_Real_IP", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("x_request_id", "b"),
    ]);
    assert_eq!(lines, OURS);
}

#[test]
fn a_host_in_the_target_is_the_host() {
    let head = "GET http://Shop:80?a HTTP/1.1\r\nHost: shop\r\nX-Request-Id: id\r\n\r\n";
    let mut room = fields();
    let request = Request::read(head.as_bytes(), &mut room).expect("it is let in");
    let (mut out, id) = (Vec::new(), Id::of(&request));
    to_instance(&request, Told { peer: "192.0.2.1", https: true, id: &id }, &mut out);
    assert!(out.starts_with(b"GET /?a HTTP/1.1\r\nhost: Shop:80\r\nx-forwarded-for"));
    assert!(written(&out).contains(&"x-forwarded-proto: https".to_owned()));
}

#[test]
fn who_names_no_host_names_none_in_the_instances_words() {
    let head = head("GET / HTTP/1.0", &[]);
    let mut room = fields();
    let request = Request::read(head.as_bytes(), &mut room).expect("it is let in");
    let (mut out, id) = (Vec::new(), Id::fresh());
    to_instance(&request, Told { peer: "192.0.2.1", https: false, id: &id }, &mut out);
    let lines = written(&out);
    assert_eq!(lines[0], "host: ");
    assert!(!lines.iter().any(|it| it.starts_with("x-forwarded-host")), "{lines:?}");
}

#[test]
fn the_sessions_of_the_dashboard_reach_no_app() {
    let cookies = |lines: &[(&str, &str)]| {
        sent_with(lines).into_iter().filter(|it| it.starts_with("cookie")).collect::<Vec<_>>()
    };
    let both = "a=1; toehold-session=s; b=2; __Host-toehold-session=t";
    assert_eq!(cookies(&[("cookie", both)]), ["cookie: a=1; b=2"]);
    let lines = [("cookie", "toehold-session=s"), ("cookie", "toehold-session"), ("cookie", "c=3")];
    assert_eq!(cookies(&lines), ["cookie: c=3"]);
    let others = "toehold_shop=1; my-toehold-session=2; x=toehold-session";
    assert_eq!(cookies(&[("cookie", others)]), [format!("cookie: {others}")]);
}

#[test]
fn a_sane_request_id_is_kept() {
    let id = |given: &str| {
        let mut said = String::new();
        let lines = [("host", "a"), ("x-request-id", given)];
        of_request(&lines, |_, id, out| {
            id.as_str().clone_into(&mut said);
            out.extend_from_slice(b"\r\n\r\n");
        });
        said
    };
    assert_eq!(id("a.B_9-"), "a.B_9-");
    for bad in ["", "a b", "<a>", &"a".repeat(65)] {
        let fresh = id(bad);
        assert_eq!(fresh.len(), 32, "{bad:?} was kept");
        assert_ne!(fresh, id(bad));
    }
}

/// What a visitor is told of an answer with these fields.
fn told(first: &str, lines: &[(&str, &str)]) -> Vec<String> {
    let head = head(first, lines);
    let mut room = fields();
    let read = Answer::read(head.as_bytes(), &mut room).expect("it is an answer");
    let (answer, _) = read.expect("it is whole");
    let id = Id::fresh();
    let said = Said {
        id: &id,
        cookie: Some("c"),
        date: "now",
        chunked: answer.body(false).is_chunked(),
        connection: Some("close"),
    };
    let mut out = Vec::new();
    to_visitor(&answer, said, &mut out);
    let own = format!("x-request-id: {}", id.as_str());
    written(&out).into_iter().filter(|line| *line != own).collect()
}

#[test]
fn an_answer_says_what_the_visitor_must_know_of_its_own_connection() {
    let lines = [
        ("Content-Type", "a"),
        ("Connection", "close, X"),
        ("X", "y"),
        ("Keep-Alive", "timeout=5"),
        ("x-request-id", "theirs"),
    ];
    let said = ["Content-Type: a", "connection: close", "date: now", "set-cookie: c"];
    assert_eq!(told("HTTP/1.1 200 OK", &lines), said);
    let dated = told("HTTP/1.1 200 OK", &[("Date", "then")]);
    assert_eq!(dated, ["Date: then", "connection: close", "set-cookie: c"]);
}

#[test]
fn a_length_beside_chunks_or_beside_no_body_is_not_passed_on() {
    let end = ["connection: close", "date: now", "set-cookie: c"];
    let chunked = [("transfer-encoding", "chunked"), ("content-length", "3")];
    let lines = [&["transfer-encoding: chunked"][..], &end].concat();
    assert_eq!(told("HTTP/1.1 200 OK", &chunked), lines);
    assert_eq!(told("HTTP/1.1 204 No Content", &[("content-length", "0")]), end);
    let lines = [&["content-length: 3"][..], &end].concat();
    assert_eq!(told("HTTP/1.1 304 Not Modified", &[("content-length", "3")]), lines);
    let twice = [("content-length", "3"), ("Content-Length", "3")];
    assert_eq!(told("HTTP/1.1 200 OK", &twice), lines);
}

#[test]
fn an_upgrade_is_passed_on_unless_it_is_to_http_2() {
    let asked = |protocol: &str| {
        let lines = [("connection", "keep-alive, Upgrade"), ("upgrade", protocol)];
        sent_with(&lines).into_iter().filter(|it| it.contains("upgrade")).collect::<Vec<_>>()
    };
    assert_eq!(asked("websocket"), ["connection: upgrade", "upgrade: websocket"]);
    assert!(asked("h2c").is_empty());
    let agreed = told("HTTP/1.1 101 Switching", &[("upgrade", "b"), ("connection", "upgrade")]);
    assert_eq!(agreed[..2], ["connection: upgrade", "upgrade: b"]);
}

/// The heads at the beginning of messages, clean and hostile, that are let in.
fn let_in() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../http/corpus");
    let files = std::fs::read_dir(folder).expect("the corpus is there");
    let mut heads: Vec<Vec<u8>> = files
        .map(|file| std::fs::read(file.expect("a file").path()).expect("it can be read"))
        .filter_map(|mut message| {
            let end = toehold_http::end(&message, &mut 0, 65_536).ok()??;
            message.truncate(end);
            Request::read(&message, &mut fields()).is_ok().then_some(message)
        })
        .collect();
    heads.sort();
    heads
}

#[test]
fn what_is_sent_is_one_request_that_says_the_same_however_a_head_is_changed() {
    let heads = let_in();
    let mut chance = fastrand::Rng::with_seed(4);
    let mut seen = 0;
    for _ in 0..50_000 {
        let mut head = heads[chance.usize(..heads.len())].clone();
        // Lines of others come in, and bytes change.
        let other = &heads[chance.usize(..heads.len())];
        let lines: Vec<&[u8]> = other.split_inclusive(|&byte| byte == b'\n').skip(1).collect();
        if let (Some(line), Some(end)) =
            (chance.choice(&lines), head.iter().position(|&b| b == b'\n'))
        {
            head.splice((end + 1)..=end, line.iter().copied());
        }
        let at = chance.usize(..head.len());
        if chance.bool() {
            head[at] = chance.u8(..);
        }
        let mut room = fields();
        let Ok(Some(end)) = toehold_http::end(&head, &mut 0, 65_536) else { continue };
        let Ok(request) = Request::read(&head[..end], &mut room) else { continue };
        let (mut out, id) = (Vec::new(), Id::fresh());
        to_instance(&request, Told { peer: "192.0.2.1", https: false, id: &id }, &mut out);
        let shown = || format!("{} becomes {}", head.escape_ascii(), out.escape_ascii());
        assert_eq!(toehold_http::end(&out, &mut 0, 65_536), Ok(Some(out.len())), "{}", shown());
        let mut room = fields();
        let sent = Request::read(&out, &mut room).unwrap_or_else(|_| panic!("{}", shown()));
        let path = [request.slash, request.path].concat();
        assert_eq!(
            (sent.method, [sent.slash, sent.path].concat()),
            (request.method, path),
            "{}",
            shown()
        );
        assert_eq!(sent.host, Some(request.host.unwrap_or_default()), "{}", shown());
        assert_eq!(
            (sent.framing, sent.upgrade),
            (request.framing, upgrade(&request)),
            "{}",
            shown()
        );
        assert!(!sent.expects_continue && sent.version == toehold_http::Version::Http11);
        seen += 1;
    }
    assert!(seen > 5_000, "only {seen} were let in");
}

#[test]
fn what_names_a_track_with_a_secret_is_no_apps_to_have() {
    let lines = sent_with(&[
        ("X-Toehold-Track", "canary.sesame"),
        ("x_toehold_track", "canary.sesame"),
        ("cookie", "a=b; toehold-track=canary.sesame; c=d"),
        ("cookie", "toehold-track=wrong"),
        ("x-toehold-tracks", "an app's own"),
    ]);
    let mut wanted: Vec<String> = OURS.map(str::to_owned).into();
    wanted.extend(["cookie: a=b; c=d".to_owned(), "x-toehold-tracks: an app's own".to_owned()]);
    wanted.sort();
    assert_eq!(lines, wanted);
}
