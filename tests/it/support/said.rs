//! What the booking tool says, word for word, and what it is told.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use stellwerk::proto;
use uuid::Uuid;

use super::{
    booking_tool::{Answer, TestBookingTool},
    caller::TestCaller,
};

/// More than any test delivers.
pub(crate) const NO_LIMIT: i32 = 1_000_000;

/// What an old version says: without id and time.
pub(crate) fn said(event: &str, data: Value) -> Value {
    json!({ "event": event, "data": data })
}

/// What newer versions say.
pub(crate) fn said_at(id: &str, event: &str, at: DateTime<Utc>, data: Value) -> Value {
    json!({ "id": id, "event": event, "occurred_at": written(at), "data": data })
}

/// A time as the tool writes it.
pub(crate) fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// How many deliveries a minute the endpoints take that are made from now on.
pub(crate) async fn limit_new_endpoints(admin: &TestCaller, per_minute: i32) {
    let request =
        proto::UpdateTenantSettingsRequest { webhook_limit_per_minute: per_minute, ..Default::default() };
    admin.access().update_tenant_settings(request).await.expect("a new limit");
}

impl TestBookingTool {
    /// Delivers it signed, as a delivery that never was before.
    pub(crate) async fn tell(&self, said: &Value) -> Answer {
        self.deliver(&format!("msg_{}", Uuid::now_v7().simple()), said).await
    }

    /// The same for bytes that need not be JSON.
    pub(crate) async fn tell_bytes(&self, body: Vec<u8>) -> Answer {
        let id = format!("msg_{}", Uuid::now_v7().simple());
        self.post(self.signed(&id, Utc::now().timestamp(), &body), body).await
    }
}

impl Answer {
    /// What became of a delivery that was answered 200.
    pub(crate) fn kept(&self) -> &str {
        assert_eq!(self.status, 200, "{}", self.body);
        self.text("status")
    }

    pub(crate) fn event_id(&self) -> &str {
        self.text("event_id")
    }

    pub(crate) fn reason(&self) -> &str {
        self.text("reason")
    }

    /// Seconds.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.headers.get("retry-after")?.to_str().ok()?.parse().ok()
    }

    fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }
}
