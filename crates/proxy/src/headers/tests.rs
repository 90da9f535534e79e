use super::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        (
            name.parse::<HeaderName>().expect("it is a name"),
            value.parse::<HeaderValue>().expect("it is a value"),
        )
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        headers.append(name, value);
    }
    headers
}

fn sent(lines: &[(&str, &str)]) -> Vec<String> {
    let mut headers = headers(lines);
    let id = HeaderValue::from_static("id");
    to_instance(&mut headers, &address([192, 0, 2, 1].into()), false, &id, None);
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{name}: {}", value.to_str().expect("it is text"))
    };
    let mut lines: Vec<String> = headers.iter().map(text).collect();
    lines.sort();
    lines
}

const OURS: [&str; 3] =
    ["x-forwarded-for: 192.0.2.1", "x-forwarded-proto: http", "x-request-id: id"];

#[test]
fn what_is_about_one_connection_is_not_passed_on() {
    let lines = sent(&[
        ("connection", "close, X-Custom"),
        ("connection", "Cookie"),
        ("x-custom", "a"),
        ("cookie", "a"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("proxy-authorization", "a"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
    ]);
    assert_eq!(lines, OURS);
}

#[test]
fn a_list_cannot_take_away_what_the_proxy_says_or_where_a_body_ends() {
    let lines = sent(&[
        ("host", "a"),
        ("content-length", "3"),
        ("connection", "host, content-length, x-forwarded-for, x-request-id"),
    ]);
    let mut all = vec!["content-length: 3", "host: a"];
    all.extend(OURS);
    all.insert(3, "x-forwarded-host: a");
    assert_eq!(lines, all);
}

#[test]
fn what_a_visitor_claims_about_itself_is_replaced() {
    let lines = sent(&[
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.2"),
        ("x_forwarded_for", "10.0.0.3"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "bank"),
        ("x-forwarded-port", "443"),
        ("x-real-ip", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("x-request-id", "<script>"),
    ]);
    assert_eq!(lines, OURS);
}

#[test]
fn the_sessions_of_the_dashboard_reach_no_app() {
    let cookies = |lines: &[(&str, &str)]| {
        sent(lines).into_iter().filter(|it| it.starts_with("cookie")).collect::<Vec<_>>()
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
    let id = |given: &str| request_id(&headers(&[("x-request-id", given)]));
    assert_eq!(id("a.B_9-"), "a.B_9-");
    for bad in ["", "a b", "<a>", &"a".repeat(65)] {
        let fresh = id(bad);
        assert_eq!(fresh.len(), 32, "{bad:?} was kept");
        assert_ne!(fresh, id(bad));
    }
}

#[test]
fn a_length_beside_chunks_is_not_passed_on() {
    let mut answer = headers(&[("transfer-encoding", "chunked"), ("content-length", "3")]);
    to_visitor(StatusCode::OK, &mut answer, HeaderValue::from_static("id"));
    assert_eq!(answer, headers(&[("x-request-id", "id")]));
}

#[test]
fn an_upgrade_is_passed_on_unless_it_is_to_http_2() {
    let asked = |protocol: &str| {
        let headers = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", protocol)]);
        upgrade(Version::HTTP_11, &headers)
    };
    assert_eq!(asked("websocket").expect("it is asked for"), "websocket");
    assert_eq!(asked("h2c"), None);
    assert_eq!(upgrade(Version::HTTP_11, &headers(&[("upgrade", "websocket")])), None);
}
