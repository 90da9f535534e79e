//! The style, the script and the mark of the pages: in the binary, named by their digest.

use std::sync::LazyLock;

use axum::extract::Query;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use toehold_core::model::Digest;

use super::extract::At;
use super::pages::Assets;
use super::problem::Unable;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    digest: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    let asset = |name, kind, bytes: &'static [u8]| {
        let digest = Digest::of(bytes).short().to_owned();
        Asset { name, kind, bytes, digest }
    };
    [
        asset("toehold.css", "text/css; charset=utf-8", include_bytes!("assets/toehold.css")),
        asset("toehold.js", "text/javascript; charset=utf-8", include_bytes!("assets/toehold.js")),
        asset("mark.svg", "image/svg+xml", include_bytes!("assets/mark.svg")),
    ]
});

/// Which version is asked for.
#[derive(Deserialize)]
pub(crate) struct Version {
    v: Option<String>,
}

/// Where they are, for the pages.
pub(crate) fn addresses() -> Assets {
    let [style, script, mark] = [0, 1, 2].map(|place| {
        let asset = &ASSETS[place];
        format!("/assets/{}?v={}", asset.name, asset.digest)
    });
    Assets { style, script, mark }
}

pub(crate) async fn serve(
    At(name): At<String>,
    Query(version): Query<Version>,
    headers: HeaderMap,
) -> Result<Response, Unable> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let asset = asset
        .ok_or_else(|| Unable::new(StatusCode::NOT_FOUND, "not_found", "there is no such file"))?;
    Ok(send(asset, version.v.as_deref() == Some(&asset.digest), &headers))
}

/// What browsers ask for unasked.
pub(crate) async fn mark(headers: HeaderMap) -> Response {
    send(&ASSETS[2], false, &headers)
}

/// One that is asked for by its digest never changes; any other is asked for again each time.
fn send(asset: &Asset, by_digest: bool, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", asset.digest);
    let known = headers.get(IF_NONE_MATCH).is_some_and(|it| it.as_bytes() == etag.as_bytes());
    let kept = if by_digest { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, HeaderValue::from_static(asset.kind))], asset.bytes).into_response()
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}
