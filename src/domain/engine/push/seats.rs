//! Seats of people who are deleted here: they are given back, and the others keep theirs.

use chrono::Utc;

use super::{
    forgotten::{REASON, later},
    look_up,
    target::takes_writes,
};
use crate::{
    domain::{
        Domain,
        engine::{
            lineage::{self, Attendee},
            provider_call::{self, CallFailure, Urgency},
            refresh,
        },
    },
    error::Result,
    ids::{IntegrationId, TenantId},
    provider::calcom::Booking,
    store::{
        self,
        outbox::{Claimed, Outcome},
    },
};

/// Gives back what these people have in the booking, and has the rest of it read: the practitioner comes for
/// the others.
pub(super) async fn give_back(
    domain: &Domain,
    message: &Claimed,
    integration: IntegrationId,
    external_id: String,
    people: &[String],
) -> Result<Outcome> {
    let tenant = message.tenant_id;
    let mut tx = domain.store.tenant(tenant).await?;
    let row = store::integration::find(&mut tx, integration).await?;
    let phone_region = store::tenant::current(&mut tx).await?.phone_region;
    tx.end_reading();
    if takes_writes(&row) {
        if row.outbound_paused {
            return Ok(super::paused());
        }
        let uid = external_id.clone();
        let read =
            provider_call::calcom(domain, tenant, integration, Urgency::Background, |way| async move {
                look_up::booking(&way, &uid).await
            });
        let booking = match read.await {
            Ok(Some(booking)) => booking,
            Ok(None) => return Ok(Outcome::Done),
            Err(failure) => return later(failure),
        };
        let seats = seats_of(domain, tenant, &booking, people, &phone_region).await?;
        if let Err(failure) = cancel(domain, tenant, integration, &booking, seats).await {
            return later(failure);
        }
    }
    let mut tx = domain.store.tenant(tenant).await?;
    let cause = format!("outbox/{}", message.id);
    refresh::queue(&mut tx, integration, &external_id, &cause, Utc::now()).await?;
    tx.commit().await?;
    Ok(Outcome::Done)
}

async fn seats_of(
    domain: &Domain,
    tenant: TenantId,
    booking: &Booking,
    people: &[String],
    phone_region: &str,
) -> Result<Vec<String>> {
    let key = domain.tenant_key(tenant).await?;
    let theirs = booking.attendees.iter().filter(|attendee| {
        let name = lineage::external_id(&key, &Attendee::of(attendee), phone_region);
        name.is_some_and(|name| people.contains(&name))
    });
    Ok(theirs.filter_map(|attendee| attendee.seat_uid.clone()).collect())
}

async fn cancel(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    booking: &Booking,
    seats: Vec<String>,
) -> Result<(), CallFailure> {
    for seat in seats {
        let uid = booking.uid.clone();
        provider_call::calcom(domain, tenant, integration, Urgency::Background, |way| async move {
            way.calcom().cancel_seat(&uid, &seat, REASON).await
        })
        .await?;
    }
    Ok(())
}
