//! What the program does about each kind of message: one verb of the domain.

use chrono::Utc;
use futures::{FutureExt, future::BoxFuture};

use super::Handlers;
use crate::{
    domain::{
        Domain, alert, credential,
        engine::{push, reconcile, refresh, subscription, sync_run},
        inbound, integration, patient_import, planning,
    },
    error::{Error, Result},
    store::outbox::{self, Claimed, Outcome},
    words::MessageKind,
};

pub(super) struct Verbs;

impl Handlers for Verbs {
    fn run<'a>(&'a self, domain: &'a Domain, message: &'a Claimed) -> BoxFuture<'a, Result<Outcome>> {
        run(domain, message).boxed()
    }

    fn give_up<'a>(&'a self, domain: &'a Domain, message: &'a Claimed) -> BoxFuture<'a, Result<()>> {
        give_up(domain, message).boxed()
    }
}

/// The handlers.
async fn run(domain: &Domain, message: &Claimed) -> Result<Outcome> {
    let payload = payload(domain, message).await?;
    match message.kind {
        MessageKind::WebhookEventRetry => {
            inbound::retry(domain, message.tenant_id, &payload, Utc::now()).await
        }
        MessageKind::PatientImport => patient_import::run(domain, message.tenant_id, &payload).await,
        MessageKind::AppointmentPush => push::run(domain, message, payload, Utc::now()).await,
        MessageKind::BookingRefresh => refresh::run(domain, message, payload).await,
        MessageKind::SyncRun => sync_run::run(domain, message, &payload, Utc::now()).await,
        MessageKind::Reconcile => reconcile::run(domain, message, &payload, Utc::now()).await,
        MessageKind::SubscriptionCheck => subscription::run(domain, message, &payload, Utc::now()).await,
        MessageKind::Disconnect => {
            integration::run_disconnecting(domain, message.tenant_id, &payload, Utc::now()).await
        }
        MessageKind::AlertDelivery => alert::deliver(domain, message, &payload, Utc::now()).await,
        MessageKind::CredentialRefresh => credential::run(domain, message.tenant_id, &payload).await,
        MessageKind::PlanningRefresh => {
            planning::sync::refresh::run(domain, message, &payload, Utc::now()).await
        }
        MessageKind::PhasePush => planning::push::run(domain, message, &payload, Utc::now()).await,
    }
}

/// What is left to do when no attempt is left.
async fn give_up(domain: &Domain, message: &Claimed) -> Result<()> {
    match message.kind {
        MessageKind::WebhookEventRetry => {
            let payload = payload(domain, message).await?;
            inbound::give_up(domain, message.tenant_id, &payload, Utc::now()).await
        }
        MessageKind::PatientImport => {
            let payload = payload(domain, message).await?;
            patient_import::give_up(domain, message.tenant_id, &payload).await
        }
        MessageKind::AppointmentPush => {
            push::give_up(domain, message, payload(domain, message).await?, Utc::now()).await
        }
        MessageKind::BookingRefresh => Ok(()),
        MessageKind::SyncRun => {
            let payload = payload(domain, message).await?;
            sync_run::give_up(domain, message.tenant_id, &payload).await
        }
        MessageKind::Reconcile => {
            let payload = payload(domain, message).await?;
            reconcile::give_up(domain, message.tenant_id, &payload, Utc::now()).await
        }
        // The subscriptions show it.
        MessageKind::SubscriptionCheck => Ok(()),
        MessageKind::Disconnect => {
            let payload = payload(domain, message).await?;
            integration::give_up_disconnecting(domain, message.tenant_id, &payload, Utc::now()).await
        }
        MessageKind::AlertDelivery => Ok(()),
        // Whoever needs a token asks again, and the dashboard shows when it runs out.
        MessageKind::CredentialRefresh => Ok(()),
        // The poll finds it, too.
        MessageKind::PlanningRefresh => Ok(()),
        MessageKind::PhasePush => {
            let payload = payload(domain, message).await?;
            planning::push::give_up(domain, message, &payload, Utc::now()).await
        }
    }
}

async fn payload(domain: &Domain, message: &Claimed) -> Result<serde_json::Value> {
    let mut tx = domain.store.tenant(message.tenant_id).await?;
    let payload = outbox::payload(&mut tx, message).await?;
    tx.end_reading();
    payload.ok_or_else(|| Error::internal("the message is somebody else's by now"))
}
