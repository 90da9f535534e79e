//! As much YAML as stands below a failed test in TAP: keys with a text, or a block of text.

/// The text of the first of `keys` that is there.
pub(super) fn value(block: &str, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| find(block, key))
}

fn find(block: &str, key: &str) -> Option<String> {
    let mut lines = block.lines();
    let (indent, value) = lines.by_ref().find_map(|line| {
        let trimmed = line.trim_start();
        let value = trimmed.strip_prefix(key)?.strip_prefix(':')?.trim();
        Some((line.len() - trimmed.len(), value))
    })?;
    if !value.is_empty() && !value.starts_with(['|', '>']) {
        return Some(unquoted(value));
    }
    let deeper =
        |line: &&str| line.trim().is_empty() || line.len() - line.trim_start().len() > indent;
    let text: Vec<&str> = lines.take_while(deeper).collect();
    if value.is_empty() {
        // A table: what it says stands under its own keys.
        return None;
    }
    let margin = text
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let text: Vec<&str> = text.iter().map(|line| line.get(margin..).unwrap_or("")).collect();
    Some(text.join("\n").trim().to_owned()).filter(|text| !text.is_empty())
}

fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(text) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return text.replace("\\\"", "\"").replace("\\n", "\n").replace("''", "'");
        }
    }
    value.to_owned()
}
