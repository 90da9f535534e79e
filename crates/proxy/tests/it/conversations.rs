//! Visitors and an instance that say by chance what HTTP lets them say, cut up by chance. Whoever asks
//! has the answer to that, whole, in order, and the instance has each request whole.

use std::time::Duration;

use toehold_http::{Answer, Body, Request, end, fields};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::origin::raw;
use crate::stage::{Stage, of, routes, stable};

/// How many visitors come, each with a few requests.
const VISITORS: u64 = 300;

/// What a body is made of: what would be read as something else out of its place.
const PIECES: [&str; 6] = [
    "GET /stray HTTP/1.1\r\nHost: shop\r\n\r\n",
    "0\r\n\r\n",
    "\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    "abc",
    "5\r\n",
];

/// How a request is asked and answered: all of it follows from its number.
#[derive(Clone, Debug)]
struct Plan {
    number: u64,
    method: &'static str,
    asked: Option<Vec<u8>>,
    asked_in_chunks: bool,
    last: bool,
    words_before: u8,
    status: u16,
    answered: Vec<u8>,
    framing: Framing,
    /// The answer begins before the request was read.
    early: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length,
    LengthAndClose,
    Chunks,
    UntilClose,
}

fn body(chance: &mut fastrand::Rng) -> Vec<u8> {
    let pieces = if chance.u8(..8) == 0 { 8_000 } else { 20 };
    let count = chance.usize(..pieces);
    (0..count).flat_map(|_| PIECES[chance.usize(..PIECES.len())].bytes()).collect()
}

impl Plan {
    fn of(number: u64) -> Self {
        let chance = &mut fastrand::Rng::with_seed(number);
        let method = ["GET", "HEAD", "POST", "PUT"][chance.usize(..4)];
        let asks = matches!(method, "POST" | "PUT");
        let framings = [
            Framing::Length,
            Framing::Length,
            Framing::LengthAndClose,
            Framing::Chunks,
            Framing::UntilClose,
        ];
        let status = [200, 200, 200, 204, 304, 404][chance.usize(..6)];
        let bodiless = matches!(status, 204 | 304) || method == "HEAD";
        let framing = framings[chance.usize(..framings.len())];
        Self {
            number,
            method,
            asked: asks.then(|| body(chance)),
            asked_in_chunks: chance.bool(),
            last: chance.u8(..10) == 0,
            words_before: chance.u8(..3),
            status,
            answered: body(chance),
            framing: if bodiless { Framing::Length } else { framing },
            early: asks && chance.u8(..4) == 0,
        }
    }

