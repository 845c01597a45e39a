//! What is said to and by a tenant's planning tool, in short.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use stellwerk::{
    sandbox::asana::{Gid, Refusal},
    store::sync_log::SyncLog,
};

/// An event about a task, as webhooks tell it: what, never to what.
pub(crate) fn told(action: &str, task: Gid) -> Value {
    json!({
        "action": action,
        "resource": { "gid": task.to_string(), "resource_type": "task" },
        "created_at": instant(Utc::now()),
    })
}

/// That a field of a task changed.
pub(crate) fn told_field(task: Gid, field: &str, at: DateTime<Utc>) -> Value {
    json!({
        "action": "changed",
        "resource": { "gid": task.to_string(), "resource_type": "task" },
        "change": { "field": field, "action": "changed" },
        "created_at": instant(at),
    })
}

fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// What a count of a run says, 0 where it says nothing.
pub(crate) fn counted(run: &SyncLog, noun: &str, of: &str) -> u64 {
    run.counts[noun][of].as_u64().unwrap_or_default()
}

/// What Asana says to who asks for what the plan does not include (402), or what is not theirs to see (403).
pub(crate) fn refusal(status: u16) -> Refusal {
    Refusal { status, message: "Not available".into(), sync: None, retry_after_seconds: None }
}

/// The errors of a run as `subject reason`.
pub(crate) fn errors(run: &SyncLog) -> Vec<String> {
    let errors = run.errors.as_array().cloned().unwrap_or_default();
    let line = |error: &Value| {
        let of = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", of("subject"), of("reason"))
    };
    errors.iter().map(line).collect()
}
