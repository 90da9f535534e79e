//! As much of HTTP as a client of an API needs: one call a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest body, in bytes.
const LARGEST: usize = 1024 * 1024;

/// A status, further headers with their line ends, and the body.
pub type Answer = (u16, &'static str, Value);

/// Takes one call and sends the answer to it: the request line without its version, the headers,
/// the body. `None` closes the connection without a word.
pub fn serve(mut stream: &TcpStream, answer: impl FnOnce(&str, &str, &Value) -> Option<Answer>) {
    if stream.set_read_timeout(Some(PATIENCE)).is_err() {
        return;
    }
    let Some((call, headers, body)) = read(stream) else { return };
    let Some((status, more, body)) = answer(&call, &headers, &body) else { return };
    let text = if status == 204 { String::new() } else { body.to_string() };
    // Whoever asked may have gone.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} It\r\ncontent-type: application/json\r\n{more}\
         content-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
}

fn read(stream: &TcpStream) -> Option<(String, String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let call = line.trim_end().strip_suffix(" HTTP/1.1")?.to_owned();
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok().filter(|it| *it <= LARGEST)?;
        }
        headers.push_str(&header);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((call, headers, serde_json::from_slice(&body).unwrap_or_default()))
}
