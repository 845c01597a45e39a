//! What can be booked at the provider, and which service of which practitioner it is here.

use chrono::{DateTime, Utc};

use crate::{
    domain::engine::{
        provider_call::{self, CallFailure, Urgency},
        record::{Ground, Record, Stop},
    },
    error::Result,
    fold,
    ids::{EventTypeId, PractitionerId, ServiceId},
    provider::calcom::{self, Confirmation, Obstacle},
    store::{
        self, TenantTx, event_type::EventType, practitioner::PractitionerFields, service::ServiceFields,
    },
};

const NOUN: &str = "event_types";
/// Of a service's name.
const NAME_CHARS: usize = 200;
/// What a service may last and keep free around it, in minutes; the tables say so.
const LENGTH_MINUTES: std::ops::RangeInclusive<u32> = 1..=24 * 60;
const BUFFER_MINUTES_AT_MOST: u32 = 4 * 60;

/// Takes over the account's event types. One that another tenant has is left to that tenant, and told as an
/// error of the run; one that is gone is archived.
pub(super) async fn import(ground: &Ground<'_>, record: &mut Record) -> Result<(), Stop> {
    let me = ask(ground, |way| async move { way.calcom().me().await }).await?;
    let Some(username) = me.username.clone() else { return Err(Stop::Ended("USERNAME_MISSING")) };
    let found = ask(ground, |way| async move { way.calcom().event_types(&username).await }).await?;
    let found: Vec<calcom::EventType> = found.into_iter().filter(|one| !one.is_managed_parent).collect();
    *record.count(NOUN) = Default::default();
    record.count(NOUN).total = u64::try_from(found.len()).ok();

    let host = me.name.as_deref().or(me.username.as_deref()).unwrap_or_default();
    for event_type in &found {
        let subject = format!("event_type/{}", event_type.id);
        match take_over(ground, event_type, host).await? {
            Taken::Ours { is_changed } => {
                let is_repair = is_changed && record.is_repair();
                record.count(NOUN).repaired += u64::from(is_repair);
            }
            Taken::Elsewhere => record.add_error(subject, "EVENT_TYPE_TAKEN"),
            Taken::Unfit(reason) => record.add_error(subject, reason),
        }
        record.count(NOUN).processed += 1;
        record.save(ground).await?;
    }
    archive_gone(ground, &found).await
}

enum Taken {
    Ours {
        is_changed: bool,
    },
    /// Another tenant registered it first.
    Elsewhere,
    Unfit(&'static str),
}

async fn take_over(ground: &Ground<'_>, said: &calcom::EventType, host: &str) -> Result<Taken> {
    if !LENGTH_MINUTES.contains(&said.length_minutes) {
        return Ok(Taken::Unfit("LENGTH"));
    }
    let now = Utc::now();
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let external_id = said.id.to_string();
    let known = store::event_type::find(&mut tx, ground.id(), &external_id).await?;
    let mut row = known.clone().unwrap_or_else(|| EventType {
        id: EventTypeId::new(),
        integration_id: ground.id(),
        instance_url: instance_url(ground),
        external_id,
        slug: String::new(),
        title: String::new(),
        service_id: None,
        practitioner_id: None,
        length_minutes: 0,
        length_options: Vec::new(),
        requires_confirmation: false,
        is_seated: false,
        is_recurring: false,
        unsupported_reason: None,
        archived: false,
        check_time: now,
    });
    describe(&mut row, said);
    // What an admin has put there stays, whatever the provider calls it.
    if row.service_id.is_none() {
        row.service_id = Some(service(&mut tx, said).await?);
    }
    if row.practitioner_id.is_none() {
        row.practitioner_id = practitioner(&mut tx, host).await?;
    }
    let is_changed = known.as_ref() != Some(&row);
    row.check_time = now;
    if known.is_some() {
        store::event_type::save(&mut tx, &row).await?;
    } else if !store::event_type::insert(&mut tx, &row).await? {
        // Nothing of it is kept, the new service neither.
        return Ok(Taken::Elsewhere);
    }
    tx.commit().await?;
    Ok(Taken::Ours { is_changed })
}

fn instance_url(ground: &Ground<'_>) -> String {
    ground.integration.instance_url.clone().unwrap_or_else(|| calcom::DEFAULT_INSTANCE.into())
}

fn describe(row: &mut EventType, said: &calcom::EventType) {
    row.slug.clone_from(&said.slug);
    row.title.clone_from(&said.title);
    row.length_minutes = minutes(said.length_minutes);
    row.length_options = said.length_options.iter().copied().map(minutes).collect();
    row.requires_confirmation = said.confirmation != Confirmation::Never;
    row.is_seated = said.seats_per_slot.is_some();
    row.is_recurring = said.is_recurring;
    row.unsupported_reason = unsupported_reason(said).map(Into::into);
    row.archived = false;
}

/// Why nothing is booked there from here; the first of several.
fn unsupported_reason(said: &calcom::EventType) -> Option<&'static str> {
    let obstacle = said.obstacles().first().map(|obstacle| match obstacle {
        Obstacle::EmailVerification => "EMAIL_VERIFICATION",
        Obstacle::Payment => "PAYMENT",
        Obstacle::Seats => "SEATS",
        Obstacle::Recurrence => "RECURRENCE",
        Obstacle::ManagedParent => "MANAGED_PARENT",
        Obstacle::CancellingDisabled => "CANCELLING_DISABLED",
        Obstacle::ReschedulingDisabled => "RESCHEDULING_DISABLED",
    });
    // Questions of the practice's own that nobody here can answer for the patient.
    obstacle.or_else(|| said.required_fields().next().map(|_| "REQUIRED_FIELDS"))
}

