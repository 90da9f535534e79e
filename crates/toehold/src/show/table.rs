//! Columns that stand under each other.

use toehold_core::plain::is_obeyed;

/// Rows of cells, each column as wide as its widest cell; two spaces between. Colours do not count
/// as width.
pub fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| seen(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    rows.iter().map(|row| join(row, &widths)).collect()
}

fn join(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (place, cell) in row.iter().enumerate() {
        line.push_str(cell);
        if place + 1 < row.len() {
            let width = widths.get(place).copied().unwrap_or(0);
            line.push_str(&" ".repeat(width.saturating_sub(seen(cell)) + 2));
        }
    }
    line.trim_end().to_owned()
}

/// How many characters of a text are seen: its colours are not.
pub fn seen(text: &str) -> usize {
    let mut count = 0;
    let mut in_colour = false;
    for c in text.chars() {
        match c {
            '\x1b' => in_colour = true,
            'm' if in_colour => in_colour = false,
            _ if in_colour => {}
            _ => count += 1,
        }
    }
    count
}

/// Text from elsewhere, made safe for a terminal: no control characters, at most `most` of it.
pub fn safe(text: &str, most: usize) -> String {
    let plain = text.chars().map(|c| if is_obeyed(c) { ' ' } else { c });
    let short: String = plain.clone().take(most).collect();
    if plain.count() > most { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_seen() {
        let cell = |text: &str| text.to_owned();
        let rows = vec![vec![cell("a"), cell("b")], vec![cell("\x1b[32mlong\x1b[0m"), cell("c")]];
        assert_eq!(columns(&rows), ["a     b", "\x1b[32mlong\x1b[0m  c"]);
    }

    #[test]
    fn nothing_from_elsewhere_moves_the_cursor() {
        assert_eq!(safe("a\x1b[2Jb\nc", 40), "a [2Jb c");
        assert_eq!(safe("abcdef", 3), "abc…");
    }
}
