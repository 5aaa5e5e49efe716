//! Bodies on their way through: what is counted of an upload, and the body of an answer that has none but may not say so.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// An upload whose frames are counted as the upstream takes them, so that one that goes on is not mistaken for a server that does
/// not answer.
pub(super) struct Upload {
    body: Body,
    frames: Arc<AtomicU64>,
}

impl Upload {
    /// The body to send, and its count.
    pub(super) fn new(body: Body) -> (Self, Arc<AtomicU64>) {
        let frames = Arc::new(AtomicU64::new(0));
        (Self { body, frames: Arc::clone(&frames) }, frames)
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.frames.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// No body, and no word of how long it would be: what `HEAD` gets of a resource whose length its server does not tell
/// (RFC 9110, section 8.6: a wrong length is worse than none).
pub(super) struct Untold;

impl HttpBody for Untold {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Poll::Ready(None)
    }
}
