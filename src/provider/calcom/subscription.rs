//! Webhook subscriptions: what Cal.com calls us for. No version header; every version is served alike.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::Calcom;
use super::call::Call;
use super::error::CallError;
use super::webhook::Trigger;
use crate::provider::fields::Fields;

/// The only payload version there is (2026-03).
const PAYLOAD_VERSION: &str = "2021-10-20";
const MAX_TAKE: u32 = 250;

/// Whose changes a subscription tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubscriptionScope {
    /// All event types of the credential's user, private ones included.
    User,
    /// One event type's.
    EventType(i64),
}

/// A subscription as it should be. One per scope and URL is allowed; each has a secret of its own.
#[derive(Clone, Copy)]
pub struct SubscriptionWish<'a> {
    /// https and public, for the hosted service.
    pub url: &'a Url,
    /// Replaced at once by an update: Cal.com knows no overlap, so keep accepting the old one for a while.
    pub secret: &'a SecretString,
    pub triggers: &'a [Trigger],
    pub is_active: bool,
}

/// A subscription as it is.
#[derive(Clone)]
pub struct Subscription {
    /// A UUID, though described as a number.
    pub id: String,
    pub url: String,
    pub is_active: bool,
    pub triggers: Vec<Trigger>,
    /// Told in clear by Cal.com; absent when the subscription has none.
    pub secret: Option<SecretString>,
    /// Somebody set a payload template: bodies are whatever it says. Only a new subscription is free of it.
    pub has_template: bool,
}

impl Calcom<'_> {
    /// One page of at most 250, from `skip` on; a shorter one is the last.
    pub async fn subscriptions(
        &self,
        scope: SubscriptionScope,
        skip: u32,
    ) -> Result<Vec<Subscription>, CallError> {
        let call = Call::get(&scope.path(None)).query("take", MAX_TAKE).query("skip", skip);
        let answer = self.call(call).await?;
        let found: Option<Vec<Subscription>> = answer.list()?.iter().map(Subscription::of).collect();
        found.ok_or_else(|| answer.unfit("data[].id"))
    }

    /// [`Refusal::Duplicate`](super::Refusal::Duplicate) when the scope has a subscription of this URL.
    pub async fn create_subscription(
        &self,
        scope: SubscriptionScope,
        wish: &SubscriptionWish<'_>,
    ) -> Result<Subscription, CallError> {
        let answer = self.call(Call::post(&scope.path(None), wish.body())).await?;
        Subscription::of(answer.data()?).ok_or_else(|| answer.unfit("data.id"))
    }

    pub async fn update_subscription(
        &self,
        scope: SubscriptionScope,
        id: &str,
        wish: &SubscriptionWish<'_>,
    ) -> Result<Subscription, CallError> {
        let answer = self.call(Call::patch(&scope.path(Some(id)), wish.body())).await?;
        Subscription::of(answer.data()?).ok_or_else(|| answer.unfit("data.id"))
    }

    /// [`Refusal::NotFound`](super::Refusal::NotFound) when it is gone already.
    pub async fn delete_subscription(&self, scope: SubscriptionScope, id: &str) -> Result<(), CallError> {
        self.call(Call::delete(&scope.path(Some(id)))).await.map(drop)
    }
}

impl SubscriptionScope {
    fn path(self, id: Option<&str>) -> Vec<String> {
        let scope = match self {
            Self::User => vec!["webhooks".to_owned()],
            Self::EventType(event_type) => {
                vec!["event-types".to_owned(), event_type.to_string(), "webhooks".to_owned()]
            }
        };
        scope.into_iter().chain(id.map(str::to_owned)).collect()
    }
}

impl SubscriptionWish<'_> {
    fn body(&self) -> Value {
        let triggers: Vec<&str> = self.triggers.iter().map(Trigger::as_str).collect();
        json!({
            "active": self.is_active,
            "subscriberUrl": self.url.as_str(),
            "triggers": triggers,
            "secret": self.secret.expose_secret(),
            "version": PAYLOAD_VERSION,
        })
    }
}

impl Subscription {
    fn of(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let triggers = fields.list("triggers").iter().filter_map(Value::as_str);
        Some(Self {
            id: fields.key("id")?,
            url: fields.text("subscriberUrl")?,
            is_active: fields.flag("active").unwrap_or_default(),
            triggers: triggers.map(Trigger::of).collect(),
            secret: fields
                .get("secret")
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(Into::into),
            has_template: fields.text("payloadTemplate").is_some(),
        })
    }
}

// The URL's path is what makes it unguessable.

impl fmt::Debug for SubscriptionWish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { triggers, is_active, .. } = self;
        f.debug_struct("SubscriptionWish")
            .field("triggers", triggers)
            .field("is_active", is_active)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, is_active, triggers, .. } = self;
        f.debug_struct("Subscription")
            .field("id", id)
            .field("is_active", is_active)
            .field("triggers", triggers)
            .finish_non_exhaustive()
    }
}
