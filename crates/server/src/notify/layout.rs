//! Plain text as it stands in a mail: lines of at most 76 columns, nothing that a terminal or a
//! mail program would obey.

use toehold_core::plain;

/// The width of prose.
const COLUMNS: usize = 76;

/// The longest verbatim line; more of it is in the log.
const VERBATIM: usize = 240;

/// The largest body, in bytes of JSON: a letter must fit into a document.
const MAX_BODY_BYTES: usize = 40 * 1024;

/// A text under work, block by block.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// A paragraph of prose, wrapped.
    pub(super) fn prose(mut self, text: &str) -> Self {
        self.gap();
        wrap(&mut self.text, &one_line(text), "");
        self
    }

    /// A heading with its lines, indented and as they are; nothing where there are no lines.
    pub(super) fn verbatim<I>(mut self, heading: &str, lines: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_none() {
            return self;
        }
        self.gap();
        self.text.push_str(heading);
        self.text.push('\n');
        for line in lines {
            let line = plain::output(line.as_ref()).replace('\n', " ");
            let line: String = line.chars().take(VERBATIM).collect();
            self.text.push_str("  ");
            self.text.push_str(line.trim_end());
            self.text.truncate(self.text.trim_end_matches(' ').len());
            self.text.push('\n');
        }
        self
    }

    /// Names with their values, in two columns; those without a value are left out.
    pub(super) fn table(mut self, rows: &[(&str, String)]) -> Self {
        let rows: Vec<_> = rows.iter().filter(|(_, value)| !value.is_empty()).collect();
        if rows.is_empty() {
            return self;
        }
        self.gap();
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
        for (name, value) in rows {
            let name = format!("{name:width$}");
            wrap(&mut self.text, &format!("{name}{}", one_line(value)), &" ".repeat(width));
        }
        self
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        let mut text = self.text;
        let mut bytes = 0;
        let too_much = text.char_indices().find(|(_, c)| {
            bytes += if matches!(c, '"' | '\\' | '\n') { 2 } else { c.len_utf8() };
            bytes > MAX_BODY_BYTES
        });
        if let Some((end, _)) = too_much {
            text.truncate(end);
            text.push_str("\n…\n");
        }
        text
    }

    fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }
}

/// The text on one line, without anything that is obeyed rather than shown: fit for a header.
pub(super) fn one_line(text: &str) -> String {
    let shown = text.replace(['\r', '\n', '\t'], " ");
    plain::output(&shown).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text cut to `columns`, with a sign where something is missing.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

fn wrap(into: &mut String, text: &str, indent: &str) {
    let mut column = 0;
    for word in text.split_inclusive(' ') {
        let width = word.trim_end().chars().count();
        if column > indent.len() && column + width > COLUMNS {
            into.truncate(into.trim_end().len());
            into.push('\n');
            into.push_str(indent);
            column = indent.len();
        }
        into.push_str(word);
        column += word.chars().count();
    }
    into.truncate(into.trim_end().len());
    into.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_obeyed_rather_than_shown_is_left_out() {
        assert_eq!(one_line("a\r\nBcc: x@y\n\nz"), "a Bcc: x@y z");
    }

    #[test]
    fn prose_is_wrapped_and_what_was_printed_is_not() {
        let long = "word ".repeat(40);
        let text = Page::default()
            .prose(&long)
            .verbatim("Said", [long.as_str(), "", "x"])
            .table(&[("Commit", "1".into()), ("None", String::new()), ("By", long.clone())])
            .finish();
        let prose: Vec<_> = text.lines().take_while(|line| !line.is_empty()).collect();
        assert!(prose.len() == 3 && prose.iter().all(|line| line.len() <= 76), "{text}");
        assert!(text.contains("\nSaid\n  word word"), "{text}");
        assert!(text.contains("\nCommit  1\nBy      word"), "{text}");
        assert!(text.contains("\n        word"), "{text}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    }

    #[test]
    fn a_body_fits_into_a_document() {
        let lines = vec!["ä".repeat(500); 1_000];
        assert!(Page::default().verbatim("Log", lines).finish().len() < MAX_BODY_BYTES + 10);
    }
}
