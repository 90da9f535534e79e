//! A track that a visitor names together with the app's secret: a team looks at a canary before
//! anyone else, also while it has no share.

use subtle::ConstantTimeEq;
use toehold_core::model::Track;
use toehold_core::wire::proxy::{TRACK_COOKIE, TRACK_HEADER, TrackKey};
use toehold_http::Request;

/// The track that a request names, where its secret is that of the app. One that is wrong says
/// nothing.
pub(crate) fn track(request: &Request<'_, '_>, key: &TrackKey) -> Option<Track> {
    if key.reveal().is_empty() {
        return None;
    }
    request.fields.iter().find_map(|field| {
        if is_header(field.name) {
            return open(field.value, key);
        }
        let pairs = field.name.eq_ignore_ascii_case("cookie").then_some(field.value)?;
        pairs.split(|byte| *byte == b';').find_map(|pair| open(cookie(pair)?, key))
    })
}

/// Whether this is the header that names a track: it is no app's to have. CGI and WSGI take an
/// underscore for a hyphen.
pub(crate) fn is_header(name: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == TRACK_HEADER.len() && name.bytes().map(plain).eq(TRACK_HEADER.bytes())
}

/// The value of the cookie that names a track, where this is it.
pub(crate) fn cookie(pair: &[u8]) -> Option<&[u8]> {
    pair.trim_ascii_start().strip_prefix(TRACK_COOKIE.as_bytes())?.strip_prefix(b"=")
}

/// `canary.SECRET`.
fn open(value: &[u8], key: &TrackKey) -> Option<Track> {
    let dot = value.iter().position(|byte| *byte == b'.')?;
    let track = std::str::from_utf8(&value[..dot]).ok()?.parse().ok()?;
    let is_it: bool = value[dot + 1..].trim_ascii_end().ct_eq(key.reveal().as_bytes()).into();
    is_it.then_some(track)
}

#[cfg(test)]
mod tests {
    use toehold_http::fields;

    use super::*;

    fn of(lines: &str, key: &str) -> Option<Track> {
        let head = format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
        let mut room = fields();
        let request = Request::read(head.as_bytes(), &mut room).expect("it is let in");
        track(&request, &TrackKey::new(key))
    }

    #[test]
    fn a_track_is_named_by_a_header_or_a_cookie_with_the_secret() {
        let (canary, stable) = (Some(Track::Canary), Some(Track::Stable));
        for (lines, named) in [
            ("X-Toehold-Track: canary.sesame\r\n", canary),
            ("x-toehold-track:stable.sesame\r\n", stable),
            ("cookie: a=b; toehold-track=canary.sesame\r\n", canary),
            ("cookie: a\r\ncookie: toehold-track=canary.sesame;b=c\r\n", canary),
            // The first that is right counts, and a wrong one says nothing.
            ("x-toehold-track: canary.no\r\ncookie: toehold-track=stable.sesame\r\n", stable),
            ("", None),
            ("x-toehold-track: canary\r\n", None),
            ("x-toehold-track: canary.\r\n", None),
            ("x-toehold-track: canary.sesam\r\n", None),
            ("x-toehold-track: canary.sesames\r\n", None),
            ("x-toehold-track: canary.Sesame\r\n", None),
            ("x-toehold-track: green.sesame\r\n", None),
            ("x-toehold-track: sesame\r\n", None),
            ("cookie: xtoehold-track=canary.sesame\r\n", None),
            ("cookie: toehold_track=canary.sesame\r\n", None),
        ] {
            assert_eq!(of(lines, "sesame"), named, "{lines}");
        }
        assert_eq!(of("x-toehold-track: canary.\r\n", ""), None, "an app without a secret");
    }
}
