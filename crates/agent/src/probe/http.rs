//! A probe by HTTP. Redirects are not followed: an app that sends the probe elsewhere has not shown
//! that it can serve here.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::probe::{Answer, BODY_BYTES, unreachable};

/// `GET path`, on a connection of its own. Has no timeout of its own.
pub(super) async fn get(addr: SocketAddr, path: &str) -> Answer {
    let stream = match TcpStream::connect(addr).await {
        Ok(stream) => stream,
        Err(error) => return Answer::failed(unreachable(&error)),
    };
    let request = Request::get(path)
        .header(header::HOST, addr.to_string())
        .header(header::USER_AGENT, concat!("toehold/", env!("CARGO_PKG_VERSION"), " (health)"))
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new());
    let request = match request {
        Ok(request) => request,
        Err(error) => return Answer::failed(format!("cannot be asked: {error}")),
    };
    let talk = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The connection is driven beside the question, and dropped with it.
        let asking = async move {
            let response = sender.send_request(request).await?;
            Ok::<Answer, hyper::Error>(answer(response).await)
        };
        tokio::pin!(asking);
        tokio::select! {
            biased;
            answered = &mut asking => answered,
            ended = connection => {
                ended?;
                asking.await
            }
        }
    };
    talk.await.unwrap_or_else(|error: hyper::Error| {
        Answer::failed(if error.is_parse() {
            "not HTTP".to_owned()
        } else {
            "closed without an answer".to_owned()
        })
    })
}

async fn answer(response: Response<Incoming>) -> Answer {
    let status = response.status();
    let text = match response.headers().get(header::LOCATION) {
        Some(target) if status.is_redirection() => {
            format!("{} to {}", status.as_u16(), String::from_utf8_lossy(target.as_bytes()))
        }
        Some(_) | None => status.as_u16().to_string(),
    };
    let mut incoming = response.into_body();
    let mut body = Vec::new();
    while body.len() < BODY_BYTES {
        match incoming.frame().await {
            Some(Ok(frame)) => body.extend(frame.into_data().unwrap_or_default()),
            Some(Err(_)) | None => break,
        }
    }
    Answer { text, body, passed: status.is_success() }
}
