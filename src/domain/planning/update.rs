//! Changing a phase here: at once in its row, and soon in the planning tool.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::{
    push,
    queries::{ShownPhase, show_phase},
};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
    },
    error::{Error, Result},
    ids::PhaseId,
    store::{
        self, TenantTx,
        planning::{
            phase::{Phase, PhaseFields},
            phase_change::PhaseChange,
            settings::PlanningSettings,
        },
        retry_deadlocks,
    },
    words::{Area, IntegrationState, Origin, PhaseChangeKind, PhaseField, Presence},
};

/// What an update changes; what is none stays, and an inner none clears the field.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub start_date: Option<Option<NaiveDate>>,
    pub due_date: Option<Option<NaiveDate>>,
    pub planned_hours: Option<Option<Decimal>>,
    pub area: Option<Option<Area>>,
}

impl Changes {
    fn applied_to(&self, fields: &PhaseFields) -> PhaseFields {
        PhaseFields {
            start_date: self.start_date.unwrap_or(fields.start_date),
            due_date: self.due_date.unwrap_or(fields.due_date),
            planned_hours: self.planned_hours.unwrap_or(fields.planned_hours),
            area: self.area.unwrap_or(fields.area),
        }
    }
}

/// Changes a phase, and promises the planning tool the same.
///
/// Errors: `NotFound`, `Invalid`, `PhaseNotPresent`, `PhaseFieldNotWritable`, `IntegrationState`,
/// `IntegrationReadOnly`, `IdempotencyKeyReused`.
pub async fn update(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: PhaseId,
    changes: &Changes,
    now: DateTime<Utc>,
) -> Result<ShownPhase> {
    retry_deadlocks(|| update_once(domain, caller, key, id, changes, now)).await
}

async fn update_once(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: PhaseId,
    changes: &Changes,
    now: DateTime<Utc>,
) -> Result<ShownPhase> {
    let mut tx = domain.store.caller(caller).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        let phase = store::planning::phase::find_for_update(&mut tx, id).await?;
        let wanted = changes.applied_to(&phase.fields);
        check_dates(changes, &wanted)?;
        change(&mut tx, phase, wanted, caller.origin, &caller.subject, now).await?;
    }
    let shown = show_phase(&mut tx, id).await?;
    tx.commit().await?;
    Ok(shown)
}

/// Makes a locked phase's fields what is wanted, which the tool must be able to hold,
/// and promises it the same.
///
/// Errors: `Invalid`, `NotFound` (settings), `PhaseNotPresent`, `PhaseFieldNotWritable`,
/// `IntegrationState`, `IntegrationReadOnly`.
pub(super) async fn change(
    tx: &mut TenantTx,
    mut phase: Phase,
    wanted: PhaseFields,
    origin: Origin,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let settings = check_ground(tx, &phase).await?;
    check_precision(&settings, &phase, &wanted)?;
    let wanted = wanted.normalize(settings.hours_precision);
    if wanted == phase.fields {
        return Ok(());
    }
    check_writable(tx, &settings, &phase, &wanted).await?;
    let base = PhaseFields::from(phase.base.clone());
    for field in PhaseField::ALL.iter().copied() {
        if wanted.get(field) == base.get(field) {
            phase.changed.set(field, None);
        } else if wanted.get(field) != phase.fields.get(field) {
            phase.changed.set(field, Some(now));
        }
    }
    phase.fields = wanted;
    phase.update_time = now;
    // Even if that is what the tool last had: something else may be on its way there.
    push::queue(tx, &mut phase, cause, now).await?;
    store::planning::phase::save(tx, &phase).await?;
    let change = PhaseChange::of(&phase, PhaseChangeKind::Fields, origin, cause, now);
    store::planning::phase_change::insert(tx, &[change]).await
}

/// Whether anything about the phase is ever written to the tool. What waits for a new credential is.
async fn check_ground(tx: &mut TenantTx, phase: &Phase) -> Result<PlanningSettings> {
    match phase.presence {
        Presence::Present | Presence::Missing => {}
        presence @ (Presence::Detached | Presence::Gone) => return Err(Error::PhaseNotPresent(presence)),
    }
    let integration = store::integration::find(tx, phase.integration_id).await?;
    match integration.state {
        IntegrationState::Connected | IntegrationState::NeedsReconnect => {}
        state @ (IntegrationState::Disconnecting | IntegrationState::Disconnected) => {
            return Err(Error::IntegrationState(state));
        }
    }
    if integration.read_only {
        return Err(Error::IntegrationReadOnly);
    }
    store::planning::settings::require(tx, phase.integration_id).await
}

fn check_dates(changes: &Changes, wanted: &PhaseFields) -> Result<()> {
    if wanted.has_possible_dates() || (changes.start_date.is_none() && changes.due_date.is_none()) {
        return Ok(());
    }
    let field = if changes.start_date.is_some() { "start_date" } else { "due_date" };
    Err(Error::invalid(field, "the first day needs a last day that is not before it"))
}

fn check_precision(settings: &PlanningSettings, phase: &Phase, wanted: &PhaseFields) -> Result<()> {
    let (Some(hours), Some(places)) = (wanted.planned_hours, settings.hours_precision) else { return Ok(()) };
    if wanted.planned_hours != phase.fields.planned_hours
        && hours.normalize().scale() > places.unsigned_abs().into()
    {
        return Err(Error::invalid(
            "planned_hours",
            format!("the planning tool keeps {places} decimal places"),
        ));
    }
    Ok(())
}

/// One value that the tool refuses would cost the whole write, dates included.
async fn check_writable(
    tx: &mut TenantTx,
    settings: &PlanningSettings,
    phase: &Phase,
    wanted: &PhaseFields,
) -> Result<()> {
    let projects = store::planning::project::of_phase(tx, phase.id).await?;
    if wanted.planned_hours != phase.fields.planned_hours
        && (settings.hours_field_id.is_none() || !projects.iter().any(|project| project.has_hours_field))
    {
        return Err(Error::PhaseFieldNotWritable(PhaseField::PlannedHours));
    }
    if wanted.area != phase.fields.area
        && !(projects.iter().any(|project| project.has_area_field)
            && has_option(tx, settings, wanted.area).await?)
    {
        return Err(Error::PhaseFieldNotWritable(PhaseField::Area));
    }
    Ok(())
}

async fn has_option(tx: &mut TenantTx, settings: &PlanningSettings, area: Option<Area>) -> Result<bool> {
    if settings.area_field_id.is_none() || area.is_none() {
        return Ok(settings.area_field_id.is_some());
    }
    let options = store::planning::settings::area_mappings(tx, settings.integration_id).await?;
    Ok(options.iter().any(|option| option.is_enabled && option.area == area))
}
