//! What goes to SQLite: the driver's own lines, which name each statement, told apart by the request in whose span they are.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{LazyLock, Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Span, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The target of the driver's lines.
const STATEMENTS: &str = "sqlx::query";
/// The target of our spans.
const REQUEST: &str = "round_trips";

/// The statements of each request that is measured now, by its span.
static HEARD: LazyLock<Mutex<HashMap<u64, Vec<String>>>> = LazyLock::new(Mutex::default);

/// A span whose statements are heard from now on, until [`take`].
pub(crate) fn begin() -> Span {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| {
        let targets = Targets::new().with_target(STATEMENTS, Level::TRACE).with_target(REQUEST, Level::INFO);
        let listening = tracing_subscriber::registry().with(Listener.with_filter(targets));
        tracing::subscriber::set_global_default(listening).unwrap();
    });
    let span = tracing::info_span!(target: REQUEST, "request");
    HEARD.lock().unwrap().insert(span.id().unwrap().into_u64(), Vec::new());
    span
}

/// The statements of a span.
pub(crate) fn take(span: &Span) -> Vec<String> {
    HEARD.lock().unwrap().remove(&span.id().unwrap().into_u64()).unwrap()
}

/// Files each statement under its span.
struct Listener;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        if let Some(statements) = HEARD.lock().unwrap().get_mut(&span.id().into_u64()) {
            let mut statement = Statement::default();
            event.record(&mut statement);
            statements.push(statement.text());
        }
    }
}

/// What a line says: the first words, and the whole where it has more.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Statement {
    /// The statement.
    fn text(self) -> String {
        if self.whole.trim().is_empty() { self.summary } else { self.whole.trim().to_owned() }
    }
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    /// How long it took, and how many rows there were.
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