    fn request(&self) -> Vec<u8> {
        let Self { number, method, .. } = self;
        let mut out = format!("{method} /{number} HTTP/1.1\r\nHost: shop\r\n").into_bytes();
        if self.last {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        match &self.asked {
            None => out.extend_from_slice(b"\r\n"),
            Some(body) => framed(body, self.asked_in_chunks, &mut out),
        }
        out
    }

    fn answer(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..self.words_before {
            out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        }
        let Self { number, status, framing, .. } = self;
        out.extend_from_slice(format!("HTTP/1.1 {status} So\r\nX-Number: {number}\r\n").as_bytes());
        if self.closes() {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        match framing {
            Framing::UntilClose => {
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(&self.answered);
            }
            _ if self.has_no_body() => out.extend_from_slice(b"\r\n"),
            framing => framed(&self.answered, *framing == Framing::Chunks, &mut out),
        }
        out
    }

    fn has_no_body(&self) -> bool {
        self.method == "HEAD" || matches!(self.status, 204 | 304)
    }

    fn closes(&self) -> bool {
        matches!(self.framing, Framing::LengthAndClose | Framing::UntilClose)
    }
}

fn framed(body: &[u8], in_chunks: bool, out: &mut Vec<u8>) {
    if !in_chunks {
        out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        return out.extend_from_slice(body);
    }
    out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    for chunk in body.chunks(1_000) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
}

/// One end of a connection, read a message at a time.
struct Reader {
    half: OwnedReadHalf,
    held: Vec<u8>,
}

impl Reader {
    /// Whether more came.
    async fn more(&mut self) -> bool {
        matches!(self.half.read_buf(&mut self.held).await, Ok(1..))
    }

    /// The content of a body, where it comes to its end.
    async fn body(&mut self, mut body: Body) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        while !body.has_ended() {
            if self.held.is_empty() && !self.more().await {
                return matches!(body, Body::UntilClose).then_some(content);
            }
            let taken = body
                .each(&self.held, |piece| content.extend_from_slice(piece))
                .expect("well-formed");
            self.held.drain(..taken.bytes);
        }
        Some(content)
    }

    /// The number in a request's path, and its body.
    async fn request(&mut self) -> Option<(u64, Body)> {
        loop {
            if let Some(end) = end(&self.held, &mut 0, 65_536).expect("well-formed") {
                let mut room = fields();
                let request = Request::read(&self.held[..end], &mut room).expect("well-formed");
                let number = request.path[1..].parse().unwrap_or_else(|_| panic!("{request:?}"));
                let body = request.body();
                self.held.drain(..end);
                return Some((number, body));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The status of an answer, the number it says, whether it is the last, and its body.
    async fn answer(&mut self, to_head: bool) -> Option<(u16, u64, bool, Body)> {
        loop {
            let mut room = fields();
            if let Some((answer, end)) = Answer::read(&self.held, &mut room).expect("well-formed") {
                let number =
                    answer.fields.iter().find(|it| it.name.eq_ignore_ascii_case("x-number"));
                let number = number.and_then(|it| std::str::from_utf8(it.value).ok()?.parse().ok());
                let (is_interim, last) = (answer.is_interim(), !answer.keep_alive);
                let read = (answer.status, number.unwrap_or(0), last, answer.body(to_head));
                self.held.drain(..end);
                if is_interim {
                    continue;
                }
                return Some(read);
            }
            if !self.more().await {
                return None;
            }
        }
    }
}

/// Writes bytes in pieces, some of them after others had their turn.
async fn write(half: &mut OwnedWriteHalf, mut bytes: &[u8], chance: &mut fastrand::Rng) -> bool {
    while !bytes.is_empty() {
        let most = [3, 100, 5_000, 1_000_000][chance.usize(..4)];
        let (piece, rest) = bytes.split_at(chance.usize(1..=most).min(bytes.len()));
        if half.write_all(piece).await.is_err() {
            return false;
        }
        if chance.u8(..8) == 0 {
            tokio::task::yield_now().await;
        }
        bytes = rest;
    }
    true
}

/// An instance's end of a connection.
async fn answer_all(stream: TcpStream) {
    stream.set_nodelay(true).expect("it is a socket");
    let (half, mut writer) = stream.into_split();
    let mut reader = Reader { half, held: Vec::new() };
    while let Some((number, body)) = reader.request().await {
        let plan = Plan::of(number);
        let chance = &mut fastrand::Rng::with_seed(number + 1);
        let answer = plan.answer();
        let asked = if plan.early {
            let (asked, wrote) =
                tokio::join!(reader.body(body), write(&mut writer, &answer, chance));
            if !wrote {
                return;
            }
            asked
        } else {
            let asked = reader.body(body).await;
            if asked.is_some() && !write(&mut writer, &answer, chance).await {
                return;
            }
            asked
        };
        // A visitor who has an early answer may leave with the rest of what it asked.
        let Some(asked) = asked else { return };
        assert!(asked == plan.asked.clone().unwrap_or_default(), "request {number} came otherwise");
        if plan.closes() {
            return;
        }
    }
}

/// A visitor: what it asks, and how many answers it had.
async fn ask_all(addr: std::net::SocketAddr, first: u64) -> u64 {
    let stream = TcpStream::connect(addr).await.expect("the proxy listens");
    stream.set_nodelay(true).expect("it is a socket");
    let (half, mut writer) = stream.into_split();
    let mut reader = Reader { half, held: Vec::new() };
    let mut chance = fastrand::Rng::with_seed(first);
    let plans: Vec<Plan> = (first..first + chance.u64(1..7)).map(Plan::of).collect();
    let asking: Vec<u8> = plans.iter().flat_map(Plan::request).collect();
    // Some leave before they have said all.
    let leaves = chance.u8(..4) == 0;
    let says = if leaves { chance.usize(..asking.len()) } else { asking.len() };
    let sending = tokio::spawn(async move {
        write(&mut writer, &asking[..says], &mut chance).await;
        writer
    });
    if leaves {
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(Duration::from_millis(20), reader.half.read_to_end(&mut rest))
            .await;
        return 0;
    }
    let mut answers = 0;
    for plan in &plans {
        let shown = || format!("{} {} of {first}: {:?}", plan.method, plan.number, plan.framing);
        let read = reader.answer(plan.method == "HEAD").await;
        let Some((status, number, last, body)) = read else { panic!("no answer to {}", shown()) };
        assert_eq!((number, status), (plan.number, plan.status), "{}", shown());
        let body = reader.body(body).await.unwrap_or_else(|| panic!("it is cut: {}", shown()));
        let wanted: &[u8] = if plan.has_no_body() { &[] } else { &plan.answered };
        assert!(body == wanted, "another body: {}", shown());
        answers += 1;
        // Behind an early answer the connection may end without a word.
        let is_end = last || answers == u64::try_from(plans.len()).expect("few");
        if is_end || (plan.early && reader.held.is_empty() && !reader.more().await) {
            break;
        }
    }
    sending.abort();
    answers
}

#[tokio::test]
async fn whoever_asks_has_the_answer_to_that() {
    let stage = Stage::start().await;
    let (one, listener) = raw(1).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut lines = tokio::task::JoinSet::new();
    let serving = tokio::spawn(async move {
        loop {
            tokio::select! {
                accepted = listener.accept() => { lines.spawn(answer_all(accepted.expect("it listens").0)); }
                Some(ended) = lines.join_next() => ended.expect("it saw nothing strange"),
            }
        }
    });
    let mut visitors = tokio::task::JoinSet::new();
    let mut answers = 0;
    for visitor in 0..VISITORS {
        visitors.spawn(tokio::time::timeout(
            Duration::from_secs(20),
            ask_all(stage.addr, visitor * 10),
        ));
        if visitors.len() >= 8 {
            let ended = visitors.join_next().await.expect("there is one");
            answers += ended.expect("it has what it asked for").expect("it is not stuck");
        }
    }
    while let Some(ended) = visitors.join_next().await {
        answers += ended.expect("it has what it asked for").expect("it is not stuck");
    }
    assert!(!serving.is_finished(), "the instance saw something strange");
    serving.abort();
    assert!(answers > VISITORS, "{answers}");
    stage
        .report("nothing is in flight", |it| of(it, &one).is_some_and(|it| it.in_flight == 0))
        .await;
}
