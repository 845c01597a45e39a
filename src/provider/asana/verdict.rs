//! What a failed answer means.
//!
//! The envelope is `{"errors":[{"message","help","phrase"}]}`. There are no codes, and the wordings are not
//! documented, so the status decides.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::error::{CallError, Refusal};
use crate::egress::Fetched;
use crate::provider::call::{Effect, NoAnswer, block};
use crate::provider::fields::Fields;

/// Every limiter tells how long to wait; without a word, as long as the longest known window.
const BLOCK: Duration = Duration::from_secs(60);

/// Of an answer outside 2xx.
pub(super) fn of(effect: Effect, fetched: &Fetched) -> CallError {
    let status = fetched.status;
    // 424 stands in the description with the text of 429 (2026-06-11).
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::FAILED_DEPENDENCY) {
        return CallError::Throttled { retry_after: block(&fetched.headers, BLOCK) };
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return CallError::unanswered(effect, NoAnswer::Status(status.as_u16()));
    }
    if status == StatusCode::UNAUTHORIZED {
        return CallError::Credential;
    }
    // A proxy's page is above all not «no such task».
    let Some(message) = complaint(&fetched.body) else {
        return CallError::UnexpectedShape { what: "errors", may_be_done: false };
    };
    CallError::Refused(match status {
        StatusCode::BAD_REQUEST if message.contains("is not on given object") => Refusal::FieldNotOnTask,
        StatusCode::BAD_REQUEST => Refusal::Invalid,
        StatusCode::PAYMENT_REQUIRED => Refusal::PlanLimit,
        StatusCode::FORBIDDEN if message.contains("duplicated webhook") => Refusal::Duplicate,
        StatusCode::FORBIDDEN => Refusal::NotAllowed,
        StatusCode::NOT_FOUND | StatusCode::GONE => Refusal::NotFound,
        StatusCode::PRECONDITION_FAILED => Refusal::Precondition,
        StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => Refusal::LegalBlock,
        _ => Refusal::Other { status: status.as_u16() },
    })
}

/// The messages in lower case, if the body is Asana's envelope.
fn complaint(body: &[u8]) -> Option<String> {
    let root: Value = serde_json::from_slice(body).ok()?;
    let errors = Fields::of(&root)?.get("errors")?.as_array()?;
    let texts = errors.iter().filter_map(Fields::of).filter_map(|error| error.text("message"));
    Some(texts.collect::<Vec<_>>().join("\n").to_lowercase())
}
