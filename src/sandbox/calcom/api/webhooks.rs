//! Subscriptions of the caller, and of the caller's event types.

use serde_json::{Value, json};
use url::Url;

use super::call::{Answer, Call};
use super::fields::Fields;
use super::list::number;
use super::operation::Operation;
use crate::sandbox::calcom::inner::Inner;
use crate::sandbox::calcom::refusal::Refusal;
use crate::sandbox::calcom::webhook::{Scope, Trigger, WebhookInput};
use crate::sandbox::calcom::world::World;

const MAX_TAKE: usize = 250;
const VERSION: &str = "2021-10-20";

pub(super) fn perform(inner: &Inner, call: &Call) -> Result<Answer, Refusal> {
    let mut world = inner.world();
    let scope = scope(&world, call)?;
    match call.operation {
        Operation::ListWebhooks | Operation::ListEventTypeWebhooks => list(&world, call, scope),
        Operation::CreateWebhook | Operation::CreateEventTypeWebhook => {
            let made = world.subscribe(scope, input(&call.body, true)?)?;
            Ok(Answer::created(made.shown()))
        }
        Operation::DeleteEventTypeWebhooks => {
            let count = world.webhooks.len();
            world.webhooks.retain(|webhook| webhook.scope != scope);
            let deleted = count - world.webhooks.len();
            Ok(Answer::ok(json!(format!("Deleted {deleted} webhooks"))))
        }
        _ => one(&mut world, call, scope),
    }
}

fn one(world: &mut World, call: &Call, scope: Scope) -> Result<Answer, Refusal> {
    let id = match scope {
        Scope::User(_) => call.argument(0),
        Scope::EventType(_) => call.argument(1),
    };
    check_scope(world, id, scope)?;
    let webhook = match call.operation {
        Operation::UpdateWebhook | Operation::UpdateEventTypeWebhook => {
            world.change_webhook(id, input(&call.body, false)?)?
        }
        Operation::DeleteWebhook | Operation::DeleteEventTypeWebhook => world.unsubscribe(id)?,
        _ => world.webhook(id)?.clone(),
    };
    Ok(Answer::ok(webhook.shown()))
}

fn list(world: &World, call: &Call, scope: Scope) -> Result<Answer, Refusal> {
    let (take, skip) =
        (number(call, "take", MAX_TAKE, 1, MAX_TAKE)?, number(call, "skip", 0, 0, usize::MAX)?);
    let found = world.webhooks.iter().filter(|webhook| webhook.scope == scope);
    let found: Vec<Value> = found.skip(skip).take(take).map(|webhook| webhook.shown()).collect();
    Ok(Answer::ok(Value::Array(found)))
}

/// What the route is about; an event type must be the caller's own (is-user-event-type-webhook-guard.ts).
fn scope(world: &World, call: &Call) -> Result<Scope, Refusal> {
    let user_id = call.user_id()?;
    if call.operation.family() == "/v2/webhooks" {
        return Ok(Scope::User(user_id));
    }
    let id = call.argument(0);
    let guard = "IsUserEventTypeWebhookGuard";
    let unknown = || Refusal::not_found(format!("{guard} - Event type ({id}) not found"));
    let event_type = id.parse().ok().and_then(|id| world.event_type(id)).ok_or_else(unknown)?;
    if event_type.owner_id != user_id {
        let message = format!("{guard} - User ({user_id}) is not the owner of event type ({id})");
        return Err(Refusal::framework(403, message));
    }
    Ok(Scope::EventType(event_type.id))
}

fn check_scope(world: &World, id: &str, scope: Scope) -> Result<(), Refusal> {
    let found = world.webhook(id)?.scope;
    if found == scope {
        return Ok(());
    }
    match (scope, found) {
        (Scope::EventType(_), Scope::User(_)) => Err(Refusal::bad(format!(
            "IsUserEventTypeWebhookGuard - Webhook ({id}) is not associated with an event type"
        ))),
        _ => Err(Refusal::framework(403, "Forbidden resource")),
    }
}

fn input(body: &Value, is_new: bool) -> Result<WebhookInput, Refusal> {
    let mut fields = Fields::of(body);
    let subscriber_url = fields.text("/subscriberUrl");
    let active = fields.flag("/active");
    let triggers = fields.value("/triggers").map(|listed| {
        let words = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        let known: Option<Vec<Trigger>> = words.iter().map(Trigger::subscribable).collect();
        (!words.is_empty()).then_some(known).flatten()
    });
    if is_new {
        let missing = [
            ("subscriberUrl", subscriber_url.is_none()),
            ("active", active.is_none()),
            ("triggers", triggers.is_none()),
        ];
        for (field, _) in missing.into_iter().filter(|(_, is_missing)| *is_missing) {
            fields.wrong(field, "isDefined", "should not be null or undefined");
        }
    }
    if matches!(triggers, Some(None)) {
        fields.wrong("triggers", "isEnum", "must be a list of the known triggers");
    }
    let is_url = |url: &String| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !subscriber_url.as_ref().is_none_or(is_url) {
        fields.wrong("subscriberUrl", "isUrl", "must be a URL address");
    }
    if fields.text("/version").is_some_and(|version| version != VERSION) {
        fields.wrong("version", "isEnum", "must be 2021-10-20");
    }
    let (secret, payload_template) = (fields.text("/secret"), fields.text("/payloadTemplate"));
    let triggers = triggers.flatten();
    fields.done(WebhookInput { subscriber_url, active, triggers, secret, payload_template })
}
