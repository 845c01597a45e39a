//! Taking over what the tool's task is: whoever reads one, for whatever reason, brings it here.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    merge::{Clash, Theirs, merge},
    push,
    reading::Lens,
};
use crate::{
    error::Result,
    provider::asana::Task,
    store::{
        self, TenantTx,
        planning::{
            intent::PhaseIntent,
            phase::{Phase, PhaseBase, PhaseChangeTimes, PhaseFields, PhaseSync},
            phase_change::PhaseChange,
        },
    },
    words::{Origin, PhaseChangeKind, PhaseField, ProviderSync, Side},
};

/// For so long a write that nobody heard of again may still arrive.
const LATE: TimeDelta = TimeDelta::minutes(10);
/// Nearer to ours than this, the tool's clock is right: it is told to the second, and the telling takes a while.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(2);

/// What is known beside the task itself.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// When each field was last changed there, as far as events told, by the tool's clock.
    pub changed: PhaseChangeTimes,
    /// How far the tool's clock is ahead of ours.
    pub skew: TimeDelta,
    /// For the history: `sync_log/{id}`, `webhook_event/{id}`, `outbox/{id}`.
    pub cause: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// Read before something that is known already: nothing was done.
    Stale,
    /// What stands here did not change.
    Same,
    Changed,
}

/// How far the tool's clock is ahead of ours, by the date of an answer that just came.
pub fn skew(date: Option<DateTime<Utc>>, now: DateTime<Utc>) -> TimeDelta {
    let skew = date.map_or(TimeDelta::zero(), |date| date - now);
    if skew.abs() <= CLOCK_TOLERANCE { TimeDelta::zero() } else { skew }
}

/// Makes a locked phase what its task and our own changes together are: conflicts and history are written down, and what the tool lacks
/// is promised to it. The caller writes the row.
pub async fn observe(
    tx: &mut TenantTx,
    lens: &Lens,
    phase: &mut Phase,
    task: &Task,
    told: &Told,
    now: DateTime<Utc>,
) -> Result<Observed> {
    // A page that was read before a write of ours, and is applied after it, would undo it.
    let is_stale = |known: DateTime<Utc>| task.modified_at.is_some_and(|time| time < known);
    if phase.external_update_time.is_some_and(is_stale) {
        return Ok(Observed::Stale);
    }
    let known = PhaseFields::from(phase.base.clone());
    let theirs = Theirs {
        fields: lens.fields(task, &known),
        changed: by_our_clock(&told.changed, told.skew),
        update_time: task.modified_at.unwrap_or(now) - told.skew,
    };
    let base = base(tx, phase, &theirs.fields, now).await?;
    let merged = merge(&base, &phase.fields, &phase.changed, &theirs);
    let is_changed = merged.apply(phase);
    describe(lens, phase, task);
    keep_clashes(tx, phase, &merged.clashes, now).await?;
    stand(tx, phase, merged.is_to_be_written(), &merged.clashes, &told.cause, now).await?;
    if !is_changed {
        return Ok(Observed::Same);
    }
    phase.update_time = now;
    let change = PhaseChange::of(phase, PhaseChangeKind::Fields, Origin::Asana, &told.cause, now);
    store::planning::phase_change::insert(tx, &[change]).await?;
    Ok(Observed::Changed)
}

/// What the two sides had in common. What a write of ours put there is not theirs, even if nobody heard yet that it arrived.
async fn base(
    tx: &mut TenantTx,
    phase: &Phase,
    theirs: &PhaseFields,
    now: DateTime<Utc>,
) -> Result<PhaseBase> {
    let mut base = PhaseFields::from(phase.base.clone());
    let was_written_lately = phase.sync.provider_sync_time.is_some_and(|time| time > now - LATE);
    if base == *theirs || (phase.sync.provider_sync == ProviderSync::Synced && !was_written_lately) {
        return Ok(base.into());
    }
    let unsure = store::planning::intent::unsure_of(tx, phase.id, now - LATE).await?;
    recognise(&mut base, theirs, &unsure);
    Ok(base.into())
}

/// Takes what one of these writes has put there for known.
fn recognise(base: &mut PhaseFields, theirs: &PhaseFields, unsure: &[PhaseIntent]) {
    for field in PhaseField::ALL.iter().copied() {
        let value = theirs.get(field);
        if unsure.iter().any(|intent| intent.written(field) == Some(value)) {
            base.set(field, value);
        }
    }
}

