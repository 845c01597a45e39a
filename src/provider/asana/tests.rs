//! A small Asana over real HTTP on loopback: it answers what a test says and keeps what it was asked.

use std::ops::Deref;

use axum::Router;
use chrono::NaiveDate;
use http::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::*;
use crate::egress::EgressConfig;
use crate::provider::call::{Class, NoAnswer};
use crate::provider::scripted::{self, Asked, Reply, reply};

mod answers;
mod changes;
mod events;
mod lists;
mod lost;
mod numbers;
mod requests;
mod spec;
mod verdicts;

/// A scripted Asana.
struct Double(scripted::Double);

impl Deref for Double {
    type Target = scripted::Double;

    fn deref(&self) -> &scripted::Double {
        &self.0
    }
}

impl Double {
    /// Answers each request with the next of these; beyond them 500.
    async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self(scripted::Double::answering("api/1.0", "asana_test_token", replies).await)
    }

    async fn serving(router: Router, tune: fn(EgressConfig) -> EgressConfig) -> Self {
        Self(scripted::Double::serving("api/1.0", "asana_test_token", router, tune).await)
    }

    fn asana(&self) -> Asana<'_> {
        Asana::new(&self.egress, &self.base, &self.key)
    }
}

fn data(data: Value) -> Reply {
    reply(200, json!({ "data": data }))
}

/// A page, and where the next begins.
fn page(records: Value, next: Option<&str>) -> Reply {
    let uri = |offset| format!("https://elsewhere.example.org/tasks?offset={offset}");
    let next = next.map(|offset| json!({ "offset": offset, "path": "/tasks", "uri": uri(offset) }));
    reply(200, json!({ "data": records, "next_page": next }))
}

fn complaint(status: u16, message: &str) -> Reply {
    reply(status, json!({ "errors": [{ "message": message, "help": "see the documentation" }] }))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// One task, read.
async fn task(record: Value) -> Task {
    Double::answering([data(record)]).await.asana().task("1").await.unwrap()
}

#[tokio::test]
async fn nothing_that_is_printed_names_people_tasks_urls_or_tokens() {
    let double = Double::answering([
        data(json!({ "gid": "7", "name": "Erika Muster", "email": "erika@example.org" })),
        data(json!({ "gid": "8", "name": "Erika ist krank" })),
        reply(
            201,
            json!({
                "data": { "gid": "9", "target": "https://hub.example.org/unguessable" },
                "X-Hook-Secret": "b537207f20cbfa02",
            }),
        ),
        page(json!([]), Some("eyJ0eXAiOiJKV1QifQ")),
    ])
    .await;
    let asana = double.asana();
    let wish =
        SubscriptionWish { resource: "1", target: "https://hub.example.org/unguessable", filters: vec![] };

    let printed = [
        format!("{asana:?}"),
        format!("{:?}", asana.me().await.unwrap()),
        format!("{:?}", asana.task("8").await.unwrap()),
        format!("{wish:?} {:?}", asana.create_webhook(&wish).await.unwrap()),
        format!("{:?}", asana.workspaces(None).await.unwrap()),
    ]
    .join("\n");

    for hidden in ["asana_test_token", "Muster", "erika", "krank", "unguessable", "b537207f20cbfa02", "eyJ0"]
    {
        assert!(!printed.contains(hidden), "{hidden} in {printed}");
    }
}
