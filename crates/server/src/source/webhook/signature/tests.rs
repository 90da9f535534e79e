use hyper::HeaderMap;
use toehold_core::time::Timestamp;

use crate::source::webhook::{Forge, MAX_BODY_BYTES, verify};

/// From GitHub's own documentation of the signature.
const SECRET: &str = "It's a Secret to Everybody";
const BODY: &[u8] = b"Hello, World!";
const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn check(secrets: &[&str], body: &[u8], signatures: &[(&'static str, &str)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in signatures {
        headers.append(*name, value.parse().expect("it is a header"));
    }
    match verify(Forge::Github, secrets, &headers, body, Timestamp::from_ms(0)) {
        Ok(()) => "believed".to_owned(),
        Err(refusal) => format!("{refusal:?} {}", refusal.status()),
    }
}

#[test]
fn the_published_example_is_believed() {
    assert_eq!(check(&[SECRET], BODY, &[("x-hub-signature-256", SIGNATURE)]), "believed");
}

#[test]
fn any_of_several_secrets_will_do() {
    let header = [("x-hub-signature-256", SIGNATURE)];
    assert_eq!(check(&["new", SECRET], BODY, &header), "believed");
    assert_eq!(check(&[SECRET, "new"], BODY, &header), "believed");
    assert_eq!(check(&["new", "newer"], BODY, &header), "Mismatch 403");
}

#[test]
fn without_a_secret_nobody_is_believed() {
    let header = [("x-hub-signature-256", SIGNATURE)];
    assert_eq!(check(&[], BODY, &header), "NoSecret 403");
    assert_eq!(check(&["", ""], BODY, &header), "NoSecret 403");
    // What somebody could compute who knows that the secret is empty.
    let empty = "sha256=6864d289ffe1be4a0c6c4db0e5eda7f6ddaa3c4ab4f6bd0d9ba6f3cf4c3bdc0e";
    assert_eq!(check(&[""], BODY, &[("x-hub-signature-256", empty)]), "NoSecret 403");
}

#[test]
fn a_signature_that_is_absent_cut_or_doubled_is_refused() {
    let name = "x-hub-signature-256";
    assert_eq!(check(&[SECRET], BODY, &[]), "Unsigned 401");
    assert_eq!(check(&[SECRET], BODY, &[("x-hub-signature", "sha1=00")]), "Sha1Only 401");
    assert_eq!(check(&[SECRET], BODY, &[(name, "")]), "Unsigned 401");
    for bad in ["sha256=", &SIGNATURE[..70], &SIGNATURE[7..], "sha512=00"] {
        assert_eq!(check(&[SECRET], BODY, &[(name, bad)]), "Malformed 401", "{bad:?}");
    }
    let doubled = [(name, SIGNATURE), (name, SIGNATURE)];
    assert_eq!(check(&[SECRET], BODY, &doubled), "Malformed 401");
}

#[test]
fn one_changed_byte_is_refused() {
    let header = [("x-hub-signature-256", SIGNATURE)];
    assert_eq!(check(&[SECRET], b"Hello, World?", &header), "Mismatch 403");
}

#[test]
fn a_body_longer_than_any_is_refused_before_anything() {
    let body = vec![b' '; MAX_BODY_BYTES + 1];
    assert_eq!(check(&[], &body, &[]), "TooLong 413");
}
