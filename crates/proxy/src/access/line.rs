//! A line of the access log. Whatever a visitor sent, it is one line, and no part of it looks like
//! another.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use toehold_core::time::Timestamp;

use crate::access::{AccessFormat, End, Entry};

impl Entry {
    /// Writes the line, its end included. One that has not ended has none.
    pub(super) fn write(&self, format: AccessFormat, out: &mut String) {
        let Some(end) = &self.end else { return };
        // What is written into memory does not fail.
        let _ = match format {
            AccessFormat::Json => self.write_json(end, out),
            AccessFormat::Combined => self.write_combined(end, out),
        };
    }

    fn write_json(&self, end: &End, out: &mut String) -> std::fmt::Result {
        write!(out, "{{\"time\":\"{}\"", Timestamp::from_ms(end.at_us / 1_000))?;
        text(out, "client", end.client.as_bytes())?;
        text(out, "method", self.method.as_bytes())?;
        text(out, "path", &self.target)?;
        text(out, "protocol", self.version.as_bytes())?;
        write!(out, ",\"status\":{},\"bytes\":{}", self.status, end.bytes)?;
        let took_us = end.took.as_micros();
        write!(out, ",\"duration_ms\":{}.{:03}", took_us / 1_000, took_us % 1_000)?;
        for (name, value) in [("referrer", &self.referrer), ("user_agent", &self.agent)] {
            if let Some(value) = value {
                text(out, name, value)?;
            }
        }
        text(out, "request_id", end.id.as_bytes())?;
        if let Some(app) = &self.app {
            text(out, "app", app.as_str().as_bytes())?;
        }
        if let Some(asked) = &self.asked {
            write!(out, ",\"release\":{}", asked.release.0)?;
            text(out, "track", asked.track.as_str().as_bytes())?;
            text(out, "instance", asked.instance.to_string().as_bytes())?;
        }
        write!(out, ",\"retries\":{},\"whole\":{}}}", self.tries.saturating_sub(1), end.whole)?;
        out.push('\n');
        Ok(())
    }

    fn write_combined(&self, end: &End, out: &mut String) -> std::fmt::Result {
        write!(out, "{} - - [", end.client)?;
        date(out, end.at_us)?;
        out.push_str("] \"");
        escaped(out, self.method.as_bytes())?;
        out.push(' ');
        escaped(out, &self.target)?;
        write!(out, " {}\" {} {}", self.version, self.status, end.bytes)?;
        for value in [&self.referrer, &self.agent] {
            out.push_str(" \"");
            escaped(out, value.as_deref().unwrap_or(b"-"))?;
            out.push('"');
        }
        out.push('\n');
        Ok(())
    }
}

/// A member of an object whose value is text.
fn text(out: &mut String, name: &str, value: &[u8]) -> std::fmt::Result {
    write!(out, ",\"{name}\":\"")?;
    for c in String::from_utf8_lossy(value).chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            // Some readers take the last two for ends of lines.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                write!(out, "\\u{:04x}", u32::from(c))?;
            }
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}

/// Bytes as nginx writes them: what is not plain as `\xHH`.
fn escaped(out: &mut String, value: &[u8]) -> std::fmt::Result {
    for &byte in value {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f.. => write!(out, "\\x{byte:02X}")?,
            plain => out.push(char::from(plain)),
        }
    }
    Ok(())
}

/// `29/Nov/2026:14:05:20 +0000`
fn date(out: &mut String, at_us: u64) -> std::fmt::Result {
    let http = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_micros(at_us));
    // `Sun, 29 Nov 2026 14:05:20 GMT`
    let part = |range: std::ops::Range<usize>| http.get(range).unwrap_or("-");
    write!(out, "{}/{}/{}:{} +0000", part(5..7), part(8..11), part(12..16), part(17..25))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use toehold_http::{Request, fields};

    use super::*;
    use crate::headers::Id;

    fn line(head: &str, format: AccessFormat) -> String {
        let mut room = fields();
        let request = Request::read(head.as_bytes(), &mut room).expect("it is a request");
        let app = "shop".parse().expect("it is a name");
        let mut entry = Entry::of(&request, Some(&app), Instant::now());
        entry.status = 200;
        entry.ends("192.0.2.1", &Id::of(&request), 7, true);
        entry.end.as_mut().expect("it ended").at_us = 1_800_000_000_123_000;
        entry.end.as_mut().expect("it ended").took = Duration::from_micros(12_034);
        let mut line = String::new();
        entry.write(format, &mut line);
        line
    }

    const PLAIN: &str = "GET /a?b=c HTTP/1.1\r\nHost: shop\r\nReferer: http://x/\r\n\
                         User-Agent: it\r\nX-Request-Id: abc\r\n\r\n";

    #[test]
    fn each_format_is_as_its_readers_know_it() {
        assert_eq!(
            line(PLAIN, AccessFormat::Combined),
            "192.0.2.1 - - [15/Jan/2027:08:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 7 \
             \"http://x/\" \"it\"\n"
        );
        assert_eq!(
            line(PLAIN, AccessFormat::Json),
            "{\"time\":\"2027-01-15T08:00:00.123Z\",\"client\":\"192.0.2.1\",\"method\":\"GET\",\
             \"path\":\"/a?b=c\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes\":7,\
             \"duration_ms\":12.034,\"referrer\":\"http://x/\",\"user_agent\":\"it\",\
             \"request_id\":\"abc\",\"app\":\"shop\",\"retries\":0,\"whole\":true}\n"
        );
    }

    #[test]
    fn nothing_a_visitor_sends_forges_a_line_or_a_part_of_one() {
        let hostile = "\"} \\\" \t\u{9b}31m \u{2028}\u{7f}é";
        let head = format!("GET / HTTP/1.1\r\nHost: shop\r\nUser-Agent: x{hostile}x\r\n\r\n");
        // What a parser lets in today is not what this relies on.
        let mut room = fields();
        let request = Request::read(PLAIN.as_bytes(), &mut room).expect("it is a request");
        let mut entry = Entry::of(&request, None, Instant::now());
        for bytes in [hostile.as_bytes(), b"\r\nGET / \0\xff\x1b[2J", head.as_bytes(), b""] {
            entry.agent = Some(bytes.into());
            entry.target = bytes.into();
            entry.ends("::1", &Id::fresh(), 0, false);
            for format in [AccessFormat::Json, AccessFormat::Combined] {
                let mut line = String::new();
                entry.write(format, &mut line);
                assert_eq!(line.matches(char::is_control).count(), 1, "{line:?}");
                assert!(line.ends_with('\n') && !line.contains('\u{2028}'), "{line:?}");
                if format == AccessFormat::Json {
                    let read: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
                    assert_eq!(read["user_agent"], String::from_utf8_lossy(bytes).as_ref());
                } else {
                    // Three texts, each between two quotes.
                    assert_eq!(line.matches('"').count(), 6, "{line:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_very_long_is_cut() {
        let path = "/".repeat(10_000);
        let head = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n");
        for format in [AccessFormat::Json, AccessFormat::Combined] {
            let line = line(&head, format);
            assert!(line.len() < 3_000 && line.contains("//..."), "{line}");
        }
    }
}
