//! Webhooks as they are registered there.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::Asana;
use super::error::CallError;
use super::event::{Action, ResourceKind};
use super::page::{Offset, Page};
use super::request::Request;
use crate::provider::fields::Fields;

/// A webhook to make.
#[derive(Clone, PartialEq, Eq)]
pub struct SubscriptionWish<'a> {
    /// A project's or the workspace's gid.
    pub resource: &'a str,
    /// Called in full, so what makes it unguessable may be in its path.
    pub target: &'a str,
    /// An event passes if any of them fits. A workspace's webhook must have some.
    pub filters: Vec<Filter>,
}

/// Which events a webhook tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub kind: ResourceKind,
    pub action: Action,
}

/// A webhook of ours. What Asana got when it failed to call us is not read: it may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    pub gid: String,
    pub resource: Option<String>,
    pub target: Option<String>,
    pub is_active: bool,
    /// Those that let pass everything of a kind and action; absent when Asana does not say what they are.
    pub filters: Option<Vec<Filter>>,
    pub created_at: Option<DateTime<Utc>>,
    pub last_success_at: Option<DateTime<Utc>>,
    pub last_failure_at: Option<DateTime<Utc>>,
    pub delivery_retry_count: u32,
    pub next_attempt_after: Option<DateTime<Utc>>,
    /// When it will be deleted unless a delivery succeeds.
    pub failure_deletion_time: Option<DateTime<Utc>>,
}

/// A webhook that was made, and what signs its deliveries; the handshake gave that before,
/// nothing gives it again.
pub struct CreatedSubscription {
    pub subscription: Subscription,
    pub secret: Option<SecretString>,
}

const SUBSCRIPTION: &[&str] = &[
    "active",
    "filters",
    "resource",
    "target",
    "created_at",
    "last_success_at",
    "last_failure_at",
    "delivery_retry_count",
    "next_attempt_after",
    "failure_deletion_timestamp",
];

impl Asana<'_> {
    /// Those that this app made for this user.
    pub async fn webhooks(
        &self,
        workspace: &str,
        resource: Option<&str>,
        offset: Option<&Offset>,
    ) -> Result<Page<Subscription>, CallError> {
        let request = Request::get(&["webhooks"])
            .query("workspace", workspace)
            .query_if("resource", resource)
            .fields(SUBSCRIPTION)
            .page(offset);
        self.send(request).await?.page(offset, Subscription::of)
    }

    /// Makes a webhook. Before it answers, Asana calls `target` with a secret and wants it back: hold no lock
    /// and no transaction meanwhile.
    pub async fn create_webhook(
        &self,
        wish: &SubscriptionWish<'_>,
    ) -> Result<CreatedSubscription, CallError> {
        let answer = self.send(Request::post(&["webhooks"], wish.json()).fields(SUBSCRIPTION)).await?;
        let secret = answer.root().and_then(|root| root.get("X-Hook-Secret")).and_then(Value::as_str);
        let secret = secret.filter(|secret| !secret.is_empty()).map(Into::into);
        Ok(CreatedSubscription { subscription: answer.one(Subscription::of)?, secret })
    }

    /// Has a webhook tell of something else, at the same address and with the same secret.
    pub async fn filter_webhook(&self, gid: &str, filters: &[Filter]) -> Result<Subscription, CallError> {
        let data = json!({ "filters": json_of(filters) });
        self.send(Request::put(&["webhooks", gid], data).fields(SUBSCRIPTION)).await?.one(Subscription::of)
    }

    /// What is on its way arrives all the same.
    pub async fn delete_webhook(&self, gid: &str) -> Result<(), CallError> {
        self.send(Request::delete(&["webhooks", gid])).await.map(drop)
    }
}

impl SubscriptionWish<'_> {
    fn json(&self) -> Value {
        let mut data = json!({ "resource": self.resource, "target": self.target });
        if !self.filters.is_empty() {
            data["filters"] = json_of(&self.filters);
        }
        data
    }
}

fn json_of(filters: &[Filter]) -> Value {
    filters.iter().map(Filter::json).collect()
}

impl Filter {
    fn json(&self) -> Value {
        json!({ "resource_type": self.kind.as_str(), "action": self.action.as_str() })
    }

    /// Of a webhook's filters those that are not narrowed any further. None where one of them is not told.
    fn of_list(told: &[Value]) -> Option<Vec<Self>> {
        let mut filters = Vec::new();
        for told in told {
            let told = Fields::of(told)?;
            let kind = told.text("resource_type").map(ResourceKind::of)?;
            let action = told.text("action").map(Action::of)?;
            if told.text("resource_subtype").is_none() && told.list("fields").is_empty() {
                filters.push(Self { kind, action });
            }
        }
        Some(filters)
    }
}

impl Subscription {
    fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            gid: fields.key("gid").ok_or("gid")?,
            resource: fields.object("resource").and_then(|resource| resource.key("gid")),
            target: fields.text("target"),
            is_active: fields.flag("active").unwrap_or_default(),
            filters: fields.get("filters").and_then(Value::as_array).and_then(|told| Filter::of_list(told)),
            created_at: fields.time("created_at"),
            last_success_at: fields.time("last_success_at"),
            last_failure_at: fields.time("last_failure_at"),
            delivery_retry_count: fields.count("delivery_retry_count").unwrap_or_default(),
            next_attempt_after: fields.time("next_attempt_after"),
            failure_deletion_time: fields.time("failure_deletion_timestamp"),
        })
    }
}

// The URL's path is what makes it unguessable.

impl fmt::Debug for SubscriptionWish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, filters, .. } = self;
        f.debug_struct("SubscriptionWish")
            .field("resource", resource)
            .field("filters", filters)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gid, resource, is_active, .. } = self;
        f.debug_struct("Subscription")
            .field("gid", gid)
            .field("resource", resource)
            .field("is_active", is_active)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CreatedSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedSubscription")
            .field("subscription", &self.subscription)
            .finish_non_exhaustive()
    }
}