/// The service of this name or alias, or a new one.
async fn service(tx: &mut TenantTx, said: &calcom::EventType) -> Result<ServiceId> {
    tx.lock("service names").await?;
    let name = if fold::name(&said.title).is_empty() { &said.slug } else { &said.title };
    let name: String = name.trim().chars().take(NAME_CHARS).collect();
    let folded = fold::name(&name);
    if let Some(known) = store::service::find_by_folded_name(tx, &folded).await? {
        return Ok(known.id);
    }
    let buffer_s = |minutes: Option<u32>| seconds(minutes.unwrap_or_default().min(BUFFER_MINUTES_AT_MOST));
    let fields = ServiceFields {
        name,
        aliases: Vec::new(),
        duration_s: seconds(said.length_minutes),
        buffer_before_s: buffer_s(said.before_buffer_minutes),
        buffer_after_s: buffer_s(said.after_buffer_minutes),
        archived: false,
    };
    let made = store::service::insert(tx, ServiceId::new(), &fields).await?;
    store::service::replace_names(tx, made.id, &[&folded]).await?;
    Ok(made.id)
}

/// The practitioner of this name or alias, or a new one; nobody if the name says nothing.
async fn practitioner(tx: &mut TenantTx, name: &str) -> Result<Option<PractitionerId>> {
    let name: String = name.trim().chars().take(NAME_CHARS).collect();
    let folded = fold::name(&name);
    if folded.is_empty() {
        return Ok(None);
    }
    tx.lock("practitioner names").await?;
    if let Some(known) = store::practitioner::find_by_folded_name(tx, &folded).await? {
        return Ok(Some(known));
    }
    let fields = PractitionerFields { name, aliases: Vec::new(), archived: false, email: None };
    let made = store::practitioner::insert(tx, PractitionerId::new(), &fields).await?;
    store::practitioner::replace_names(tx, made.id, &[&folded]).await?;
    Ok(Some(made.id))
}

/// Archives what the list left out and the provider, asked for it alone, does not have either.
async fn archive_gone(ground: &Ground<'_>, found: &[calcom::EventType]) -> Result<(), Stop> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let known = store::event_type::of_integration(&mut tx, ground.id()).await?;
    tx.commit().await?;
    let is_listed = |row: &EventType| found.iter().any(|one| one.id.to_string() == row.external_id);
    for row in known.iter().filter(|row| !row.archived && !is_listed(row)) {
        let is_there = match row.external_id.parse() {
            Ok(id) => ask(ground, |way| async move { way.calcom().event_type(id).await }).await?.is_some(),
            Err(_) => false,
        };
        if !is_there {
            archive(ground, row, Utc::now()).await?;
        }
    }
    Ok(())
}

async fn archive(ground: &Ground<'_>, row: &EventType, now: DateTime<Utc>) -> Result<()> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let gone = EventType { archived: true, check_time: now, ..row.clone() };
    store::event_type::save(&mut tx, &gone).await?;
    tx.commit().await
}

async fn ask<T, F: Future<Output = Result<T, calcom::CallError>>>(
    ground: &Ground<'_>,
    call: impl FnOnce(std::sync::Arc<provider_call::Way>) -> F,
) -> Result<T, CallFailure> {
    provider_call::calcom(ground.domain, ground.tenant, ground.id(), Urgency::Background, call).await
}

fn minutes(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Of minutes that the callers have bounded.
fn seconds(minutes: u32) -> i32 {
    i32::try_from(minutes.saturating_mul(60)).unwrap_or(i32::MAX)
}
