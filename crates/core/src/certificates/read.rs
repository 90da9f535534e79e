//! What a certificate says of itself: read from DER (X.509, RFC 5280), as little of it as is needed.
//! It comes from whoever we were led to, so nothing in it is believed to have the length it says.

use std::time::Duration;

use crate::time::Timestamp;

/// What is needed of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The DNS names it is good for, in lower case.
    pub names: Vec<String>,
    /// It is good from then on.
    pub not_before: Timestamp,
    /// It is good until then.
    pub not_after: Timestamp,
    /// Its serial number, as its bytes stand in it.
    pub serial: Vec<u8>,
    /// The key of whoever signed it, by that one's own identifier; empty where it does not say.
    pub authority: Vec<u8>,
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const LONG_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]` and `[3]` around another value; `[0]` and `[2]` in place of one.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const KEY_ID: u8 = 0x80;
const DNS_NAME: u8 = 0x82;

/// subjectAltName and authorityKeyIdentifier.
const NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const AUTHORITY: &[u8] = &[0x55, 0x1d, 0x23];

/// Reads a certificate in DER; `None` where it is none.
#[must_use]
pub fn read(der: &[u8]) -> Option<Read> {
    let mut outer = Der(Der(der).take(SEQUENCE)?);
    let mut inner = Der(outer.take(SEQUENCE)?);
    if inner.next_is(VERSION) {
        inner.take(VERSION)?;
    }
    let serial = inner.take(INTEGER)?.to_vec();
    inner.take(SEQUENCE)?; // how it was signed
    inner.take(SEQUENCE)?; // by whom
    let mut validity = Der(inner.take(SEQUENCE)?);
    let (not_before, not_after) = (validity.time()?, validity.time()?);
    let mut read = Read { names: Vec::new(), not_before, not_after, serial, authority: Vec::new() };
    // Subject, key and two identifiers nobody uses stand before the extensions.
    while let Some((tag, content)) = inner.any() {
        if tag == EXTENSIONS {
            let mut extensions = Der(Der(content).take(SEQUENCE)?);
            while let Some((_, extension)) = extensions.any() {
                read.extension(extension)?;
            }
        }
    }
    Some(read)
}

impl Read {
    fn extension(&mut self, extension: &[u8]) -> Option<()> {
        let mut parts = Der(extension);
        let of = parts.take(OBJECT)?;
        if of != NAMES && of != AUTHORITY {
            return Some(());
        }
        // Whether it is critical may stand between.
        let mut value = None;
        while let Some((tag, content)) = parts.any() {
            value = (tag == OCTETS).then_some(content);
        }
        let mut content = Der(Der(value?).take(SEQUENCE)?);
        while let Some((tag, content)) = content.any() {
            match tag {
                DNS_NAME if of == NAMES => {
                    self.names.push(std::str::from_utf8(content).ok()?.to_ascii_lowercase());
                }
                KEY_ID if of == AUTHORITY => self.authority = content.to_vec(),
                _ => {}
            }
        }
        Some(())
    }
}

/// What is left to be read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next_is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The content of the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next_is(tag).then(|| self.any())?.map(|(_, content)| content)
    }

    /// The next value: its tag and content. `None` at the end, and where it is cut off.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            rest = after;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte))
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// `YYMMDDHHMMSSZ`, or with four digits of the year.
    fn time(&mut self) -> Option<Timestamp> {
        let (tag, text) = self.any()?;
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (year, rest) = match tag {
            UTC_TIME if text.len() == 12 => {
                let year: u32 = text[..2].parse().ok()?;
                (if year < 50 { 2_000 + year } else { 1_900 + year }, &text[2..])
            }
            LONG_TIME if text.len() == 14 => (text[..4].parse().ok()?, &text[4..]),
            _ => return None,
        };
        let at = |from: usize| &rest[from..from + 2];
        let text = format!("{year:04}-{}-{}T{}:{}:{}Z", at(0), at(2), at(4), at(6), at(8));
        match text.parse() {
            Ok(at) => Some(at),
            // Before 1970 is as good as 1970; a year nobody lives to see is no end.
            Err(_) if year < 1_970 => Some(Timestamp::default()),
            Err(_) if year > 9_000 => {
                Some(Timestamp::default().plus(Duration::from_hours(24 * 365 * 8_000)))
            }
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A value with its tag and length.
    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut bytes = match u8::try_from(length) {
            Ok(short @ ..0x80) => vec![tag, short],
            Ok(long) => vec![tag, 0x81, long],
            Err(_) => vec![
                tag,
                0x82,
                u8::try_from(length >> 8).expect("it is short"),
                (length & 0xff).to_le_bytes()[0],
            ],
        };
        bytes.extend_from_slice(content);
        bytes
    }

    fn certificate(not_after: &[u8]) -> Vec<u8> {
        let names = [
            der(DNS_NAME, b"Shop.example.com"),
            der(0x87, &[1, 2, 3, 4]),
            der(DNS_NAME, b"b.example.com"),
        ];
        let extension = |of: &[u8], value: &[u8]| {
            der(
                SEQUENCE,
                &[der(OBJECT, of), der(0x01, &[0xff]), der(OCTETS, &der(SEQUENCE, value))].concat(),
            )
        };
        let extensions = [
            extension(&[0x55, 0x1d, 0x0f], &[]),
            extension(NAMES, &names.concat()),
            extension(AUTHORITY, &der(KEY_ID, &[0xc0, 0xff, 0xee])),
        ];
        let validity = [der(UTC_TIME, b"270115080000Z"), not_after.to_vec()].concat();
        let inner = [
            der(VERSION, &der(INTEGER, &[2])),
            der(INTEGER, &[0, 0x87, 0x65]),
            der(SEQUENCE, &[]),
            der(SEQUENCE, &[]),
            der(SEQUENCE, &validity),
            der(SEQUENCE, &[]),
            der(SEQUENCE, &[0x05; 200]),
            der(EXTENSIONS, &der(SEQUENCE, &extensions.concat())),
        ];
        der(
            SEQUENCE,
            &[der(SEQUENCE, &inner.concat()), der(SEQUENCE, &[]), der(0x03, &[0; 70])].concat(),
        )
    }

    #[test]
    fn names_times_serial_and_authority_are_read() {
        let read = read(&certificate(&der(LONG_TIME, b"20270415080000Z"))).expect("it is one");
        assert_eq!(read.names, ["shop.example.com", "b.example.com"]);
        assert_eq!(read.not_before.to_string(), "2027-01-15T08:00:00.000Z");
        assert_eq!(read.not_after.to_string(), "2027-04-15T08:00:00.000Z");
        assert_eq!((read.serial, read.authority), (vec![0, 0x87, 0x65], vec![0xc0, 0xff, 0xee]));
    }

    #[test]
    fn a_time_is_one_that_there_is() {
        for (time, reads) in [
            (der(UTC_TIME, b"490101000000Z"), Some("2049-01-01T00:00:00.000Z")),
            (der(UTC_TIME, b"500101000000Z"), Some("1970-01-01T00:00:00.000Z")),
            (der(LONG_TIME, b"99991231235959Z"), Some("9964-09-09T00:00:00.000Z")),
            (der(UTC_TIME, b"2701150800Z"), None),
            (der(UTC_TIME, b"271315080000Z"), None),
            (der(UTC_TIME, b"+70115080000Z"), None),
            (der(INTEGER, b"270115080000Z"), None),
        ] {
            let at = read(&certificate(&time)).map(|it| it.not_after.to_string());
            assert_eq!(at.as_deref(), reads, "{time:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_cut_off_or_changed_is_read_without_harm(
            cut in 0_usize..400, at in 0_usize..400, byte: u8, noise: Vec<u8>,
        ) {
            let whole = certificate(&der(LONG_TIME, b"20270415080000Z"));
            prop_assert_eq!(read(&whole[..cut.min(whole.len() - 1)]), None);
            let mut changed = whole;
            let at = at % changed.len();
            changed[at] = byte;
            let _ = read(&changed);
            let _ = read(&noise);
        }
    }
}
