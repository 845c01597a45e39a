//! For how long a server asks to be left alone.

use std::time::Duration;

use chrono::DateTime;
use http::header::{DATE, HeaderMap, RETRY_AFTER};

/// What `Retry-After` says, in seconds or as a date, which is measured from the answer's own. None where
/// nothing is said that can be understood.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let date = |text: &str| DateTime::parse_from_rfc2822(text).ok();
    let after = text(RETRY_AFTER)?;
    match after.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => (date(after)? - date(text(DATE)?)?).to_std().ok(),
    }
}
