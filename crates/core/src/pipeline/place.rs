//! Where in the checkout something failed, told by a stack trace or a compiler's line.

/// Endings of files people write; a host and port look like a file and line otherwise.
const SOURCES: [&str; 26] = [
    "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "vue", "svelte", "coffee", "json", "py",
    "rs", "go", "rb", "java", "kt", "php", "ex", "exs", "c", "cc", "cpp", "h", "sh",
];

/// Folders that hold other people's code.
const FOREIGN: [&str; 5] = ["node_modules", ".packages", "site-packages", "vendor", "target"];

/// The first place in the text that lies inside the checkout and is not a dependency's: the file
/// relative to the checkout, and the line counted from 1. Reads what Node, Python, Rust, Go and
/// most compilers write.
#[must_use]
pub fn place(text: &str, checkout: &str) -> Option<(String, u32)> {
    let lines = || text.lines().take(2_000);
    lines()
        .find_map(|line| colons(line, checkout))
        // Python writes the innermost call last.
        .or_else(|| lines().filter_map(|line| python(line, checkout)).last())
}

/// `file` relative to the checkout; `None` where it lies outside or is a dependency's.
#[must_use]
pub fn inside(file: &str, checkout: &str) -> Option<String> {
    let file = file.strip_prefix("file://").unwrap_or(file);
    let root = checkout.trim_end_matches('/');
    let relative = match file.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) if !root.is_empty() => rest,
        Some(_) | None => file,
    };
    let relative = relative.trim_start_matches("./");
    let foreign = relative.is_empty()
        || relative.starts_with('/')
        || relative.starts_with("internal/")
        || relative.contains("://")
        || relative.split('/').any(|part| part == ".." || FOREIGN.contains(&part));
    (!foreign).then(|| relative.to_owned())
}

/// `…path.ext:12…`, also in parentheses.
fn colons(line: &str, checkout: &str) -> Option<(String, u32)> {
    for (at, _) in line.match_indices(':') {
        let (before, after) = (&line[..at], &line[at + 1..]);
        let Some(number) = leading_number(after) else { continue };
        let Some((_, ending)) = before.rsplit_once('.') else { continue };
        if !SOURCES.contains(&ending) {
            continue;
        }
        // A path with spaces can only be told apart where it begins with the checkout's.
        let quoted = before.rfind(['(', '"', '\'']).map(|start| &before[start + 1..]);
        let quoted = quoted.filter(|path| !path.contains(' ') || path.starts_with(checkout));
        let plain = before.rsplit(char::is_whitespace).next();
        let found = quoted
            .into_iter()
            .chain(plain)
            .find_map(|path| inside(path, checkout).filter(|path| is_path(path)));
        if let Some(file) = found {
            return Some((file, number));
        }
    }
    None
}

fn is_path(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.find('.') > Some(0) && !path.chars().any(|c| c.is_control() || "<>(){}\"'|*?".contains(c))
}

/// `File "path", line 12, in test`.
fn python(line: &str, checkout: &str) -> Option<(String, u32)> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once('"')?;
    let number = leading_number(rest.strip_prefix(", line ")?)?;
    Some((inside(file, checkout)?, number))
}

/// A line number that ends where the digits do.
fn leading_number(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let ends = !text[digits..].starts_with(|c: char| c.is_alphanumeric() || c == '.');
    text[..digits].parse().ok().filter(|number| *number > 0 && ends)
}
