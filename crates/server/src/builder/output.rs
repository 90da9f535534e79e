//! The output of a build: a file that grows as the build goes, and its last lines.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use toehold_core::plain;

use crate::builder::redact::Redactor;

/// Lines that are remembered of a step.
const TAIL_LINES: usize = 400;

/// Bytes that are remembered of a line.
const TAIL_LINE_BYTES: usize = 2_000;

/// A build's log. Each step begins with a line `== test: npx jasmine`; then come the step's own
/// bytes, secrets hidden; lines of Toehold begin with `-- `.
pub(super) struct Log {
    file: File,
    redactor: Redactor,
    left_bytes: u64,
    dropped_bytes: u64,
    in_line: bool,
    tail: Tail,
    /// Why the file could not be written, where it could not; said once, at the end.
    failed: Option<io::Error>,
}

impl Log {
    /// Begins the log of a build anew.
    pub(super) fn create(path: &Path, redactor: Redactor, max_bytes: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(Self {
            file: File::create(path)?,
            redactor,
            left_bytes: max_bytes,
            dropped_bytes: 0,
            in_line: false,
            tail: Tail::default(),
            failed: None,
        })
    }

    /// A step begins; its tail is empty.
    pub(super) fn begin(&mut self, title: &str) {
        self.tail = Tail::default();
        self.own(&format!("== {title}"));
    }

    /// A line of Toehold's own.
    pub(super) fn say(&mut self, line: &str) {
        self.own(&format!("-- {line}"));
    }

    /// A piece of what a command printed.
    pub(super) fn take(&mut self, piece: &[u8]) {
        let mut shown = Vec::with_capacity(piece.len());
        self.redactor.take(piece, &mut shown);
        self.keep(&shown);
    }

    /// The command prints no more: its last lines, clean.
    pub(super) fn end(&mut self) -> Vec<String> {
        let mut shown = Vec::new();
        self.redactor.flush(&mut shown);
        self.keep(&shown);
        if self.dropped_bytes > 0 {
            let dropped = self.dropped_bytes;
            self.dropped_bytes = 0;
            self.own(&format!("-- {dropped} more bytes were printed and not kept"));
        }
        std::mem::take(&mut self.tail).end()
    }

    /// Why not all of it is in the file.
    pub(super) fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    fn own(&mut self, line: &str) {
        let mut bytes = Vec::new();
        // What Toehold says may quote a command or a file, and so a secret.
        self.redactor.flush(&mut bytes);
        if self.in_line || !bytes.is_empty() {
            bytes.push(b'\n');
        }
        self.redactor.take(line.as_bytes(), &mut bytes);
        self.redactor.flush(&mut bytes);
        bytes.push(b'\n');
        self.write(&bytes);
        self.in_line = false;
    }

    fn keep(&mut self, shown: &[u8]) {
        let Some(&last) = shown.last() else { return };
        self.tail.take(shown);
        let room = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(shown.len());
        self.left_bytes -= room as u64;
        self.dropped_bytes += (shown.len() - room) as u64;
        self.write(&shown[..room]);
        if room > 0 {
            self.in_line = room < shown.len() || last != b'\n';
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.file.write_all(bytes) {
            self.failed.get_or_insert(error);
        }
    }
}

/// The last lines of a step.
#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
    line: Vec<u8>,
}

impl Tail {
    fn take(&mut self, piece: &[u8]) {
        // Of much output only the end can be remembered.
        let piece = &piece[piece.len().saturating_sub(TAIL_LINES * TAIL_LINE_BYTES)..];
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let room = (2 * TAIL_LINE_BYTES).saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..room.min(part.len())]);
            if part.ends_with(b"\n") {
                self.turn();
            }
        }
    }

    fn turn(&mut self) {
        let line = clean(&std::mem::take(&mut self.line));
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    fn end(mut self) -> Vec<String> {
        if !self.line.is_empty() {
            self.turn();
        }
        self.lines.into()
    }
}

/// A line as it may be shown in a mail: without colours, titles, control characters and marks that
/// turn the direction of writing. Of a line that overwrites itself, what stood there last.
fn clean(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\n', '\r']);
    let text = text.rsplit('\r').next().unwrap_or(text);
    let kept = plain::output(text);
    if kept.len() > TAIL_LINE_BYTES {
        format!("{}…", &kept[..kept.floor_char_boundary(TAIL_LINE_BYTES)])
    } else {
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_as_it_stood_in_the_end() {
        for (printed, shown) in [
            ("\u{1b}[31mred\u{1b}[0m text\n", "red text"),
            ("\u{1b}]0;title\u{7}prompt", "prompt"),
            ("\u{1b}]0;title\u{1b}\\prompt", "prompt"),
            (" 10%\r 20%\r100%\r\n", "100%"),
            ("a\0b\u{202e}c\td", "abc    d"),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(clean(printed.as_bytes()), shown, "{printed:?}");
        }
        assert!(clean(&vec![b'x'; 1 << 20]).len() < 2 * TAIL_LINE_BYTES);
    }

    #[test]
    fn much_output_is_counted_and_its_end_remembered() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("app/1.log");
        let mut log = Log::create(&path, Redactor::new(["s3cret-s3cret"]), 20).expect("a log");
        log.begin("test: x s3cret-s3cret");
        log.take(b"0123456789");
        log.take(b"s3cret-");
        log.take(b"s3cret 3456789 lost\nlast");
        assert_eq!(log.end(), ["0123456789*** 3456789 lost", "last"]);
        log.say("done");
        let text = fs::read_to_string(&path).expect("it was written");
        assert_eq!(
            text,
            "== test: x ***\n0123456789*** 345678\n-- 11 more bytes were printed and not kept\n-- \
             done\n"
        );
        assert!(log.failed().is_none());
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut log =
            Log::create(&dir.path().join("1.log"), Redactor::default(), 1 << 30).expect("a log");
        log.begin("test");
        for _ in 0..20 {
            log.take(&vec![b'x'; 1 << 20]);
        }
        log.take(b"\nend\n");
        let tail = log.end();
        assert_eq!(tail.len(), 2);
        assert!(tail[0].len() < 3 * TAIL_LINE_BYTES);
    }
}
