//! Where the mail of the story arrives: as much of SMTP as it takes to be delivered to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::report::Failure;

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest letter, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Letters that arrived, as they came.
#[derive(Clone, Default)]
pub struct Postbox {
    letters: Arc<Mutex<Vec<String>>>,
}

impl Postbox {
    /// Takes letters on a loopback port of its own; gives the settings that lead there.
    pub async fn open(&self) -> Result<String, Failure> {
        let cannot = |error: std::io::Error| Failure::world("cannot take mail").because(&error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        let postbox = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let postbox = postbox.clone();
                tokio::spawn(async move {
                    // Whoever hangs up in the middle has delivered nothing.
                    let _ = tokio::time::timeout(PATIENCE, postbox.talk(stream)).await;
                });
            }
        });
        Ok(format!(
            "[mail]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"plain\"\n\
             from = \"toehold@localhost\"\nto = [\"team@localhost\"]\n"
        ))
    }

    /// Puts a letter in.
    pub fn put(&self, letter: String) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
    }

    /// The subject of the first letter whose subject has `words` in it.
    pub fn subject_with(&self, words: &str) -> Option<String> {
        let letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.iter().map(|letter| subject(letter)).find(|subject| subject.contains(words))
    }

    async fn talk(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (reader, mut writer) = stream.split();
        let mut reader = BufReader::new(reader);
        writer.write_all(b"220 postbox ESMTP\r\n").await?;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let verb = line.get(..4).unwrap_or("").to_ascii_uppercase();
            let answer: &[u8] = match verb.as_str() {
                "EHLO" => b"250-postbox\r\n250 8BITMIME\r\n",
                "HELO" | "MAIL" | "RCPT" | "RSET" | "NOOP" => b"250 ok\r\n",
                "QUIT" => {
                    writer.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                "DATA" => {
                    writer.write_all(b"354 go on\r\n").await?;
                    let letter = read_letter(&mut reader).await?;
                    self.put(letter);
                    b"250 taken\r\n"
                }
                _ => b"502 not here\r\n",
            };
            writer.write_all(answer).await?;
        }
    }
}

async fn read_letter(
    reader: &mut (impl tokio::io::AsyncBufRead + Unpin),
) -> std::io::Result<String> {
    let mut letter = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await? == 0 || letter.len() > LARGEST {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        if line.trim_end() == "." {
            return Ok(letter);
        }
        letter.push_str(&line);
    }
}

/// The subject of a letter, its folded lines joined. Words that are not ASCII stay encoded.
fn subject(letter: &str) -> String {
    let mut subject = String::new();
    for line in letter.lines() {
        match line.strip_prefix("Subject:") {
            Some(rest) => rest.trim().clone_into(&mut subject),
            None if subject.is_empty() => {}
            None if line.starts_with([' ', '\t']) => {
                subject.push(' ');
                subject.push_str(line.trim());
            }
            None => break,
        }
    }
    subject
}
