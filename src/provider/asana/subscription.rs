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

    /// What is on its way arrives all the same.
    pub async fn delete_webhook(&self, gid: &str) -> Result<(), CallError> {
        self.send(Request::delete(&["webhooks", gid])).await.map(drop)
    }
}

impl SubscriptionWish<'_> {
    fn json(&self) -> Value {
        let mut data = json!({ "resource": self.resource, "target": self.target });
        if !self.filters.is_empty() {
            let filters = self.filters.iter().map(Filter::json);
            data["filters"] = filters.collect();
        }
        data
    }
}

impl Filter {
    fn json(&self) -> Value {
        json!({ "resource_type": self.kind.as_str(), "action": self.action.as_str() })
    }
}

impl Subscription {
    fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            gid: fields.key("gid").ok_or("gid")?,
            resource: fields.object("resource").and_then(|resource| resource.key("gid")),
            target: fields.text("target"),
            is_active: fields.flag("active").unwrap_or_default(),
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
