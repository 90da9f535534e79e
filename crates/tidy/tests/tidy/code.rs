//! Rust as a rule wants to read it: comments and the insides of strings are blank, lines stay where
//! they were, and each line knows whether it belongs to a test.

/// A source file, ready to be searched.
#[derive(Debug)]
pub(crate) struct Code {
    /// The text with comments, strings and character literals blanked.
    pub(crate) lines: Vec<String>,
    /// Whether the line stands under `#[cfg(test)]` or `#[test]`.
    pub(crate) in_test: Vec<bool>,
}

impl Code {
    /// Reads a source text.
    pub(crate) fn read(text: &str) -> Self {
        let blanked = blank(text);
        let in_test = mark_tests(&blanked);
        Self { lines: blanked.lines().map(str::to_owned).collect(), in_test }
    }

    /// The lines with their numbers, counted from 1, and whether each belongs to a test.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        self.lines
            .iter()
            .enumerate()
            .map(|(i, line)| (i + 1, line.as_str(), self.in_test.get(i).copied().unwrap_or(false)))
    }
}

/// Whether `word` stands in `line` and is not part of a longer word.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    positions(line, word).next().is_some()
}

/// Where `word` stands in `line`, longer words left out.
pub(crate) fn positions<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).filter_map(move |(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(in_word);
        let begins_as_word = word.starts_with(in_word);
        let after = line[at + word.len()..].chars().next().is_some_and(in_word);
        let ends_as_word = word.ends_with(in_word);
        (!(before && begins_as_word || after && ends_as_word)).then_some(at)
    })
}

/// The text with comments and literals turned to spaces; every line feed stays.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` where none begins.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1);
    match chars[at] {
        '/' if next == Some(&'/') => find(chars, at, &['\n']),
        '/' if next == Some(&'*') => block_comment_end(chars, at),
        '"' => string_end(chars, at + 1),
        '\'' => character_end(chars, at),
        'r' if !continues_word(chars, at) => raw_string_end(chars, at + 1).unwrap_or(at),
        'b' if next == Some(&'r') && !continues_word(chars, at) => {
            raw_string_end(chars, at + 2).unwrap_or(at)
        }
        _ => at,
    }
}

fn continues_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && chars[at - 1] != 'b'
}

/// The position of the first of `wanted` at or after `from`, or the end.
fn find(chars: &[char], from: usize, wanted: &[char]) -> usize {
    (from..chars.len()).find(|&i| wanted.contains(&chars[i])).unwrap_or(chars.len())
}

/// Block comments nest.
fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = at;
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => {
                (depth, i) = (depth - 1, i + 2);
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], mut i: usize) -> usize {
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// The end of a raw string whose `#`s or quote begin at `i`; `None` where it is none.
fn raw_string_end(chars: &[char], i: usize) -> Option<usize> {
    let hashes = chars[i.min(chars.len())..].iter().take_while(|&&c| c == '#').count();
    if chars.get(i + hashes) != Some(&'"') {
        return None;
    }
    let mut end = i + hashes + 1;
    loop {
        end = find(chars, end, &['"']) + 1;
        if end > chars.len() {
            return Some(chars.len());
        }
        if chars[end..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes {
            return Some(end + hashes);
        }
    }
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime.
fn character_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => (find(chars, at + 3, &['\'']) + 1).min(chars.len()),
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// Marks every line of an item under a test attribute.
fn mark_tests(blanked: &str) -> Vec<bool> {
    let mut marks = vec![false; blanked.lines().count()];
    let line_of = |at: usize| blanked[..at].matches('\n').count();
    for attribute in ["#[cfg(test)]", "#[cfg(all(test", "#[test]", "#[tokio::test"] {
        for (at, _) in blanked.match_indices(attribute) {
            let end = item_end(blanked, at);
            for mark in marks.iter_mut().take(line_of(end) + 1).skip(line_of(at)) {
                *mark = true;
            }
        }
    }
    marks
}

/// Where the item ends whose attributes begin at `at`: its `;`, or the brace that closes it.
fn item_end(text: &str, at: usize) -> usize {
    let (mut round, mut curly) = (0_i32, 0_i32);
    for (i, c) in text[at..].char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            '{' => curly += 1,
            '}' => {
                curly -= 1;
                if curly <= 0 {
                    return at + i;
                }
            }
            ';' if round == 0 && curly == 0 => return at + i,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn comments_and_strings_are_not_code() {
    let code = Code::read(
        "let a = \"unsafe\"; // unsafe\n/* unsafe /* unsafe */ unsafe */ let b = r#\"a \" unsafe\"#;\nlet c = '\"'; let d: &'static str = b\"unsafe\\\"\";",
    );
    assert_eq!(code.lines.len(), 3);
    assert!(code.lines.iter().all(|line| !line.contains("unsafe")), "{:#?}", code.lines);
    assert!(code.lines[1].contains("let b ="));
    assert!(code.lines[2].contains("let d: &'static str ="));
}

#[test]
fn a_test_ends_with_its_brace() {
    let code = Code::read("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
    assert_eq!(code.in_test, [false, true, true, true, true, false]);
}

#[test]
fn a_test_module_elsewhere_ends_with_its_semicolon() {
    let code = Code::read("#[cfg(test)]\nmod tests;\nfn c() {}\n");
    assert_eq!(code.in_test, [true, true, false]);
}

#[test]
fn a_word_is_not_found_in_a_longer_one() {
    assert!(has_word("unsafe {", "unsafe"));
    assert!(!has_word("unsafe_code", "unsafe"));
    assert!(has_word("x.unwrap()", ".unwrap()"));
}
