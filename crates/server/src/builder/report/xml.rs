//! XML as far as reports need it, one piece at a time.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{MAX_DEPTH, Unreadable};

/// A piece of a document.
pub(super) enum Piece<'a> {
    /// An element begins.
    Open(Element<'a>),
    /// Text within it.
    Text(&'a str),
    /// It ends.
    Close,
}

/// The beginning of an element.
pub(super) struct Element<'a> {
    start: BytesStart<'a>,
}

impl Element<'_> {
    /// Its name without a prefix.
    pub(super) fn name(&self) -> &str {
        let name: &str = self.start.name().0;
        name.rsplit(':').next().unwrap_or(name)
    }

    /// An attribute; `None` where it is absent.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.start
            .attributes()
            .with_checks(false)
            .flatten()
            .find(|attribute| attribute.key.0 == name)
            .map(|attribute| resolved(&attribute.value))
    }
}

/// Hands the pieces of `text` to `take`, in order. The first element must be one of `roots`.
pub(super) fn walk(
    text: &str,
    format: &'static str,
    roots: &[&str],
    mut take: impl FnMut(Piece<'_>) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().allow_dangling_amp = true;
    let mut depth = 0;
    let mut rooted = false;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(|error| match error {
            quick_xml::Error::Syntax(_) => Unreadable::CutOff,
            other => wrong(format, text, at, &other.to_string()),
        })?;
        let (start, is_empty) = match event {
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                depth -= 1;
                take(Piece::Close)?;
                continue;
            }
            Event::Eof if depth > 0 => return Err(Unreadable::CutOff),
            Event::Eof if !rooted => return Err(wrong(format, text, at, "it has no element")),
            Event::Eof => return Ok(()),
            // No tool needs one, and an entity may stand for more than there is room for.
            Event::DocType(declared) if declared.contains("<!ENTITY") => {
                return Err(wrong(format, text, at, "it declares entities of its own"));
            }
            other => {
                match said(&other) {
                    Some(piece) if depth > 0 => take(Piece::Text(&piece))?,
                    Some(piece) if !piece.trim().is_empty() => {
                        let why = "there is text outside the document";
                        return Err(wrong(format, text, at, why));
                    }
                    Some(_) | None => {}
                }
                continue;
            }
        };
        let element = Element { start };
        let is_root = roots.contains(&element.name()) && !rooted;
        if depth == 0 && !is_root {
            let why = format!("<{}> is not its root", element.name());
            return Err(wrong(format, text, at, &why));
        }
        rooted = true;
        take(Piece::Open(element))?;
        if is_empty {
            take(Piece::Close)?;
        } else {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(Unreadable::TooDeep(MAX_DEPTH));
            }
        }
    }
}

/// The text of an event that is text.
fn said<'a>(event: &'a Event<'_>) -> Option<Cow<'a, str>> {
    match event {
        Event::Text(piece) => Some(Cow::Borrowed(&**piece)),
        Event::CData(piece) => Some(Cow::Borrowed(&**piece)),
        Event::GeneralRef(name) => Some(Cow::Owned(resolved(&format!("&{};", &**name)))),
        _ => None,
    }
}

fn wrong(format: &'static str, text: &str, at: usize, why: &str) -> Unreadable {
    let line = 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count();
    Unreadable::Other { format, why: format!("line {line}: {why}") }
}

/// The five entities and characters by number put in; everything else stays as it is written.
fn resolved(raw: &str) -> String {
    let mut whole = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        whole.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        let found = end.and_then(|end| Some((entity(&rest[1..end])?, end)));
        let (c, end) = found.unwrap_or(('&', 0));
        whole.push(c);
        rest = &rest[end + 1..];
    }
    whole.push_str(rest);
    whole
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}