fn by_our_clock(changed: &PhaseChangeTimes, skew: TimeDelta) -> PhaseChangeTimes {
    let mut ours = PhaseChangeTimes::default();
    for field in PhaseField::ALL.iter().copied() {
        ours.set(field, changed.get(field).map(|time| time - skew));
    }
    ours
}

/// What only the tool says about it.
fn describe(lens: &Lens, phase: &mut Phase, task: &Task) {
    if let Some(name) = &task.name {
        phase.name.clone_from(name);
    }
    phase.is_completed = task.completed;
    phase.external_update_time = task.modified_at.or(phase.external_update_time);
    if task.custom_fields.is_some() {
        phase.area_option_id = lens.area_option(task);
    }
}

async fn keep_clashes(
    tx: &mut TenantTx,
    phase: &Phase,
    clashes: &[Clash],
    now: DateTime<Utc>,
) -> Result<()> {
    if clashes.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = clashes.iter().map(|clash| clash.to_row(phase.id, now)).collect();
    store::planning::conflict::insert(tx, &rows).await
}

/// Whether the tool has what stands here, and if not, who sees to it.
async fn stand(
    tx: &mut TenantTx,
    phase: &mut Phase,
    is_to_be_written: bool,
    clashes: &[Clash],
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let standing = phase.sync.provider_sync;
    if !is_to_be_written {
        if standing != ProviderSync::Synced {
            phase.sync = PhaseSync {
                provider_sync: ProviderSync::Synced,
                provider_sync_reason: None,
                ..phase.sync.clone()
            };
        }
        return Ok(());
    }
    let is_decided_anew = clashes.iter().any(|clash| clash.winner == Side::Ours);
    match standing {
        // Somebody is at it.
        ProviderSync::Pending | ProviderSync::Failed => Ok(()),
        // The tool refused it; only what is new is worth another try.
        ProviderSync::Review if !is_decided_anew => Ok(()),
        ProviderSync::Review | ProviderSync::Synced | ProviderSync::None => {
            push::queue(tx, phase, cause, now).await
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::{
        ids::{IntegrationId, PhaseId, PhaseIntentId},
        words::IntentState,
    };

    fn due(day: u32) -> PhaseFields {
        PhaseFields { due_date: NaiveDate::from_ymd_opt(2026, 3, day), ..PhaseFields::default() }
    }

    fn unsure(fields: &PhaseFields) -> PhaseIntent {
        let now = DateTime::UNIX_EPOCH;
        PhaseIntent {
            id: PhaseIntentId::new(),
            integration_id: IntegrationId::new(),
            phase_id: PhaseId::new(),
            writes_dates: true,
            start_date: fields.start_date,
            due_date: fields.due_date,
            writes_hours: false,
            planned_hours: None,
            writes_area: false,
            area: None,
            state: IntentState::Unknown,
            reason: None,
            cause: "system".into(),
            create_time: now,
            send_time: now,
            settle_time: None,
        }
    }

    /// P5.
    #[test]
    fn a_write_of_ours_that_arrived_unnoticed_is_not_a_change_of_theirs() {
        let (written, mut base) = (due(9), due(6));

        recognise(&mut base, &due(9), &[unsure(&written)]);

        assert_eq!(base, due(9));
    }

    #[test]
    fn what_no_write_of_ours_put_there_is_theirs() {
        let mut base = due(6);

        recognise(&mut base, &due(13), &[unsure(&due(9))]);
        let hours = PhaseFields { planned_hours: Some(8.into()), ..due(6) };
        recognise(&mut base, &hours, &[unsure(&due(9))]);

        assert_eq!(base, due(6));
    }

    #[test]
    fn a_clock_that_differs_by_what_the_telling_takes_is_right() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);

        assert_eq!(skew(None, now), TimeDelta::zero());
        assert_eq!(skew(Some(now - TimeDelta::seconds(2)), now), TimeDelta::zero());
        assert_eq!(skew(Some(now + TimeDelta::minutes(3)), now), TimeDelta::minutes(3));
    }

    #[test]
    fn times_are_told_by_our_clock() {
        let time = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let theirs = PhaseChangeTimes { due_date_change_time: Some(time), ..Default::default() };

        let ours = by_our_clock(&theirs, TimeDelta::minutes(3));

        assert_eq!(ours.due_date_change_time, Some(time - TimeDelta::minutes(3)));
        assert_eq!(ours.area_change_time, None);
    }
}
