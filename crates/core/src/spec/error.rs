//! What is wrong with a `toehold.toml`: where, which key, and the cure.

use std::ops::Range;

use thiserror::Error;
use toml::de::{DeTable, DeValue};

/// A `toehold.toml` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("toehold.toml:{line}:{column}: {what}")]
pub struct SpecError {
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// The key it is about, `build.timeout`; empty where the text is not TOML at all.
    pub key: String,
    /// What is wrong and what to write instead; it names the key.
    pub what: String,
}

/// What is wrong, and the bytes of the text it is about.
#[derive(Debug)]
pub(super) struct Problem {
    span: Range<usize>,
    what: String,
}

impl Problem {
    /// `what` is wrong with the value at `span`.
    pub(super) fn at(span: Range<usize>, what: impl Into<String>) -> Self {
        Self { span, what: what.into() }
    }
}

impl From<toml::de::Error> for Problem {
    fn from(error: toml::de::Error) -> Self {
        Self { span: error.span().unwrap_or(0..0), what: error.message().trim().to_owned() }
    }
}

impl SpecError {
    /// Turns bytes into a line and a column, and finds the key they belong to.
    pub(super) fn new(text: &str, problem: Problem) -> Self {
        let Problem { span, what } = problem;
        let (line, column) = place(text, span.start);
        let place = DeTable::parse(text)
            .ok()
            .and_then(|table| find(table.get_ref(), span.start, &mut Vec::new()));
        let (key, what) = match place {
            None => (String::new(), what),
            Some(Place { path, is_key }) => {
                let key = path.join(".");
                let what = match unknown(&what) {
                    Some(expected) if is_key => name_unknown(&path, &expected),
                    Some(_) | None => format!("{key}: {what}"),
                };
                (key, what)
            }
        };
        Self { line, column, key, what }
    }
}

/// Line and column of a byte, both counted from 1.
fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|&byte| byte == b'\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let counted = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
    (counted(line), counted(column))
}

/// Where in the tree of keys a byte lies.
struct Place {
    path: Vec<String>,
    is_key: bool,
}

fn find(table: &DeTable<'_>, offset: usize, path: &mut Vec<String>) -> Option<Place> {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        if key.span().contains(&offset) {
            return Some(Place { path: path.clone(), is_key: true });
        }
        // The span of a table with a header of its own covers the header alone, so what is in it
        // is looked at in any case.
        if let DeValue::Table(inner) = value.get_ref()
            && let Some(place) = find(inner, offset, path)
        {
            return Some(place);
        }
        if value.span().contains(&offset) {
            return Some(Place { path: path.clone(), is_key: false });
        }
        path.pop();
    }
    None
}

/// The names that were expected, where the message is serde's for an unknown one.
fn unknown(message: &str) -> Option<Vec<String>> {
    let expected = message.strip_prefix("unknown field `")?.split_once("`, ")?.1;
    Some(expected.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

fn name_unknown(path: &[String], expected: &[String]) -> String {
    let (given, table) = path.split_last().map_or(("", &[][..]), |(last, rest)| (last, rest));
    let table = match table {
        [] => String::new(),
        names => format!(" in [{}]", names.join(".")),
    };
    let cure = match nearest(given, expected) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known are {}", expected.join(", ")),
    };
    format!("unknown key `{given}`{table}: {cure}")
}

/// The name that is most like what was given, where one is like enough.
pub(super) fn nearest<'a>(given: &str, names: &'a [impl AsRef<str>]) -> Option<&'a str> {
    let given = given.to_lowercase().replace('-', "_");
    names
        .iter()
        .map(|name| (distance(&given, name.as_ref()), name.as_ref()))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be added, dropped, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<_>>()];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut least =
                (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}
