//! What the proxy itself answers, where no instance does: a sentence, and what to do.

use bytes::Bytes;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};

/// A page: its status and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) text: &'static str,
}

impl Page {
    pub(crate) const NO_APP: Self = Self {
        status: StatusCode::NOT_FOUND,
        text: "No app answers to this host. Try http://<app>.localhost, or add the host to \
               [proxy] hosts in the app's toehold.toml and deploy it.",
    };
    pub(crate) const NO_INSTANCE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "No instance of this app serves at the moment. `toehold status` says why; try again \
               in a second.",
    };
    pub(crate) const NO_ANSWER: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "No instance of this app could be reached. Try again in a second.",
    };
    pub(crate) const BUSY: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "Too many connections at the moment. Try again in a second.",
    };
    pub(crate) const BROKEN: Self = Self {
        status: StatusCode::BAD_GATEWAY,
        text: "The app broke off without an answer. Whether it did what was asked is not known.",
    };
    pub(crate) const GARBLED: Self =
        Self { status: StatusCode::BAD_GATEWAY, text: "The app's answer is not valid HTTP." };
    pub(crate) const TOO_SLOW: Self =
        Self { status: StatusCode::GATEWAY_TIMEOUT, text: "The app did not answer in time." };
    pub(crate) const BODY_TOO_LARGE: Self = Self {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        text: "The body of the request is larger than this app takes. [proxy] in the app's \
               toehold.toml says how much that is.",
    };
    pub(crate) const UPLOAD_TOO_SLOW: Self =
        Self { status: StatusCode::REQUEST_TIMEOUT, text: "The request did not arrive in time." };
    pub(crate) const UPLOAD_BROKEN: Self = Self {
        status: StatusCode::BAD_REQUEST,
        text: "The body of the request broke off or is not well-formed.",
    };

    /// What to answer to a request that was not let in.
    pub(crate) const fn refusal(refusal: crate::gate::Refusal) -> Self {
        use crate::gate::Refusal;
        match refusal {
            Refusal::Malformed(text) => Self { status: StatusCode::BAD_REQUEST, text },
            Refusal::HeadTooLarge => Self {
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                text: "The head of the request is too large.",
            },
            Refusal::Method => {
                Self { status: StatusCode::METHOD_NOT_ALLOWED, text: "This method is not served." }
            }
            Refusal::Version => {
                Self { status: StatusCode::HTTP_VERSION_NOT_SUPPORTED, text: "Speak HTTP/1.1." }
            }
            Refusal::HeadTooSlow => Self::UPLOAD_TOO_SLOW,
        }
    }

    /// The answer: HTML for who asks for it, else text.
    pub(crate) fn answer(self, asked: &HeaderMap) -> Response<Bytes> {
        let accepts = asked.get(ACCEPT).is_some_and(|accept| {
            accept.as_bytes().windows(9).any(|part| part.eq_ignore_ascii_case(b"text/html"))
        });
        let (kind, text) = if accepts {
            ("text/html; charset=utf-8", self.html())
        } else {
            ("text/plain; charset=utf-8", format!("{}\n{}\n", self.status, self.text))
        };
        let mut response = Response::new(text.into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    fn html(self) -> String {
        let (status, text) = (self.status, escaped(self.text));
        format!(
            "<!doctype html><html lang=\"en\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{status}</title>\
             <body style=\"font:1em/1.5 sans-serif;max-width:36em;margin:15vh auto;padding:0 1em\">\
             <h1 style=\"font-size:1.2em\">{status}</h1><p>{text}</p>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
