//! Whether the planning tool has what stands in a phase: what was not put there by somebody else,
//! and what is to follow from a look at it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{merge::Merged, push};
use crate::{
    error::Result,
    store::{
        self, TenantTx,
        planning::{
            intent::PhaseIntent,
            phase::{Phase, PhaseBase, PhaseFields, PhaseSync},
        },
    },
    words::{PhaseField, ProviderSync, Side},
};

/// For so long a write that nobody heard of again may still arrive.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// What the two sides had in common before `theirs` was seen. What a write of ours put there is not theirs,
/// even if nobody heard yet that it arrived: it is recognised by its value, not by who wrote it or when.
pub(super) async fn in_common(
    tx: &mut TenantTx,
    phase: &Phase,
    theirs: &PhaseFields,
    now: DateTime<Utc>,
) -> Result<PhaseBase> {
    let mut base = PhaseFields::from(phase.base.clone());
    let was_changed_lately = phase.sync.provider_sync_time.is_some_and(|time| time > now - LATE);
    if base == *theirs || (phase.sync.provider_sync == ProviderSync::Synced && !was_changed_lately) {
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

/// Writes into the phase whether the tool has what stands here after the two were compared,
/// and sees to it that it will.
pub(super) async fn stand(
    tx: &mut TenantTx,
    phase: &mut Phase,
    merged: &Merged,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let standing = phase.sync.provider_sync;
    if !merged.is_to_be_written() {
        if standing != ProviderSync::Synced {
            phase.sync = PhaseSync {
                provider_sync: ProviderSync::Synced,
                provider_sync_reason: None,
                ..phase.sync.clone()
            };
            push::settle_dead(tx, phase.id).await?;
        }
        return Ok(());
    }
    let is_decided_anew = merged.clashes.iter().any(|clash| clash.winner == Side::Ours);
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
        let mut base = due(6);

        recognise(&mut base, &due(9), &[unsure(&due(9))]);

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
}
