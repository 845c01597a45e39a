//! Everything that the program said in this process, at every level, and what it must not have said.
//!
//! Each test knows its own secrets: whatever makes one in a test's support tells it here, and the end of a
//! `TestApp` looks for them in what was said since its start.

use std::{
    cell::RefCell,
    collections::HashSet,
    io::{self, Write},
    sync::{Mutex, Once, PoisonError},
    thread,
};

use stellwerk::telemetry::{self, LogFormat};
use tracing_subscriber::fmt::MakeWriter;

/// Shorter ones are words that a log may say for other reasons.
const SECRET_LENGTH: usize = 16;

static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static BEGIN: Once = Once::new();

thread_local! {
    static SECRETS: RefCell<HashSet<String>> = RefCell::default();
}

/// Since its making; the look is at its end.
pub(crate) struct LogBook {
    since: usize,
}

/// Tells something that must be in no log.
pub(crate) fn secret(text: &str) {
    if text.len() >= SECRET_LENGTH {
        SECRETS.with_borrow_mut(|secrets| secrets.insert(text.into()));
    }
}

impl LogBook {
    pub(crate) fn open() -> Self {
        BEGIN.call_once(|| {
            telemetry::init_to(LogFormat::Text, "trace", Book).expect("nobody else listens");
        });
        Self { since: said().len() }
    }

    /// The secrets of this test that were said, by their first letters.
    pub(crate) fn told(&self) -> Vec<String> {
        let said = said();
        let text = String::from_utf8_lossy(&said[self.since..]);
        let secrets = SECRETS.with_borrow(Clone::clone);
        let told = secrets.iter().filter(|secret| text.contains(secret.as_str()));
        told.map(|secret| format!("{}…", secret.chars().take(6).collect::<String>())).collect()
    }
}

impl Drop for LogBook {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert_eq!(self.told(), [""; 0], "secrets that were logged");
            return;
        }
        // Other tests' errors are among them.
        let since = said()[self.since..].to_vec();
        for line in String::from_utf8_lossy(&since).lines().filter(|line| line.contains("ERROR")) {
            eprintln!("{line}");
        }
    }
}

fn said() -> std::sync::MutexGuard<'static, Vec<u8>> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Book;

impl<'a> MakeWriter<'a> for Book {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Book {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        said().extend_from_slice(event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
