//! Webhook subscriptions and the triggers they can have.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::booking::new_uuid;
use super::refusal::Refusal;
use super::world::World;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub id: String,
    pub scope: Scope,
    pub subscriber_url: String,
    pub active: bool,
    pub triggers: Vec<Trigger>,
    pub secret: Option<String>,
    pub payload_template: Option<String>,
}

/// Whose changes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All event types of this user.
    User(i64),
    EventType(i64),
}

/// The triggers a subscription can name, and `PING`, which only the button in the settings sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Trigger {
    BookingCreated,
    BookingPaymentInitiated,
    BookingPaid,
    BookingRescheduled,
    BookingRequested,
    BookingCancelled,
    BookingRejected,
    BookingNoShowUpdated,
    FormSubmitted,
    MeetingEnded,
    MeetingStarted,
    RecordingReady,
    InstantMeeting,
    RecordingTranscriptionGenerated,
    OooCreated,
    AfterHostsCalVideoNoShow,
    AfterGuestsCalVideoNoShow,
    FormSubmittedNoEvent,
    RoutingFormFallbackHit,
    DelegationCredentialError,
    WrongAssignmentReport,
    Ping,
}

impl Trigger {
    /// One a subscription can name.
    pub(crate) fn subscribable(word: &Value) -> Option<Self> {
        Self::deserialize(word).ok().filter(|trigger| *trigger != Self::Ping)
    }

    pub(crate) fn told(self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// What a request says of a subscription; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct WebhookInput {
    pub(crate) subscriber_url: Option<String>,
    pub(crate) active: Option<bool>,
    pub(crate) triggers: Option<Vec<Trigger>>,
    pub(crate) secret: Option<String>,
    pub(crate) payload_template: Option<String>,
}

impl Webhook {
    pub(crate) fn shown(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "subscriberUrl": self.subscriber_url,
            "active": self.active,
            "triggers": self.triggers,
            "payloadTemplate": self.payload_template,
            "secret": self.secret,
        });
        match self.scope {
            Scope::User(id) => shown["userId"] = json!(id),
            Scope::EventType(id) => shown["eventTypeId"] = json!(id),
        }
        shown
    }

    fn take(&mut self, input: WebhookInput) {
        if let Some(url) = input.subscriber_url {
            self.subscriber_url = url;
        }
        if let Some(triggers) = input.triggers {
            self.triggers = triggers;
        }
        self.active = input.active.unwrap_or(self.active);
        // There is no overlap of an old and a new secret.
        self.secret = input.secret.or(self.secret.take());
        self.payload_template = input.payload_template.or(self.payload_template.take());
    }
}

impl World {
    pub(crate) fn subscribe(&mut self, scope: Scope, input: WebhookInput) -> Result<Webhook, Refusal> {
        let mut webhook = Webhook {
            id: new_uuid().to_string(),
            scope,
            subscriber_url: String::new(),
            active: true,
            triggers: Vec::new(),
            secret: None,
            payload_template: None,
        };
        webhook.take(input);
        self.check_url_is_new(&webhook)?;
        self.webhooks.push(webhook.clone());
        Ok(webhook)
    }

    pub(crate) fn change_webhook(&mut self, id: &str, input: WebhookInput) -> Result<Webhook, Refusal> {
        let mut changed = self.webhook(id)?.clone();
        changed.take(input);
        self.check_url_is_new(&changed)?;
        if let Some(kept) = self.webhooks.iter_mut().find(|webhook| webhook.id == id) {
            kept.clone_from(&changed);
        }
        Ok(changed)
    }

    pub(crate) fn unsubscribe(&mut self, id: &str) -> Result<Webhook, Refusal> {
        let webhook = self.webhook(id)?.clone();
        self.webhooks.retain(|webhook| webhook.id != id);
        Ok(webhook)
    }

    pub(crate) fn webhook(&self, id: &str) -> Result<&Webhook, Refusal> {
        let unknown = || Refusal::not_found(format!("Webhook ({id}) not found"));
        self.webhooks.iter().find(|webhook| webhook.id == id).ok_or_else(unknown)
    }

    /// Every active subscription of the user and of the event type: one change, several deliveries.
    pub(crate) fn subscribers(&self, user_id: i64, event_type_id: i64, trigger: Trigger) -> Vec<Webhook> {
        let hears = |webhook: &&Webhook| {
            let is_in_scope = match webhook.scope {
                Scope::User(id) => id == user_id,
                Scope::EventType(id) => id == event_type_id,
            };
            is_in_scope && webhook.active && webhook.triggers.contains(&trigger)
        };
        self.webhooks.iter().filter(hears).cloned().collect()
    }

    /// Cal.com's schema has one row per user and URL, and one per event type and URL.
    fn check_url_is_new(&self, webhook: &Webhook) -> Result<(), Refusal> {
        let is_twin = |other: &Webhook| {
            other.id != webhook.id
                && other.scope == webhook.scope
                && other.subscriber_url == webhook.subscriber_url
        };
        if !self.webhooks.iter().any(is_twin) {
            return Ok(());
        }
        let whose = match webhook.scope {
            Scope::User(_) => "user",
            Scope::EventType(_) => "event type",
        };
        Err(Refusal::framework(
            409,
            format!("Webhook with this subscriber url already exists for this {whose}"),
        ))
    }
}
