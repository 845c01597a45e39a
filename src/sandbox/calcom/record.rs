//! What was asked, kept for those who want to look.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::api::Operation;

/// One request to `/v2`, as it came. Never the key itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recorded {
    pub id: u64,
    pub time: DateTime<Utc>,
    /// `None`: there is no such route.
    pub operation: Option<Operation>,
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    /// The header `cal-api-version`.
    pub version: Option<String>,
    /// `None`: no key, or one that is not known.
    pub key_id: Option<i64>,
    pub user_id: Option<i64>,
    /// `null` where there was none, a text where it was no JSON.
    pub body: Value,
    /// What was answered; `None` while nothing was, and for an answer that was lost on purpose.
    pub status: Option<u16>,
}
