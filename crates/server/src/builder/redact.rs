//! Secrets are made unreadable in whatever a build prints: plain, in base64, and as part of a URL,
//! also where a piece of output ends in the middle of one.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use toehold_core::wire::agent::Placed;

/// Shorter values would make half the output unreadable, and hide little.
const SHORTEST: usize = Placed::SHORTEST_SECRET;

/// What stands where a secret stood.
const MARK: &[u8] = b"***";

/// Reads output piece by piece and hides what must not be seen.
#[derive(Default)]
pub(super) struct Redactor {
    patterns: Vec<Vec<u8>>,
    /// The patterns that begin with a byte, longest first.
    by_first: Vec<Vec<usize>>,
    /// What may be the beginning of a secret and is held back until more has come.
    held: Vec<u8>,
}

impl Redactor {
    /// Hides these values.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut patterns: Vec<Vec<u8>> = secrets.into_iter().flat_map(forms).collect();
        patterns.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        patterns.dedup();
        let mut by_first = vec![Vec::new(); 256];
        for (index, pattern) in patterns.iter().enumerate() {
            by_first[usize::from(pattern[0])].push(index);
        }
        Self { patterns, by_first, held: Vec::new() }
    }

    /// Takes a piece; what may be shown of it and of what was held back is added to `shown`.
    pub(super) fn take(&mut self, piece: &[u8], shown: &mut Vec<u8>) {
        if self.patterns.is_empty() {
            shown.extend_from_slice(piece);
            return;
        }
        let mut data = std::mem::take(&mut self.held);
        data.extend_from_slice(piece);
        let mut from = 0;
        let mut at = 0;
        while at < data.len() {
            match self.look(&data[at..]) {
                Look::Nothing => at += 1,
                Look::Whole(length) => {
                    shown.extend_from_slice(&data[from..at]);
                    shown.extend_from_slice(MARK);
                    at += length;
                    from = at;
                }
                Look::Beginning => {
                    self.held = data.split_off(at);
                    break;
                }
            }
        }
        shown.extend_from_slice(&data[from..]);
    }

    /// No more comes: what was held back is no secret.
    pub(super) fn flush(&mut self, shown: &mut Vec<u8>) {
        shown.append(&mut self.held);
    }

    fn look(&self, data: &[u8]) -> Look {
        let candidates = &self.by_first[usize::from(data[0])];
        let mut found = Look::Nothing;
        for pattern in candidates.iter().map(|&index| &self.patterns[index]) {
            // A longer one that may still come is waited for.
            if pattern.len() > data.len() && pattern.starts_with(data) {
                return Look::Beginning;
            }
            if data.starts_with(pattern) {
                found = Look::Whole(pattern.len());
                break;
            }
        }
        found
    }
}

enum Look {
    Nothing,
    Whole(usize),
    Beginning,
}

/// Every form a value is likely to be printed in.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let value = value.trim();
    let lines = value.lines().map(str::trim).filter(|line| line.len() >= 16 && *line != value);
    std::iter::once(value)
        .chain(lines)
        .filter(|text| text.len() >= SHORTEST)
        .flat_map(|text| {
            let escaped = serde_json::Value::from(text).to_string();
            let escaped = escaped.trim_matches('"').as_bytes().to_vec();
            let url = |upper| url_encoded(text.as_bytes(), upper);
            [text.as_bytes().to_vec(), escaped, url(true), url(false)]
                .into_iter()
                .chain(base64_forms(text.as_bytes()))
        })
        .filter(|form| form.len() >= SHORTEST)
        .collect()
}

fn url_encoded(text: &[u8], upper: bool) -> Vec<u8> {
    let mut encoded = Vec::new();
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte);
        } else if upper {
            encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            encoded.extend_from_slice(format!("%{byte:02x}").as_bytes());
        }
    }
    encoded
}

/// What stays the same of a value in base64 wherever it stands in what is encoded: a line feed
/// behind it or a user's name before it change only the characters at its ends.
fn base64_forms(text: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let mut shifted = vec![0; before];
        shifted.extend_from_slice(text);
        // Six bits a character: those that hold bits of a neighbour are left out.
        let first = (before * 8).div_ceil(6);
        let last = shifted.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.extend(encoded.get(first..last).map(|core| core.as_bytes().to_vec()));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "pa$$ w0rd/+?ü";

    fn redacted(pieces: &[&[u8]]) -> String {
        let mut redactor = Redactor::new([SECRET, "short", "hunter2-hunter2"]);
        let mut shown = Vec::new();
        for piece in pieces {
            redactor.take(piece, &mut shown);
        }
        redactor.flush(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    }

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        let base64 = |text: &str| STANDARD_NO_PAD.encode(text);
        for printed in [
            SECRET.to_owned(),
            base64(SECRET),
            base64(&format!("{SECRET}\n")),
            base64(&format!("u:{SECRET}")),
            base64(&format!("us:{SECRET}@host")),
            "pa%24%24%20w0rd%2F%2B%3F%C3%BC".to_owned(),
            "pa%24%24%20w0rd%2f%2b%3f%c3%bc".to_owned(),
        ] {
            let shown = redacted(&[format!("<{printed}>").as_bytes()]);
            assert!(shown.contains("***"), "{printed} was shown as {shown}");
            assert!(shown.len() < 20, "{printed} was shown as {shown}");
        }
        assert_eq!(redacted(&[b"too short to hide"]), "too short to hide");
    }

    #[test]
    fn a_secret_is_hidden_wherever_a_piece_ends() {
        let text = format!("a {SECRET} b hunter2-hunter2 pa$$ c");
        for size in 1..text.len() {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(redacted(&pieces), "a *** b *** pa$$ c", "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_secret_is_not_held_for_long() {
        let mut redactor = Redactor::new([SECRET]);
        let mut shown = Vec::new();
        redactor.take(b"password: ", &mut shown);
        assert_eq!(shown, b"password: ");
        redactor.take(b"pa$", &mut shown);
        assert_eq!(shown, b"password: ");
        redactor.take(b"x", &mut shown);
        assert_eq!(shown, b"password: pa$x");
    }
}
