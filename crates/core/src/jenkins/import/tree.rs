//! A job's file as a tree, each element with its line. Real files lack their last tags, and call
//! themselves XML 1.1: what can be understood is.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use thiserror::Error;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Deeper than any job is.
const MAX_DEPTH: usize = 100;

/// Why a file is no job of Jenkins.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAJob {
    /// It is larger than any job.
    #[error("it is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// It is something else.
    #[error("line {line}: {why}")]
    Other {
        /// Where that shows.
        line: usize,
        /// Why.
        why: String,
    },
}

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Its name, as it is written: `hudson.tasks.Shell`.
    pub(super) name: String,
    /// Its attribute `class`.
    pub(super) class: String,
    /// The line it begins on, counted from 1.
    pub(super) line: usize,
    /// Its own text.
    pub(super) text: String,
    /// What lies in it.
    pub(super) children: Vec<Element>,
    /// Whether the file went on to its end tag.
    pub(super) closed: bool,
}

impl Element {
    /// What lies in it under this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of what lies in it under this name, without blanks around it; `None` where it is
    /// empty.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        self.child(name).map(|it| it.text.trim()).filter(|text| !text.is_empty())
    }

    /// Whether it says `true` under this name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.said(name) == Some("true")
    }

    /// Every element below it under this name, in order.
    pub(super) fn all<'a>(&'a self, name: &str) -> Vec<&'a Self> {
        let mut found = Vec::new();
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            found.extend(child.all(name));
        }
        found
    }

    /// The part of its name that people know it by: `Shell` of `hudson.tasks.Shell`.
    pub(super) fn short(&self) -> &str {
        let name = if self.class.is_empty() { &self.name } else { &self.class };
        name.rsplit(['.', '$']).next().unwrap_or(name)
    }
}

/// Reads a file. What is open at its end ends there.
pub(super) fn read(text: &str) -> Result<Element, NotAJob> {
    if text.len() > MAX_BYTES {
        return Err(NotAJob::TooLarge);
    }
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    let mut lines = Lines { text, at: 0, line: 1 };
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    while root.is_none() {
        let line = lines.at(usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX));
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                open.push(begun(&start, line));
                if open.len() > MAX_DEPTH {
                    let why = format!("its elements are nested more than {MAX_DEPTH} deep");
                    return Err(NotAJob::Other { line, why });
                }
            }
            Ok(Event::Empty(start)) => {
                close(Element { closed: true, ..begun(&start, line) }, &mut open, &mut root);
            }
            Ok(Event::End(end)) => {
                let name: &str = end.name().0;
                // One that was forgotten ends where the one around it does.
                if let Some(at) = open.iter().rposition(|it| it.name == name) {
                    while open.len() > at {
                        let mut element = open.pop().expect("it was just found");
                        element.closed = open.len() == at;
                        close(element, &mut open, &mut root);
                    }
                }
            }
            // The file was cut off, in the middle of a tag or before one.
            Ok(Event::Eof) | Err(quick_xml::Error::Syntax(_)) => break,
            Ok(event) => {
                if let (Some(text), Some(element)) = (said(&event), open.last_mut()) {
                    element.text.push_str(&text);
                }
            }
            Err(error) => return Err(NotAJob::Other { line, why: error.to_string() }),
        }
    }
    while let Some(element) = open.pop() {
        close(element, &mut open, &mut root);
    }
    root.ok_or_else(|| NotAJob::Other { line: 1, why: "there is no element in it".to_owned() })
}

/// Puts what has ended into what it lies in.
fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn begun(start: &BytesStart<'_>, line: usize) -> Element {
    let name: &str = start.name().0;
    let mut attributes = start.attributes();
    let mut attributes = attributes.with_checks(false).flatten();
    let class = attributes.find(|it| it.key.0 == "class");
    let class = class.map(|it| resolved(&it.value)).unwrap_or_default();
    Element { name: name.to_owned(), class, line, ..Element::default() }
}

fn said<'a>(event: &'a Event<'_>) -> Option<Cow<'a, str>> {
    match event {
        Event::Text(piece) => Some(Cow::Borrowed(&**piece)),
        Event::CData(piece) => Some(Cow::Borrowed(&**piece)),
        Event::GeneralRef(name) => Some(Cow::Owned(resolved(&format!("&{};", &**name)))),
        _ => None,
    }
}

/// The five entities and characters by number put in; everything else stays as it is written.
fn resolved(raw: &str) -> String {
    let mut whole = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        whole.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        let (c, used) =
            end.and_then(|end| Some((character(&rest[1..end])?, end + 1))).unwrap_or(('&', 1));
        whole.push(c);
        rest = &rest[used..];
    }
    whole.push_str(rest);
    whole
}

fn character(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    })
}

/// Counts lines up to a place; each place is behind the one before.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, place: usize) -> usize {
        let bytes = self.text.as_bytes();
        let place = place.min(bytes.len());
        if let Some(passed) = bytes.get(self.at..place) {
            self.line += passed.split(|&byte| byte == b'\n').count() - 1;
            self.at = place;
        }
        self.line
    }
}
