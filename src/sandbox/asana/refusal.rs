//! What Asana says when it refuses: `{"errors":[{"message","help","phrase"}]}`, or a page of the balancer's.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const HELP: &str = "For more information on API status codes and how to handle them, read the docs on \
    errors: https://developers.asana.com/docs/errors";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    /// Beside `errors`, of 412.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<String>,
    /// The header, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), sync: None, retry_after_seconds: None }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(403, "You do not have access to this resource.")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Not Authorized")
    }

    /// The feature is above the workspace's plan.
    pub(crate) fn payment() -> Self {
        Self::new(402, "Payment Required: this feature is not available for your current plan.")
    }

    /// Of an id in the path.
    pub(crate) fn unknown(noun: &str, gid: &str) -> Self {
        Self::new(404, format!("{noun}: Unknown object: {gid}"))
    }

    /// Of an id in the body or the query.
    pub(crate) fn unknown_in(field: &str, gid: &str) -> Self {
        Self::bad(format!("{field}: Unknown object: {gid}"))
    }

    pub(crate) fn no_route() -> Self {
        Self::new(404, "No matching route for request")
    }

    pub(crate) fn throttled(retry_after_seconds: u32) -> Self {
        let message = format!(
            "You have made too many requests recently. Please, be chill. \
             Try again in {retry_after_seconds} seconds."
        );
        Self { retry_after_seconds: Some(retry_after_seconds), ..Self::new(429, message) }
    }

    pub(crate) fn sync(token: String) -> Self {
        let message = "Sync token invalid or too old. If you are attempting to keep resources in sync, \
            you must fetch the full dataset for this query now and use the new sync token for the next sync.";
        Self { sync: Some(token), ..Self::new(412, message) }
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether it is the balancer that speaks, in HTML.
    pub(crate) fn is_the_balancers(&self) -> bool {
        matches!(self.status, 502..=504)
    }

    pub(crate) fn body(&self, now: DateTime<Utc>) -> Value {
        let mut error = json!({ "message": self.message, "help": HELP });
        if self.status == 500 {
            error["phrase"] =
                json!(format!("{} sad squid snuggle softly", now.timestamp_subsec_millis() % 40));
        }
        let mut body = json!({ "errors": [error] });
        if let Some(sync) = &self.sync {
            body["sync"] = json!(sync);
        }
        body
    }

    pub(crate) fn page(&self) -> String {
        let reason = self.http_status().canonical_reason().unwrap_or("Error");
        let title = format!("{} {reason}", self.status);
        let body = format!("<body>\r\n<center><h1>{title}</h1></center>\r\n</body>");
        format!("<html>\r\n<head><title>{title}</title></head>\r\n{body}\r\n</html>\r\n")
    }
}
