//! What a visitor asks, made ready to be sent.

mod upload;

use std::sync::Arc;

use toehold_core::balance;
use toehold_core::model::{Number, Track};
use toehold_http::{Framing, Name, Refusal, Request, Version, fields};

use crate::access::Entry;
use crate::clock;
use crate::forced;
use crate::headers::{self, Id, Told};
use crate::host;
use crate::page::{Form, Own, Page};
use crate::route::{App, Table};
use crate::visitor::Visitor;
use crate::worker::Worker;

pub(crate) use crate::ask::upload::{Fault, Halt, Upload};

/// The most room that the proxy's own fields need in a head, in bytes, but for long hosts.
const OWN_FIELDS_BYTES: usize = 256;

/// Where a CA looks for a proof.
const ACME: &str = "/.well-known/acme-challenge/";

/// A request.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) id: Id,
    /// It is a `HEAD`: its answer has no body.
    pub(crate) to_head: bool,
    pub(crate) version: Version,
    /// The connection is for another request behind this one.
    pub(crate) keep_alive: bool,
    /// How a page of the proxy's own is said.
    pub(crate) form: Form,
    /// It asks to go on in another protocol, and that is passed on.
    pub(crate) upgrade: bool,
    pub(crate) upload: Upload,
    /// What the access log says of it, where there is one.
    pub(crate) entry: Option<Box<Entry>>,
    /// Where it goes, or what the proxy itself says to it. Whoever answers it takes this out.
    pub(crate) goal: Result<Goal, Own>,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Goal {
    /// When it was read, in microseconds since 1970: before the routes were looked at, so that
    /// whoever came after they were swapped has seen the new ones.
    pub(crate) at_us: u64,
    pub(crate) table: Arc<Table>,
    pub(crate) app: Arc<App>,
    /// The track that the visitor names, and may.
    pub(crate) forced: Option<Track>,
    /// The arm that the visitor's cookie names.
    pub(crate) kept: Option<(Track, Number)>,
    /// Whether carrying it out twice has the effect of once.
    pub(crate) idempotent: bool,
    /// It is for a file that one release may have and the other not, and two of them serve.
    pub(crate) is_for_asset: bool,
}

impl Ask {
    /// Reads the request at the beginning of `bytes`, whose head ends at `end`. With it comes how
    /// many bytes belong to it, as far as they are there.
    pub(crate) fn read(
        worker: &Worker,
        visitor: &Visitor,
        bytes: &[u8],
        end: usize,
    ) -> Result<(Self, usize), Refusal> {
        let mut room = fields();
        let request = Request::read(&bytes[..end], &mut room)?;
        let id = Id::of(&request);
        let mut goal = goal(worker, visitor, &request);
        let max_bytes = goal.as_ref().map_or(0, |goal| goal.app.max_body_bytes);
        let (mut head, mut used) = (Vec::new(), end);
        if let Ok(goal) = &goal {
            goal.app.meter.earn(worker.index);
            let told = Told { peer: &visitor.peer, https: visitor.https, id: &id };
            // With all of the body that is there behind it.
            head.reserve(bytes.len() + OWN_FIELDS_BYTES);
            headers::to_instance(&request, told, &mut head);
        }
        let mut upload =
            Upload::new(head, request.body(), max_bytes, request.expects_continue, visitor.moved);
        let fault = match upload.take(&bytes[end..]) {
            Ok(taken) => {
                used += taken;
                None
            }
            Err(fault) => Some(fault.page()),
        };
        let too_large = matches!(request.framing, Framing::Length(length) if length > max_bytes);
        let fault = if too_large { Some(Fault::TooLarge.page()) } else { fault };
        if let (Ok(Goal { app, .. }), Some(page)) = (&goal, fault) {
            app.meter.refused(worker.index, page.status);
            goal = Err(page.into());
        }
        let app = goal.as_ref().map(|goal| &goal.app.name);
        let entry = worker.shared.access.as_ref();
        let mut entry = entry.map(|_| Box::new(Entry::of(&request, app.ok(), visitor.moved)));
        if let Some(entry) = entry.as_mut().filter(|_| visitor.socket.is_stream()) {
            entry.is_http_2();
        }
        let ask = Self {
            id,
            entry,
            to_head: request.method == "HEAD",
            version: request.version,
            keep_alive: request.keep_alive,
            form: form(&request),
            upgrade: headers::upgrade(&request).is_some(),
            upload,
            goal,
        };
        Ok((ask, used))
    }

    /// What its answer says of the connection.
    pub(crate) const fn connection(&self, stays: bool) -> Option<&'static str> {
        match (stays, self.version) {
            (true, Version::Http11) => None,
            (true, Version::Http10) => Some("keep-alive"),
            (false, _) => Some("close"),
        }
    }
}

fn goal(worker: &Worker, visitor: &Visitor, request: &Request<'_, '_>) -> Result<Goal, Own> {
    let at_us = clock::now_us();
    let table = worker.table();
    let host = host::name(request.host.unwrap_or_default());
    // A CA comes by HTTP (RFC 8555, 8.3): it is answered before anyone is sent to HTTPS.
    if let Some(token) = request.path.strip_prefix(ACME)
        && let Some(proof) = worker.shared.shown.http_proof(token)
    {
        return Err(Own::Proof(proof));
    }
    // Where TLS is spoken by something in front of this, whoever comes from there would be sent round
    // in circles.
    if let Some(port) = worker.shared.tls_port.filter(|_| !visitor.https)
        && worker.shared.shown.redirects(&host)
    {
        return Err(Own::Moved(by_tls(port, request, &host)));
    }
    let app = table.app(&host).ok_or(Page::NO_APP)?.clone();
    let forced = forced::track(request, &app.track_key);
    let kept = if forced.is_none() && app.sticky && app.is_split() {
        let cookies = request.fields.iter().filter(|it| Name::of(it.name) == Name::Cookie);
        table.key.read(&app.name, cookies.map(|it| it.value))
    } else {
        None
    };
    // RFC 9110, 9.2.2.
    let idempotent =
        matches!(request.method, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE");
    let is_for_asset = forced.is_none()
        && app.is_split()
        && matches!(request.method, "GET" | "HEAD")
        && balance::is_fingerprinted(request.path);
    Ok(Goal { at_us, table, app, forced, kept, idempotent, is_for_asset })
}

/// The same by TLS. Who came to the usual port of HTTP goes to that of HTTPS, whatever ports they
/// lead to here.
fn by_tls(port: u16, request: &Request<'_, '_>, host: &str) -> String {
    let said_port = request.host.unwrap_or_default().trim_end_matches('.').len() > host.len();
    let port = if said_port && port != 443 { format!(":{port}") } else { String::new() };
    let path = if request.path == "*" { "/" } else { request.path };
    format!("https://{host}{port}{}{path}", request.slash)
}

/// HTML for who asks for it, else text.
fn form(request: &Request<'_, '_>) -> Form {
    let accepts = |value: &[u8]| value.windows(9).any(|it| it.eq_ignore_ascii_case(b"text/html"));
    let mut fields = request.fields.iter();
    let html = fields.any(|it| Name::of(it.name) == Name::Accept && accepts(it.value));
    if html { Form::Html } else { Form::Text }
}
