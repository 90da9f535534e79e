//! Texts from elsewhere, as they may be shown to people: in a mail, on a terminal, on a page.

/// Whether a character is obeyed rather than shown: a control character, or one that turns the
/// direction of the writing around it.
#[must_use]
pub fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// On one line, at most `most` characters: what is obeyed rather than shown is a gap, and of gaps
/// one is left.
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    let plain: String = text.chars().map(|c| if is_obeyed(c) { ' ' } else { c }).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(most) {
        Some((end, _)) => words[..end].trim_end().to_owned(),
        None => words,
    }
}

/// Output of a program, without colours, titles and whatever else is obeyed; its line feeds stay.
#[must_use]
pub fn output(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\t' => kept.push_str("    "),
            '\n' => kept.push('\n'),
            c if is_obeyed(c) => {}
            c => kept.push(c),
        }
    }
    kept
}

/// Skips what follows ESC: `[…m`, `]…` up to BEL or ST, or one character.
fn skip_escape(chars: &mut std::str::Chars<'_>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        Some(']') => {
            while let Some(c) = chars.next() {
                if matches!(c, '\u{7}' | '\u{9c}') || (c == '\u{1b}' && chars.next() == Some('\\'))
                {
                    break;
                }
            }
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_obeyed_rather_than_shown_is_left_out() {
        for (printed, shown) in [
            ("\u{1b}[31mred\u{1b}[0m text", "red text"),
            ("\u{1b}]0;title\u{7}prompt", "prompt"),
            ("\u{1b}]0;title\u{1b}\\prompt", "prompt"),
            ("\u{1b}]0;title\u{9c}prompt", "prompt"),
            ("a\0b\u{202e}c\td\ne", "abc    d\ne"),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(output(printed), shown, "{printed:?}");
        }
    }

    #[test]
    fn a_line_is_one_line_and_no_longer_than_it_may_be() {
        assert_eq!(line(" Ada\r\nBcc: \u{202e}all\0 ", 100), "Ada Bcc: all");
        assert_eq!(line("ä b c", 3), "ä b");
        assert_eq!(line("", 3), "");
    }
}
