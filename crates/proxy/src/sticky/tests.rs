use super::*;

const CANARY: (Track, Number) = (Track::Canary, Number(7));

fn key(fill: &str) -> Key {
    Key::from_hex(&fill.repeat(16)).expect("it is long enough")
}

fn app(name: &str) -> AppName {
    name.parse().expect("it is a name")
}

fn sent(cookies: &str) -> impl Iterator<Item = &[u8]> {
    std::iter::once(cookies.as_bytes())
}

fn given(key: &Key, name: &str) -> String {
    let cookie = key.cookie(&app(name), CANARY, false).expect("there is a key");
    cookie.split(';').next().expect("the pair comes first").to_owned()
}

#[test]
fn what_was_signed_is_read_back_among_other_cookies() {
    let key = key("ab");
    let line = format!("a=b; {}; toehold_shop=x", given(&key, "shop"));
    assert_eq!(key.read(&app("shop"), sent(&line)), Some(CANARY));
}

#[test]
fn what_was_not_signed_by_us_is_nothing() {
    let ours = key("ab");
    let cookie = given(&ours, "shop");
    let (arm, signature) = cookie.rsplit_once('.').expect("it is signed");
    for forged in [
        given(&key("cd"), "shop"),
        given(&ours, "other").replace("other", "shop"),
        cookie.replace(".7.", ".8."),
        cookie.replace("canary", "stable"),
        arm.to_owned(),
        format!("{arm}."),
        format!("{arm}.{}", &signature[..16]),
        format!("{arm}.{}", "00".repeat(16)),
        format!("{arm}.{}", "zz".repeat(16)),
        "toehold_shop=".to_owned(),
    ] {
        assert_eq!(ours.read(&app("shop"), sent(&forged)), None, "{forged}");
    }
    assert_eq!(Key::default().read(&app("shop"), sent(&cookie)), None);
}

#[test]
fn it_goes_over_tls_alone_where_it_came_over_tls() {
    let cookie = |https| key("ab").cookie(&app("shop"), CANARY, https).expect("there is a key");
    assert!(cookie(false).ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    assert!(cookie(true).ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"));
}
