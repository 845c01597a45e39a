//! What Asana tells: that something changed, never what it is now. Everything is read again, once for all
//! that is told together.

use chrono::{DateTime, Utc};

use super::{
    apply::{Applied, Occasion},
    reading::{Reading, Said, Unfit},
};
use crate::{
    domain::{
        engine::{reconcile, subscription::asana::Resource},
        planning::sync::refresh,
    },
    error::Result,
    provider::asana::{
        Event, ResourceKind,
        webhook::{self, Delivery, ParseError},
    },
    store::{self, TenantTx},
    words::EventStatus,
};

/// A sign of life, every eight hours.
const HEARTBEAT: &str = "HEARTBEAT";
/// The webhook was replaced by another one; all that it could tell was read since.
const REPLACED: &str = "WEBHOOK_REPLACED";
/// About other things than projects and tasks.
const NOT_WANTED: &str = "NOT_WANTED";
/// What was told is read at Asana.
const BEING_READ: &str = "BEING_READ";

/// Reads a body. `None`: not JSON.
pub(super) fn read(body: &[u8]) -> Option<Reading> {
    let reading = |event_type: String, occurred_time: Option<DateTime<Utc>>, said| Reading {
        event_type,
        delivery_id: None,
        occurred_time,
        said,
    };
    match webhook::parse(body) {
        Ok(delivery) => {
            let newest = delivery.events.iter().filter_map(|event| event.created_at).max();
            Some(reading(event_type(&delivery), newest, Ok(Said::Asana(delivery))))
        }
        Err(ParseError::NoEvents) => {
            let unfit = Unfit { field: "events".into(), reason: "MALFORMED" };
            Some(reading("unknown".into(), None, Err(unfit)))
        }
        Err(ParseError::NotJson) => None,
    }
}

/// As in `task.changed`; `events` where several kinds came together.
fn event_type(delivery: &Delivery) -> String {
    if delivery.is_heartbeat() {
        return "heartbeat".into();
    }
    let name = |event: &Event| format!("{}.{}", event.resource.kind, event.action.as_str());
    let mut names = delivery.events.iter().map(name);
    let first = names.next();
    first.filter(|first| names.all(|name| name == *first)).unwrap_or_else(|| "events".into())
}

/// Queues a read of what changed.
pub(super) async fn apply(
    tx: &mut TenantTx,
    occasion: &Occasion<'_>,
    delivery: &Delivery,
) -> Result<Applied> {
    let ignored = |reason| {
        let ignored = Applied::new(EventStatus::Ignored, Some(reason));
        Ok(Applied { keeps_body: false, ..ignored })
    };
    if delivery.is_heartbeat() {
        return ignored(HEARTBEAT);
    }
    // The address has decided the tenant and what it is about; whatever ids a body names, they are only ever
    // read with the tenant's own credential.
    let subscription = store::subscription::of_endpoint(tx, occasion.endpoint).await?;
    let resource = subscription.and_then(|subscription| Resource::parse(&subscription.resource));
    let Some(resource) = resource else { return ignored(REPLACED) };
    let is_wanted = |event: &&Event| match &resource {
        Resource::Project(_) => {
            matches!(event.resource.kind, ResourceKind::Task | ResourceKind::Project | ResourceKind::Section)
        }
        Resource::Workspace(_) => event.resource.kind == ResourceKind::Project,
    };
    let wanted: Vec<Event> = delivery.events.iter().filter(is_wanted).cloned().collect();
    if wanted.is_empty() && delivery.unfit.is_empty() {
        return ignored(NOT_WANTED);
    }
    let (project, now) = (resource.project(), Utc::now());
    refresh::queue(tx, occasion.integration, project, &wanted, &occasion.cause, now).await?;
    if !delivery.unfit.is_empty() {
        // Something that nobody here can read: whatever happened is found by the streams of events.
        reconcile::queue(tx, occasion.integration, &occasion.cause, now).await?;
    }
    Ok(Applied::new(EventStatus::Success, Some(BEING_READ)))
}
