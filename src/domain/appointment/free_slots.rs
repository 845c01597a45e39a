//! What is still free: the provider's slots, less what is taken here.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Caller, Domain, Error, PractitionerId, Result, slot, store};
use crate::{
    domain::engine::{
        provider_call::{self, Urgency},
        push::target,
    },
    ids::{ServiceId, TenantId},
    provider::calcom::{Slot, SlotQuery},
    store::service::Service,
};

/// The longest range that is asked for.
const RANGE: TimeDelta = TimeDelta::days(31);
/// How far ahead something is offered to somebody whose slot is gone.
const OFFERED: TimeDelta = TimeDelta::days(14);

/// A time that can be booked, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeSlot {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

/// What can be booked of a service of a practitioner, from one instant to another; only slots that begin
/// after `now`.
///
/// A slot in the list is no promise: somebody may book it meanwhile. Errors: `Invalid`, `NotFound` (service,
/// practitioner), `NotOwnRecord`,
/// `ServiceNotConnected`, `ProviderUnavailable`, `ProviderRefused`, `IntegrationState`.
pub async fn free_slots(
    domain: &Domain,
    caller: &Caller,
    service: ServiceId,
    practitioner: PractitionerId,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<FreeSlot>> {
    slot::check_own(caller, practitioner)?;
    let from = from.max(now);
    if until <= from {
        return Err(Error::invalid("start_time_until", "must lie in the future and after start_time_from"));
    }
    if until - from > RANGE {
        return Err(Error::invalid(
            "start_time_until",
            "must not lie more than 31 days after start_time_from",
        ));
    }
    find(domain, caller.tenant, (service, practitioner), (from, until), now).await
}

/// The next begins from `from` on, at most `count`; none when they cannot be found out.
pub(super) async fn next(
    domain: &Domain,
    tenant: TenantId,
    of: (ServiceId, PractitionerId),
    from: DateTime<Utc>,
    count: usize,
) -> Vec<DateTime<Utc>> {
    let now = Utc::now();
    let from = from.max(now);
    let found = find(domain, tenant, of, (from, from + OFFERED), now).await.unwrap_or_default();
    found.into_iter().map(|slot| slot.start).take(count).collect()
}

async fn find(
    domain: &Domain,
    tenant: TenantId,
    (service, practitioner): (ServiceId, PractitionerId),
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<Vec<FreeSlot>> {
    // Whose time is taken by whom is nobody's to see, that it is taken is.
    let mut tx = domain.store.tenant(tenant).await?;
    let service = store::service::find(&mut tx, service).await?;
    let practitioner = store::practitioner::find(&mut tx, practitioner).await?.id;
    let found = target::bookable(&mut tx, &service, practitioner).await?;
    let (event_type, length) = found.ok_or(Error::ServiceNotConnected)?;
    let taken = store::appointment::taken(&mut tx, practitioner, from, until, now).await?;
    tx.end_reading();
    let id = event_type.external_id.parse().map_err(Error::internal)?;
    let integration = event_type.integration_id;
    let slots = provider_call::calcom(domain, tenant, integration, Urgency::Person, |way| async move {
        let query = SlotQuery {
            event_type_id: id,
            start: from,
            end: until,
            duration_minutes: u32::try_from(length.num_minutes())
                .ok()
                .filter(|_| !event_type.length_options.is_empty()),
            rescheduling: None,
        };
        way.calcom().slots(&query).await
    });
    Ok(free_of(&slots.await?, &taken, length, &service))
}

/// The slots whose time, with the service's buffers, nobody here has.
fn free_of(
    slots: &[Slot],
    taken: &[(DateTime<Utc>, DateTime<Utc>)],
    length: TimeDelta,
    service: &Service,
) -> Vec<FreeSlot> {
    let free = slots.iter().filter_map(|slot| {
        let end = slot.end.unwrap_or(slot.start + length);
        let (from, until) = slot::occupied(slot.start, end, Some(service));
        let is_taken = taken.iter().any(|(start, end)| *start < until && *end > from);
        (!is_taken).then_some(FreeSlot { start: slot.start, end })
    });
    free.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-03-02T{text}:00Z").parse().unwrap()
    }

    #[test]
    fn a_slot_is_free_when_neither_it_nor_its_buffers_touch_what_is_taken() {
        let service = Service {
            id: ServiceId::new(),
            name: "Massage".into(),
            aliases: Vec::new(),
            duration_s: 1800,
            buffer_before_s: 0,
            buffer_after_s: 600,
            archived: false,
            create_time: at("00:00"),
        };
        let slots = ["09:00", "09:30", "10:00", "10:30"].map(|start| Slot {
            start: at(start),
            end: None,
            seats_remaining: None,
        });
        let taken = [(at("10:05"), at("10:30"))];

        let free = free_of(&slots, &taken, TimeDelta::minutes(30), &service);

        // 09:30 ends at 10:00, and its buffer ten minutes later.
        assert_eq!(free.iter().map(|slot| slot.start).collect::<Vec<_>>(), [at("09:00"), at("10:30")]);
        assert_eq!(free[0].end, at("09:30"));
    }
}
