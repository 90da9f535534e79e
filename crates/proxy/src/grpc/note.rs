//! What the access log says of a call, once it is through, however it ends.

use std::rc::Rc;
use std::time::Instant;

use ::h2::RecvStream;
use hyper::Request;

use crate::access::Entry;
use crate::headers::Id;
use crate::worker::Worker;

/// The status of a call whose visitor went away before its answer.
const GONE: u16 = 499;

/// Written down when it is dropped, where there is a log.
pub(crate) struct Note {
    worker: Rc<Worker>,
    pub(super) entry: Option<Box<Entry>>,
    peer: Rc<str>,
    id: Id,
    /// Bytes of what was answered.
    pub(super) bytes: u64,
    /// All of the answer was said.
    pub(super) whole: bool,
}

impl Note {
    /// Of a call that begins.
    pub(super) fn of(
        worker: &Rc<Worker>,
        call: &Request<RecvStream>,
        peer: Rc<str>,
        id: Id,
    ) -> Self {
        let entry = worker.shared.access.as_ref().map(|_| {
            let mut entry = Box::new(Entry::of_call(call, Instant::now()));
            entry.status = GONE;
            entry
        });
        Self { worker: worker.clone(), entry, peer, id, bytes: 0, whole: false }
    }

    /// It is answered with this status.
    pub(super) fn answered(&mut self, status: u16) {
        if let Some(entry) = &mut self.entry {
            entry.status = status;
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let (Some(mut entry), Some(access)) = (self.entry.take(), &self.worker.shared.access) {
            entry.ends(&self.peer, &self.id, self.bytes, self.whole);
            access.say(*entry);
        }
    }
}
