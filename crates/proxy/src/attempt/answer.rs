//! The head of an instance's answer, made the visitor's.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use toehold_http::{Answer, Body, Version, fields};

use crate::ask::Ask;
use crate::attempt::Trouble;
use crate::headers::{self, Said};
use crate::meter::{AppMeter, Flight};
use crate::upstream::Line;
use crate::visitor::Visitor;
use crate::worker::{Scratch, Worker};

/// The most bytes that an instance may say before its answer's head is whole.
const MAX_HEAD_BYTES: usize = 256 * 1024;

/// A piece of a body that is not larger is put behind its head: it costs less than to send two.
const JOINED_BYTES: usize = 8 * 1024;

/// An answer whose head, and what of its body came with it, was said to the visitor.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) head: Head,
    pub(crate) line: Line,
    pub(crate) flight: Flight,
}

/// What is left of an answer whose head was said.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// When it was there.
    pub(crate) at: Instant,
    /// What is still to come.
    pub(crate) body: Body,
    /// Chunks are taken apart: the visitor knows nothing of them.
    pub(crate) unchunks: bool,
    /// The visitor's connection is for another request behind this answer.
    pub(crate) stays: bool,
    /// The instance's connection is, and how long it said that it keeps it.
    pub(crate) line_stays: bool,
    pub(crate) keep: Option<Duration>,
}

/// The head of an answer, waited for.
pub(super) struct Awaited<'a> {
    worker: &'a Worker,
    /// What came of it.
    partial: Vec<u8>,
    /// How many bytes of words before it came.
    interim_bytes: usize,
    /// How many bytes came.
    pub(super) came: usize,
    /// The cookie to give with it.
    cookie: Option<&'a str>,
    /// What pays for asking another release where there is no such file.
    beside: Option<&'a AppMeter>,
}

impl<'a> Awaited<'a> {
    pub(super) const fn new(
        worker: &'a Worker,
        cookie: Option<&'a str>,
        beside: Option<&'a AppMeter>,
    ) -> Self {
        Self { worker, partial: Vec::new(), interim_bytes: 0, came: 0, cookie, beside }
    }

    /// Ready when the head is there and was said to the visitor.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        visitor: &mut Visitor,
        ask: &Ask,
        line: &mut Line,
    ) -> Poll<Result<Head, Trouble>> {
        loop {
            let Scratch { read, said } = &mut *self.worker.scratch();
            let read = visitor.socket.room_for(read);
            let count = match ready!(line.socket.poll_read(cx, read)) {
                Ok(0) => return Poll::Ready(Err(Trouble::Broken { reused: line.reused })),
                Ok(count) => count,
                Err(error) => return Poll::Ready(Err(Trouble::of_sent(&error, line.reused))),
            };
            self.came += count;
            let mut partial = std::mem::take(&mut self.partial);
            let bytes = if partial.is_empty() {
                &read[..count]
            } else {
                partial.extend_from_slice(&read[..count]);
                &partial
            };
            let mut from = 0;
            loop {
                let mut room = fields();
                let (answer, end) = match Answer::read(&bytes[from..], &mut room) {
                    Ok(Some((answer, end))) => (answer, from + end),
                    Ok(None) if bytes.len() - from < MAX_HEAD_BYTES => break,
                    Ok(None) | Err(_) => return Poll::Ready(Err(Trouble::Garbled)),
                };
                let head_bytes = end - from;
                from = end;
                if answer.is_interim() {
                    self.interim_bytes += head_bytes;
                    if self.interim_bytes > MAX_HEAD_BYTES {
                        return Poll::Ready(Err(Trouble::Garbled));
                    }
                    // It was told to go on by us as soon as its body was wanted.
                    if answer.status != 100 && ask.version == Version::Http11 {
                        // The visitor hears of this instance: it is this one's answer that follows.
                        self.beside = None;
                        self.write(ask, &answer, None, said);
                    }
                    continue;
                }
                let rest = &bytes[from..];
                return Poll::Ready(self.finish(cx, visitor, ask, &answer, rest, said));
            }
            self.partial = bytes[from..].to_vec();
            visitor.said_in_heads += said.len() as u64;
            if !said.is_empty() && visitor.say(cx, [said, &[]]).is_err() {
                return Poll::Ready(Err(Trouble::Gone));
            }
        }
    }

    fn write(
        &self,
        ask: &Ask,
        answer: &Answer<'_, '_>,
        connection: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        let date = self.worker.dates.now();
        let interim = answer.is_interim();
        let said = Said {
            id: &ask.id,
            cookie: self.cookie.filter(|_| !interim),
            date: &date,
            chunked: !interim
                && ask.version == Version::Http11
                && answer.body(ask.to_head).is_chunked(),
            connection,
        };
        headers::to_visitor(answer, said, out);
    }

    fn finish(
        &self,
        cx: &mut Context<'_>,
        visitor: &mut Visitor,
        ask: &Ask,
        answer: &Answer<'_, '_>,
        rest: &[u8],
        said: &mut Vec<u8>,
    ) -> Result<Head, Trouble> {
        let at = Instant::now();
        if answer.status == 404 && self.beside.is_some_and(|it| it.spend(self.worker.index)) {
            return Err(missing(ask, answer, rest, at));
        }
        let upgraded = answer.status == 101;
        if upgraded && !(ask.upgrade && answer.upgrade.is_some()) {
            return Err(Trouble::Garbled);
        }
        let mut body = answer.body(ask.to_head);
        let unchunks = body.is_chunked() && ask.version == Version::Http10;
        let ends_by_close = unchunks || matches!(body, Body::UntilClose);
        let stays = ask.keep_alive && !ends_by_close && !visitor.is_last(self.worker);
        self.write(ask, answer, ask.connection(stays), said);
        visitor.said_in_heads += said.len() as u64;
        let taken = if unchunks {
            body.each(rest, |content| said.extend_from_slice(content))
        } else {
            body.take(rest)
        };
        let taken = taken.map_err(|_| Trouble::Garbled)?;
        let direct = if upgraded { rest } else { &rest[..taken.bytes] };
        let mut direct = if unchunks { &[] } else { direct };
        if direct.len() <= JOINED_BYTES {
            said.extend_from_slice(direct);
            direct = &[];
        }
        if visitor.say(cx, [said, direct]).is_err() {
            return Err(Trouble::Gone);
        }
        Ok(Head {
            status: answer.status,
            at,
            // More than the answer is out of step: whose answer would it be?
            line_stays: answer.keep_alive && taken.bytes == rest.len() && !upgraded,
            body,
            unchunks,
            stays,
            keep: answer.keep,
        })
    }
}

/// There is no such file. A body that came whole with its head is thrown away, and the connection
/// goes on; a longer one is not waited for.
fn missing(ask: &Ask, answer: &Answer<'_, '_>, rest: &[u8], at: Instant) -> Trouble {
    let mut body = answer.body(ask.to_head);
    let taken = body.take(rest).map_or(0, |taken| taken.bytes);
    let stays = answer.keep_alive && body.has_ended() && taken == rest.len();
    Trouble::Missing { at, stays, keep: answer.keep }
}
