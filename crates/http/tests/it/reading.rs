//! A connection's messages read as an engine does, whatever the pieces they come in.

use toehold_http::{Answer, Body, Framing, Refusal, Request, end, fields};

/// Who reads heads, and what.
pub trait Side {
    /// The head at the beginning of `bytes`, where it is whole: how many bytes it has, and how the body
    /// behind it ends. `None` for that: it has none, whatever it says. `seen`: how much of `bytes` was
    /// looked at before.
    fn head(bytes: &[u8], seen: &mut usize) -> Result<Option<(usize, Option<Framing>)>, Refusal>;
}

/// Reads what visitors ask.
#[derive(Debug, Default)]
pub struct Requests;

impl Side for Requests {
    fn head(bytes: &[u8], seen: &mut usize) -> Result<Option<(usize, Option<Framing>)>, Refusal> {
        let Some(len) = end(bytes, seen, 65_536)? else { return Ok(None) };
        let mut room = fields();
        let request = Request::read(&bytes[..len], &mut room)?;
        Ok(Some((len, Some(request.framing))))
    }
}

/// Reads what instances answer, none of it to a `HEAD`.
#[derive(Debug, Default)]
pub struct Answers;

impl Side for Answers {
    fn head(bytes: &[u8], _: &mut usize) -> Result<Option<(usize, Option<Framing>)>, Refusal> {
        let mut room = fields();
        let garbled = |_| Refusal::Malformed("the answer is garbled");
        let read = Answer::read(bytes, &mut room).map_err(garbled)?;
        let framing =
            |answer: &Answer<'_, '_>| Some(answer.framing).filter(|_| !answer.is_bodiless());
        Ok(read.map(|(answer, len)| (len, framing(&answer))))
    }
}

/// A message that came: how it ends, and what was in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// How its body ends, where it may have one.
    pub framing: Option<Framing>,
    /// The content of its body, as far as it came.
    pub content: Vec<u8>,
}

/// How far the messages of a connection were read. What is wrong ends it.
#[derive(Debug, Default)]
pub struct Reading<S> {
    body: Body,
    seen: usize,
    /// What was read.
    pub messages: Vec<Message>,
    /// Why nothing more is read.
    pub refusal: Option<Refusal>,
    side: std::marker::PhantomData<S>,
}

impl<S: Side + Default> Reading<S> {
    /// Of bytes that come in pieces which end there.
    pub fn of(bytes: &[u8], ends: impl Iterator<Item = usize>) -> Self {
        let mut reading = Self::default();
        let mut used = 0;
        for end in ends {
            used += reading.look(&bytes[used..end]);
        }
        reading
    }

    /// Takes what it can of `bytes`: those it did not take before, and more. The answer is how many.
    pub fn look(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while self.refusal.is_none() {
            match self.step(&bytes[used..]) {
                Ok(0) => break,
                Ok(count) => used += count,
                Err(refusal) => self.refusal = Some(refusal),
            }
        }
        used
    }

    fn step(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        if !self.body.has_ended() {
            let content = &mut self.messages.last_mut().expect("a body has a head").content;
            let before = content.len();
            let taken = self.body.each(bytes, |piece| content.extend_from_slice(piece))?;
            let count = u64::try_from(content.len() - before).expect("it is small");
            assert_eq!(taken.content, count, "what is counted is shown");
            assert!(taken.bytes <= bytes.len() && taken.trailer.end <= taken.bytes);
            assert_eq!(taken.ended, self.body.has_ended());
            assert!(taken.ended || taken.bytes == bytes.len(), "what is left is the next message");
            return Ok(taken.bytes);
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        let Some((len, framing)) = S::head(bytes, &mut self.seen)? else { return Ok(0) };
        self.seen = 0;
        self.body = framing.map_or(Body::Ended, Body::new);
        self.messages.push(Message { framing, content: Vec::new() });
        Ok(len)
    }
}
