//! Logs and metrics of the process: set up once, by `main`.
//!
//! Logs go to standard error, one line per event; standard output belongs to the commands. Every line
//! passes [`redact()`] after it is formatted, so that no field, span, message or error chain is forgotten.

pub mod metrics;
pub mod redact;

use std::{
    error::Error,
    io::{self, Write},
    panic,
};

use tracing::{Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{ParseError, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

pub use metrics::install_metrics;
pub use redact::{redact, redact_json};

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For a person at a terminal.
    #[default]
    Text,
    /// One JSON object per line, with the list of spans, for a log collector.
    Json,
}

/// Begins logging to standard error, panics included: the standard hook would print them unredacted.
///
/// `filter` is what `RUST_LOG` usually holds, as in `info,stellwerk=debug`. Fails if it cannot be read.
/// A second call leaves the first set-up in place.
pub fn init(format: LogFormat, filter: &str) -> Result<(), ParseError> {
    // Libraries that still speak `log` (tokio-postgres) are heard too: try_init bridges them.
    if subscriber(format, EnvFilter::builder().parse(filter)?, io::stderr).try_init().is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
    Ok(())
}

/// Begins logging to `writer` instead, a whole event at a time; who hears of panics stays as it is. Fails if
/// the filter cannot be read. A second call leaves the first set-up in place.
pub fn init_to<W>(format: LogFormat, filter: &str, writer: W) -> Result<(), ParseError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let _ = subscriber(format, EnvFilter::builder().parse(filter)?, writer).try_init();
    Ok(())
}

/// Logs a failure once, where it is handled, with the chain of its sources: `context error=a: b: c`.
///
/// `Display` of an error never repeats its source (see `error.rs`), so the chain reads without doubles.
pub fn log_error(context: &str, error: &dyn Error) {
    tracing::error!(error = %Chain(error), "{context}");
}

/// Displays an error and its sources, outermost first, joined by `: `.
pub struct Chain<'a>(pub &'a dyn Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let payload = panic.payload();
    let message = (payload.downcast_ref::<&str>().copied())
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text");
    tracing::error!(location, thread = std::thread::current().name(), "panicked: {message}");
}

fn subscriber<W>(format: LogFormat, filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // No colours: their escape codes would stand between a field's name and its value.
    let layer = fmt::layer().with_ansi(false).with_writer(Redacted { writer, format });
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().with_current_span(false).with_span_list(true).boxed(),
    };
    // Below INFO libraries tell the bytes they carry (tokio-postgres each statement's parameters),
    // which no redaction can read.
    let ours = filter_fn(|meta| meta.target().starts_with("stellwerk") || *meta.level() <= Level::INFO);
    tracing_subscriber::registry().with(layer).with(filter).with(ours)
}

/// Redacts what is written, a whole event at a time: `fmt::Layer` hands each one over in a single write.
struct Redacted<W> {
    writer: W,
    format: LogFormat,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Redacted<W> {
    type Writer = Redacted<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Redacted { writer: self.writer.make_writer(), format: self.format }
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Self::Writer {
        Redacted { writer: self.writer.make_writer_for(meta), format: self.format }
    }
}

impl<W: Write> Write for Redacted<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(event);
        match self.format {
            LogFormat::Text => self.writer.write_all(redact(&line).as_bytes())?,
            LogFormat::Json => self.writer.write_all(redact_json(&line).as_bytes())?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests;
