//! The corpus, changed by chance: no way of cutting a message up changes what becomes of it, and each
//! head is the same to a reader of another hand.

use std::fs;
use std::path::Path;

use crate::holds;

/// How many changed messages are looked at. Chance is the same in each run.
const TRIES: usize = 200_000;

/// What hostile messages are made of.
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"chunked",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: a\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n",
    b"Expect: 100-continue\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HTTP/1.0",
    b"http://b",
    b"\xff",
    b"ffffffffffffffff",
    b"18446744073709551616",
];

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|it| it.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|it| it == "http"))
        .collect();
    // The order of a folder is another one on each disk.
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("it can be read")).collect()
}

/// A few small changes: something put in, taken out, or said twice.
fn change(message: &mut Vec<u8>, chance: &mut fastrand::Rng) {
    for _ in 0..chance.usize(1..4) {
        let at = chance.usize(..=message.len());
        let end = chance.usize(at..=message.len().min(at + 12));
        match chance.u8(..4) {
            0 => drop(message.drain(at..end)),
            1 => {
                let again = message[at..end].to_vec();
                message.splice(end..end, again);
            }
            2 if at < message.len() => message[at] ^= 1 << chance.u8(..8),
            _ => {
                let piece = PIECES[chance.usize(..PIECES.len())];
                message.splice(at..at, piece.iter().copied());
            }
        }
    }
}

#[test]
fn no_change_of_a_message_lets_in_what_is_read_in_two_ways() {
    let corpus = corpus();
    let mut chance = fastrand::Rng::with_seed(4);
    let (mut let_in, mut refused) = (0, 0);
    for _ in 0..TRIES {
        let mut message = corpus[chance.usize(..corpus.len())].clone();
        change(&mut message, &mut chance);
        let (heads, is_refused) = holds::of_requests(&message);
        if let Some(end) = message.windows(4).position(|it| it == b"\r\n\r\n") {
            holds::of_chunks(&message[end + 4..]);
        }
        let_in += usize::from(heads > 0);
        refused += usize::from(is_refused);
    }
    // Neither everything nor nothing: there was something to tell apart.
    assert!(let_in > TRIES / 10 && refused > TRIES / 10, "{let_in} let in, {refused} refused");
}

/// What instances answer.
const ANSWERS: [&[u8]; 5] = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nDate: x\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.0 200 \r\nConnection: keep-alive, X\r\nX: y\r\n\r\nuntil it closes",
    b"HTTP/1.1 101 Go on\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc",
    b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
];

#[test]
fn no_change_of_an_answer_puts_its_end_elsewhere_for_other_pieces() {
    let mut chance = fastrand::Rng::with_seed(4);
    for _ in 0..TRIES / 10 {
        let mut answer = ANSWERS[chance.usize(..ANSWERS.len())].to_vec();
        change(&mut answer, &mut chance);
        holds::of_answers(&answer);
    }
}
