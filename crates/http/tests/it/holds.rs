//! What holds of all bytes, whoever made them: tests and fuzzers share it. What does not, panics.

use std::hash::{DefaultHasher, Hash, Hasher};

use toehold_http::{Answer, Body, Field, Framing, Request, end, fields};

use crate::oracle;
use crate::reading::{Answers, Reading, Requests, Side};

/// The bytes that a visitor sends. What is answered: how many heads were let in, and whether something
/// was refused.
pub fn of_requests(bytes: &[u8]) -> (usize, bool) {
    let reading = cut_anywhere::<Requests>(bytes);
    let mut rest = bytes;
    for message in &reading.messages {
        let Ok(Some(len)) = end(rest, &mut 0, 65_536) else {
            panic!("it was let in: {}", shown(rest))
        };
        let (head, body) = rest.split_at(len);
        same_to_both(head);
        rest = match message.framing {
            Some(Framing::Length(length)) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                body.get(length..).unwrap_or_default()
            }
            Some(Framing::Chunked) => match oracle::chunks(body) {
                Ok(Some((content, used))) => {
                    assert_eq!(content, message.content, "{}", shown(bytes));
                    &body[used..]
                }
                Ok(None) => return (reading.messages.len(), reading.refusal.is_some()),
                Err(_) => {
                    assert!(reading.refusal.is_some(), "only one takes it: {}", shown(bytes));
                    return (reading.messages.len(), true);
                }
            },
            _ => panic!("such a request has no end: {}", shown(bytes)),
        };
    }
    // What stopped the one stops the other.
    if let Ok(Some(len)) = end(rest, &mut 0, 65_536) {
        same_to_both(&rest[..len]);
    }
    (reading.messages.len(), reading.refusal.is_some())
}

/// Both readers make the same of a head, and nothing in it ends a line where it is passed on.
fn same_to_both(head: &[u8]) {
    let mut room = fields();
    let request = Request::read(head, &mut room).ok();
    let other = oracle::check(head).ok();
    let one = request
        .as_ref()
        .map(|it| oracle::Head { framing: it.framing, upgrade: it.upgrade.is_some() });
    assert_eq!(one, other, "{}", shown(head));
    let Some(it) = request else { return };
    for text in [it.method, it.path, it.host.unwrap_or_default(), it.upgrade.unwrap_or_default()] {
        on_a_line(text.as_bytes());
    }
    assert!(!it.method.contains(' ') && !it.path.contains(' '), "{}", shown(head));
    on_lines(it.fields);
}

/// The bytes that an instance sends.
pub fn of_answers(bytes: &[u8]) {
    cut_anywhere::<Answers>(bytes);
    let mut room = fields();
    let Ok(Some((answer, len))) = Answer::read(bytes, &mut room) else { return };
    assert!((100..1000).contains(&answer.status) && len <= bytes.len(), "{}", shown(bytes));
    on_a_line(answer.reason.as_bytes());
    on_a_line(answer.upgrade.unwrap_or_default().as_bytes());
    on_lines(answer.fields);
    assert!(answer.body(true).has_ended() && (!answer.is_interim() || answer.is_bodiless()));
}

/// The bytes of a chunked body.
pub fn of_chunks(bytes: &[u8]) {
    let whole = read_chunks(bytes, std::iter::once(bytes.len()));
    let other = read_chunks(bytes, cuts(bytes).into_iter());
    let single = read_chunks(bytes, 1..=bytes.len());
    assert!(whole == other && whole == single, "{}", shown(bytes));
    passed_on(bytes);
    match oracle::chunks(bytes) {
        Ok(Some(read)) => assert_eq!(whole, Some((read.0, Some(read.1))), "{}", shown(bytes)),
        Ok(None) => assert!(whole.is_none_or(|it| it.1.is_none()), "{}", shown(bytes)),
        Err(_) => assert_eq!(whole, None, "{}", shown(bytes)),
    }
}

/// A chunked body without the fields behind it, as it is passed on, is the same body without them.
fn passed_on(bytes: &[u8]) {
    let mut body = Body::new(Framing::Chunked);
    let (mut content, mut passed, mut at) = (Vec::new(), Vec::new(), 0);
    for end in cuts(bytes) {
        let piece = &bytes[at..end];
        let Ok(taken) = body.each(piece, |it| content.extend_from_slice(it)) else { return };
        passed.extend_from_slice(&piece[..taken.trailer.start]);
        passed.extend_from_slice(&piece[taken.trailer.end..taken.bytes]);
        at += taken.bytes;
        if taken.ended {
            let length = passed.len();
            assert_eq!(oracle::chunks(&passed), Ok(Some((content, length))), "{}", shown(bytes));
            assert!(passed.ends_with(b"\r\n\r\n"), "{}", shown(bytes));
            return;
        }
    }
}

/// The content of a chunked body that comes in pieces which end there, and where it ends, if it does.
/// `None`: it is refused.
fn read_chunks(
    bytes: &[u8],
    ends: impl Iterator<Item = usize>,
) -> Option<(Vec<u8>, Option<usize>)> {
    let mut body = Body::new(Framing::Chunked);
    let (mut content, mut at) = (Vec::new(), 0);
    for end in ends {
        let taken = body.each(&bytes[at..end], |piece| content.extend_from_slice(piece)).ok()?;
        at += taken.bytes;
        if taken.ended {
            return Some((content, Some(at)));
        }
        assert_eq!(at, end, "what is not over takes all: {}", shown(bytes));
    }
    Some((content, None))
}

/// However bytes are cut into pieces, the same messages come of them.
fn cut_anywhere<S: Side + Default>(bytes: &[u8]) -> Reading<S> {
    let whole = Reading::<S>::of(bytes, std::iter::once(bytes.len()));
    let single = Reading::<S>::of(bytes, 1..=bytes.len());
    let other = Reading::<S>::of(bytes, cuts(bytes).into_iter());
    for it in [&single, &other] {
        assert_eq!(whole.refusal.is_some(), it.refusal.is_some(), "{}", shown(bytes));
        let (mut one, mut other): (Vec<_>, Vec<_>) =
            (whole.messages.iter().collect(), it.messages.iter().collect());
        // How much of a body passes before it breaks is a matter of the pieces.
        if let (true, Some(one), Some(other)) = (whole.refusal.is_some(), one.pop(), other.pop()) {
            assert_eq!(one.framing, other.framing, "{}", shown(bytes));
        }
        assert_eq!(one, other, "{}", shown(bytes));
    }
    whole
}

/// Where bytes are cut, another way for others and the same way each time.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let (mut ends, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        at.hash(&mut hasher);
        at = bytes.len().min(at + 1 + usize::try_from(hasher.finish() % 24).unwrap_or(0));
        ends.push(at);
    }
    ends
}

fn on_lines(fields: &[Field<'_>]) {
    for field in fields {
        assert!(!field.name.is_empty() && !field.name.contains(':'), "{:?}", field.name);
        on_a_line(field.name.as_bytes());
        on_a_line(field.value);
    }
}

/// What is passed on as a part of a line stays one.
fn on_a_line(text: &[u8]) {
    assert!(!text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{}", shown(text));
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
