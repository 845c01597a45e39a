//! Webhooks: made by a handshake while the request for them is still open.

use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use super::call::{Answer, Answered, Call};
use super::operation::Operation;
use super::people::next;
use crate::sandbox::asana::faults::Fault;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::oauth;
use crate::sandbox::asana::refusal::Refusal;
use crate::sandbox::asana::webhook::{Filter, check_workspace_filters};
use crate::sandbox::asana::world::World;
use crate::sandbox::client::is_loopback;

const NO_HANDSHAKE: &str = "Could not complete activation handshake with target URL. Please ensure that the \
    receiving server is accepting connections and supports SSL";

pub(super) async fn answer(inner: &Arc<Inner>, call: &Call) -> Answered {
    let (first, user) = (call.argument(0), call.user());
    match call.operation {
        Operation::CreateWebhook => create(inner, call).await,
        Operation::GetWebhook => {
            let world = inner.world();
            let webhook = world.webhook_of(first, call.app(), user)?;
            Ok(call.one(|shape| world.show_webhook(webhook, shape)))
        }
        Operation::UpdateWebhook => {
            call.check_keys(&["filters"])?;
            let filters = filters(call)?;
            let (gid, is_of_workspace) = {
                let world = inner.world();
                let webhook = world.webhook_of(first, call.app(), user)?;
                (webhook.gid, webhook.resource == webhook.workspace)
            };
            if is_of_workspace {
                check_workspace_filters(&filters)?;
            }
            if let Some(webhook) = inner.world_mut().webhooks.get_mut(&gid) {
                webhook.filters = filters;
            }
            let world = inner.world();
            let webhook = world.webhook_of(first, call.app(), user)?;
            Ok(call.one(|shape| world.show_webhook(webhook, shape)))
        }
        Operation::DeleteWebhook => {
            let gid = inner.world().webhook_of(first, call.app(), user)?.gid;
            inner.world_mut().webhooks.remove(&gid);
            Ok(Answer::nothing())
        }
        _ => list(inner, call),
    }
}

fn list(inner: &Inner, call: &Call) -> Answered {
    let world = inner.world();
    let workspace = world.workspace_of(call.required("workspace")?, call.user())?.gid;
    let resource: Option<Gid> = call.parsed("resource")?;
    let webhooks = |world: &World, after, look| {
        let mine = world.webhooks.range(next(after)..).filter(|(_, one)| {
            one.app == call.app()
                && one.user == call.user()
                && one.workspace == workspace
                && resource.is_none_or(|resource| one.resource == resource)
        });
        Ok(mine.map(|(gid, _)| *gid).take(look).collect())
    };
    call.list(&world, inner, webhooks, |world, gid, shape| {
        world.webhooks.get(&gid).map_or(Value::Null, |webhook| world.show_webhook(webhook, shape))
    })
}

async fn create(inner: &Arc<Inner>, call: &Call) -> Answered {
    call.check_keys(&["resource", "target", "filters"])?;
    let (resource, target) = (call.required_text("resource")?, call.required_text("target")?);
    let url = Url::parse(target).map_err(|_| Refusal::bad("target: Not a URI"))?;
    // At Asana it is the other way round: this machine is where nothing may be sent.
    if !is_loopback(&url) {
        return Err(Refusal::new(403, "Forbidden: the double's webhooks stay on this machine"));
    }
    let secret = oauth::secret();
    let caller = (call.app(), call.user());
    let plan =
        || inner.world().plan_webhook(caller, (resource, target), filters(call)?, secret.clone(), call.now);
    plan()?;
    if call.suffers(&Fault::HandshakeLost) {
        return Err(Refusal::bad(NO_HANDSHAKE));
    }
    inner.shake_hands(&url, &secret).await.map_err(Refusal::bad)?;
    if call.suffers(&Fault::HandshakeTwice) {
        inner.shake_hands(&url, &oauth::secret()).await.ok();
    }
    // Somebody may have been faster meanwhile.
    let webhook = plan()?;
    let gid = inner.world_mut().add_webhook(webhook);
    // It arrives before the answer does.
    inner.beat(gid).await;
    let world = inner.world();
    let webhook = world.webhooks.get(&gid).ok_or_else(|| Refusal::unknown("webhook", &gid.to_string()))?;
    let shown: Value = world.show_webhook(webhook, &call.shape());
    let mut answer = Answer::created(shown);
    answer.body["X-Hook-Secret"] = json!(secret);
    Ok(answer)
}

fn filters(call: &Call) -> Result<Vec<Filter>, Refusal> {
    match call.data.get("filters") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(value) => {
            let filters: Result<Vec<Filter>, _> = serde_json::from_value(value.clone());
            let filters = filters.map_err(|error| Refusal::bad(format!("filters: {error}")))?;
            let is_odd = |one: &Filter| one.fields.is_some() && one.action.as_deref() != Some("changed");
            if filters.iter().any(is_odd) {
                return Err(Refusal::bad("filters: fields go with the action changed only"));
            }
            Ok(filters)
        }
    }
}
