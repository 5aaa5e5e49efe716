//! Our pages: the start page and the one over deletion requests, and the files that all of them load.

use cr_core::error::Error;
use http::{HeaderValue, StatusCode, header};

use crate::call::Call;
use crate::openapi;
use crate::respond::{Reply, ReplyBody};

const START: &str = include_str!("routes/page.html");
const ACCOUNT_DELETION_REQUESTS: &str = include_str!("routes/account-deletion-requests/page.html");
const REFERENCE: &str = include_str!("routes/docs/page.html");

/// What a browser has to know of a file.
type File = (&'static str, &'static str, &'static [u8]);

const CSS: &str = "text/css; charset=utf-8";
const MODULE: &str = "text/javascript; charset=utf-8";

/// Shared by all pages.
const BASE: File = ("base.css", CSS, include_bytes!("base.css"));

/// The files below `{admin.path}`. They hold no secret, so everybody may load them.
const FILES: [File; 6] = [
    BASE,
    ("start.css", CSS, include_bytes!("routes/page.css")),
    ("inbox.css", CSS, include_bytes!("routes/inbox/page.css")),
    ("inbox.js", MODULE, include_bytes!("routes/inbox/page.js")),
    ("account-deletion-requests.css", CSS, include_bytes!("routes/account-deletion-requests/page.css")),
    ("account-deletion-requests.js", MODULE, include_bytes!("routes/account-deletion-requests/page.js")),
];

/// The files below `/docs`.
const REFERENCE_FILES: [File; 3] = [
    BASE,
    ("page.css", CSS, include_bytes!("routes/docs/page.css")),
    ("page.js", MODULE, include_bytes!("routes/docs/page.js")),
];

/// `/`: a browser is sent to the start page; everybody else hears that there is nothing, as at Medusa.
///
/// # Errors
/// 404 for who does not ask for HTML.
pub async fn door(call: Call) -> Result<Reply, Error> {
    if !call.header("accept").is_some_and(|accept| accept.contains("text/html")) {
        return Err(Error::not_found(format!("Cannot {} {}", call.method, call.path)));
    }
    to(&format!("{}/", call.state.http.admin_path.trim_matches('/')))
}

/// `{admin.path}/`: what this server is, and where to go.
///
/// # Errors
/// None but a fault of ours.
pub async fn start(call: Call) -> Result<Reply, Error> {
    if !call.path.ends_with('/') {
        // Links are relative, so that a proxy may serve the pages below a path of its own.
        return to(&format!("{}/", call.path.rsplit('/').next().unwrap_or_default()));
    }
    let page = match (START.split_once("<!--inbox-->"), super::inbox::may_see(&call)) {
        (Some((before, rest)), false) => {
            format!("{before}{}", rest.split_once("<!--/inbox-->").map_or(rest, |(_, after)| after))
        }
        _ => START.replace("<!--inbox-->", "").replace("<!--/inbox-->", ""),
    };
    Ok(Reply::html(page.replace("{root}", &root(&call))))
}

/// `{admin.path}/account-deletion-requests`: the page; its data comes from the API.
///
/// # Errors
/// None but a fault of ours.
pub async fn account_deletion_requests(call: Call) -> Result<Reply, Error> {
    page(&call, ACCOUNT_DELETION_REQUESTS)
}

/// `/docs`: the API reference, drawn from `/openapi.json`.
///
/// # Errors
/// None but a fault of ours.
pub async fn reference(call: Call) -> Result<Reply, Error> {
    page(&call, REFERENCE)
}

/// `/openapi.json`: the document that the reference is drawn from.
///
/// # Errors
/// None but a fault of ours.
pub async fn document(_call: Call) -> Result<Reply, Error> {
    let body = ReplyBody::Asset("application/json; charset=utf-8", openapi::DOCUMENT.as_bytes());
    Ok(Reply { body, ..Reply::empty(StatusCode::OK) })
}

/// `{admin.path}/{file}`.
///
/// # Errors
/// 404 for a file that no page loads.
pub async fn file(call: Call) -> Result<Reply, Error> {
    asset(&call, &FILES)
}

/// `/docs/{file}`.
///
/// # Errors
/// As [`file()`].
pub async fn reference_file(call: Call) -> Result<Reply, Error> {
    asset(&call, &REFERENCE_FILES)
}

/// A page whose links are relative to the folder that it lies in; with a slash at the end they would lead astray.
///
/// # Errors
/// None but a fault of ours.
pub fn page(call: &Call, html: &str) -> Result<Reply, Error> {
    match call.path.strip_suffix('/') {
        Some(path) => to(&format!("../{}", path.rsplit('/').next().unwrap_or_default())),
        None => Ok(Reply::html(html.replace("{root}", &root(call)))),
    }
}

/// The way from a page up to where the API begins.
fn root(call: &Call) -> String {
    match call.path.matches('/').count() {
        0 | 1 => "./".to_owned(),
        depth => "../".repeat(depth - 1),
    }
}

/// A file out of a list.
///
/// # Errors
/// 404 when it is not in there.
fn asset(call: &Call, files: &[File]) -> Result<Reply, Error> {
    let wanted = call.param("file");
    let found = files.iter().find(|(name, ..)| *name == wanted);
    let (_, content_type, bytes) =
        found.ok_or_else(|| Error::not_found(format!("Cannot {} {}", call.method, call.path)))?;
    let reply = Reply { body: ReplyBody::Asset(content_type, bytes), ..Reply::empty(StatusCode::OK) };
    // The name stays when a release changes the file: its tag decides.
    Ok(reply.header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache")))
}

/// A redirection within this server.
///
/// # Errors
/// 500 when a path cannot stand in a header, which the route table rules out.
fn to(path: &str) -> Result<Reply, Error> {
    let location = HeaderValue::from_str(path).map_err(Error::internal)?;
    Ok(Reply::empty(StatusCode::TEMPORARY_REDIRECT).header(header::LOCATION, location))
}
