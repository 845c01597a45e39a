//! Fields of phases that both sides had changed: what was decided, and deciding otherwise.

use chrono::{DateTime, Utc};

use super::{
    queries::{ShownPhase, show_phase},
    update,
};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
    },
    error::{Error, Result},
    ids::PhaseConflictId,
    page::{Page, Paged},
    store::{
        self,
        planning::{
            conflict::{Filter, PhaseConflict},
            field::Value,
            phase::Phase,
        },
        retry_deadlocks,
    },
    words::{PhaseField, Presence, Side},
};

/// A conflict, and whether the other value can still prevail.
#[derive(Debug)]
pub struct ShownConflict {
    pub conflict: PhaseConflict,
    pub is_revertable: bool,
}

impl ShownConflict {
    fn of(conflict: PhaseConflict, phase: &Phase) -> Self {
        Self { is_revertable: is_revertable(&conflict, phase), conflict }
    }
}

/// A page, newest first.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &Page<PhaseConflictId>,
) -> Result<Paged<ShownConflict, PhaseConflictId>> {
    let mut tx = domain.store.caller(caller).await?;
    let Paged { rows, next } = store::planning::conflict::list(&mut tx, filter, page).await?;
    tx.end_reading();
    let rows = rows.into_iter().map(|(conflict, phase)| ShownConflict::of(conflict, &phase)).collect();
    Ok(Paged { rows, next })
}

/// Lets the value prevail that did not. Dates that were decided together are reverted together.
///
/// Errors: `NotFound`, `PhaseConflictReverted`, `PhaseConflictOutdated`, and those of `update`.
pub async fn revert(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: PhaseConflictId,
    now: DateTime<Utc>,
) -> Result<(ShownConflict, ShownPhase)> {
    retry_deadlocks(|| revert_once(domain, caller, key, id, now)).await
}

async fn revert_once(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: PhaseConflictId,
    now: DateTime<Utc>,
) -> Result<(ShownConflict, ShownPhase)> {
    let mut tx = domain.store.caller(caller).await?;
    let of_phase = store::planning::conflict::find(&mut tx, id).await?.phase_id;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        // Whoever decides about a phase has its row first.
        let phase = store::planning::phase::find_for_update(&mut tx, of_phase).await?;
        let conflict = store::planning::conflict::find(&mut tx, id).await?;
        if conflict.revert_time.is_some() {
            return Err(Error::PhaseConflictReverted);
        }
        let siblings = store::planning::conflict::siblings(&mut tx, &conflict).await?;
        let cause = format!("phase_conflict/{id}");
        let mut wanted = phase.fields.clone();
        for mut reverted in together(conflict, siblings) {
            let value = losing_value(&reverted)?;
            if !is_revertable(&reverted, &phase) || !wanted.set(reverted.field, value) {
                return Err(Error::PhaseConflictOutdated);
            }
            reverted.revert_time = Some(now);
            reverted.reverted_by = Some(caller.subject.clone());
            store::planning::conflict::save(&mut tx, &reverted).await?;
        }
        if !wanted.has_possible_dates() {
            return Err(Error::PhaseConflictOutdated);
        }
        update::change(&mut tx, phase, wanted, caller.origin, &cause, now).await?;
    }
    let conflict = store::planning::conflict::find(&mut tx, id).await?;
    let shown = show_phase(&mut tx, of_phase).await?;
    tx.commit().await?;
    Ok((ShownConflict::of(conflict, &shown.phase), shown))
}

/// The conflict, and with one about a date the one about the other date that was decided with it.
fn together(conflict: PhaseConflict, siblings: Vec<PhaseConflict>) -> Vec<PhaseConflict> {
    let is_date = |field| matches!(field, PhaseField::StartDate | PhaseField::DueDate);
    let is_about_dates = is_date(conflict.field);
    let with = |other: &PhaseConflict| {
        is_about_dates
            && is_date(other.field)
            && other.winner == conflict.winner
            && other.revert_time.is_none()
    };
    let siblings: Vec<_> = siblings.into_iter().filter(with).collect();
    std::iter::once(conflict).chain(siblings).collect()
}

/// Whether what prevailed still stands.
fn is_revertable(conflict: &PhaseConflict, phase: &Phase) -> bool {
    let prevailed = match conflict.winner {
        Side::Ours => &conflict.our_value,
        Side::Theirs => &conflict.their_value,
    };
    conflict.revert_time.is_none()
        && matches!(phase.presence, Presence::Present | Presence::Missing)
        && phase.fields.get(conflict.field).text() == *prevailed
}

fn losing_value(conflict: &PhaseConflict) -> Result<Value> {
    let lost = match conflict.winner {
        Side::Ours => &conflict.their_value,
        Side::Theirs => &conflict.our_value,
    };
    Value::read(conflict.field, lost.as_deref())
        .ok_or_else(|| Error::internal("a conflict's value does not fit its field"))
}
