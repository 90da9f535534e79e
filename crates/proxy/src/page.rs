//! What the proxy itself answers, where no instance does: a sentence, and what to do.

use toehold_http::Refusal;

use crate::headers::{self, Said};

/// How a page is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Html,
}

/// A page: its status and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) text: &'static str,
}

impl Page {
    pub(crate) const NO_APP: Self = Self {
        status: 404,
        text: "No app answers to this host. Try http://<app>.localhost, or add the host to \
               [proxy] hosts in the app's toehold.toml and deploy it.",
    };
    pub(crate) const NO_INSTANCE: Self = Self {
        status: 503,
        text: "No instance of this app serves at the moment. `toehold status` says why; try again \
               in a second.",
    };
    pub(crate) const NO_ANSWER: Self = Self {
        status: 503,
        text: "No instance of this app could be reached. Try again in a second.",
    };
    pub(crate) const BUSY: Self =
        Self { status: 503, text: "Too many connections at the moment. Try again in a second." };
    pub(crate) const BROKEN: Self = Self {
        status: 502,
        text: "The app broke off without an answer. Whether it did what was asked is not known.",
    };
    pub(crate) const GARBLED: Self =
        Self { status: 502, text: "The app's answer is not valid HTTP." };
    pub(crate) const TOO_SLOW: Self = Self { status: 504, text: "The app did not answer in time." };
    pub(crate) const BODY_TOO_LARGE: Self = Self {
        status: 413,
        text: "The body of the request is larger than this app takes. [proxy] in the app's \
               toehold.toml says how much that is.",
    };
    pub(crate) const UPLOAD_TOO_SLOW: Self =
        Self { status: 408, text: "The request did not arrive in time." };
    pub(crate) const UPLOAD_BROKEN: Self =
        Self { status: 400, text: "The body of the request broke off or is not well-formed." };

    /// What to answer to a request that was not let in.
    pub(crate) const fn refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(text) => Self { status: 400, text },
            Refusal::HeadTooLarge => {
                Self { status: 431, text: "The head of the request is too large." }
            }
            Refusal::Method => Self { status: 405, text: "This method is not served." },
            Refusal::Version => Self { status: 505, text: "Speak HTTP/1.1." },
        }
    }

    const fn reason(status: u16) -> &'static str {
        match status {
            200 => "OK",
            308 => "Permanent Redirect",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            413 => "Payload Too Large",
            431 => "Request Header Fields Too Large",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            505 => "HTTP Version Not Supported",
            _ => "",
        }
    }

    fn html(self) -> String {
        let (status, reason, text) = (self.status, Self::reason(self.status), escaped(self.text));
        format!(
            "<!doctype html><html lang=\"en\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{status} {reason}</title>\
             <body style=\"font:1em/1.5 sans-serif;max-width:36em;margin:15vh auto;padding:0 1em\">\
             <h1 style=\"font-size:1.2em\">{status} {reason}</h1><p>{text}</p>\n"
        )
    }
}

/// What the proxy itself answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// Why no instance does.
    Page(Page),
    /// To a CA: that the host is ours.
    Proof(String),
    /// Ask there, by TLS.
    Moved(String),
}

impl From<Page> for Own {
    fn from(page: Page) -> Self {
        Self::Page(page)
    }
}

impl Own {
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Page(page) => page.status,
            Self::Proof(_) => 200,
            Self::Moved(_) => 308,
        }
    }

    /// Writes the answer; only the head of it to a `HEAD`.
    pub(crate) fn write(&self, form: Form, to_head: bool, said: Said<'_>, out: &mut Vec<u8>) {
        const TEXT: &str = "text/plain; charset=utf-8";
        let status = self.status();
        let (kind, body) = match (self, form) {
            (Self::Page(page), Form::Html) => ("text/html; charset=utf-8", page.html()),
            (Self::Page(Page { text, .. }), Form::Text) => {
                (TEXT, format!("{status} {}\n{text}\n", Page::reason(status)))
            }
            (Self::Proof(proof), _) => ("application/octet-stream", proof.clone()),
            (Self::Moved(to), _) => (TEXT, format!("It is at {to}\n")),
        };
        let length = body.len().to_string();
        let mut fields = vec![("content-type", kind), ("content-length", length.as_str())];
        match self {
            Self::Moved(to) => fields.push(("location", to)),
            Self::Page(_) | Self::Proof(_) => fields.push(("cache-control", "no-store")),
        }
        if status == 503 {
            fields.push(("retry-after", "1"));
        }
        headers::of_page(status, Page::reason(status), &fields, said, out);
        if !to_head {
            out.extend_from_slice(body.as_bytes());
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
