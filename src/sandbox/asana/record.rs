//! What was asked, kept for those who want to look.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::api::Operation;
use super::gid::Gid;

/// One request to `/api/1.0`, as it came. Never the token itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recorded {
    pub id: u64,
    pub time: DateTime<Utc>,
    /// `None`: there is no such route.
    pub operation: Option<Operation>,
    pub method: String,
    /// Below `/api/1.0`, as `/tasks/12`.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// `None`: no token, or one that is not known.
    pub user: Option<Gid>,
    /// Of the authorisation.
    pub grant: Option<u64>,
    /// `null` where there was none, a text where it was no JSON.
    pub body: Value,
    /// What was answered; `None` while nothing was, and for an answer that was lost on purpose.
    pub status: Option<u16>,
}

impl Recorded {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }
}
