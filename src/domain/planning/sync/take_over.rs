//! Making one phase what its task and our own changes together are, whoever has the task's answer in hand:
//! all that an answer tells counts or none of it, so that one which is passed over as older tells nothing
//! that the newer one did not.
//!
//! Values are compared, never who wrote them or when the answer came: what equals what both sides last agreed
//! on is an echo of a write of ours, or no news.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::understand::Understood;
use crate::{
    domain::planning::{
        merge::{Theirs, merge},
        standing,
    },
    error::Result,
    ids::ProjectId,
    store::{
        TenantTx,
        planning::{conflict::PhaseConflict, phase::Phase, phase_change::PhaseChange},
    },
    words::{Origin, PhaseChangeKind, Presence},
};

/// What came of it, for the caller to write down beside the phase's own row.
pub(in crate::domain::planning) struct TakenOver {
    /// Whether anything is another than before, comments and the like left out.
    pub(in crate::domain::planning) is_news: bool,
    pub(in crate::domain::planning) changes: Vec<PhaseChange>,
    pub(in crate::domain::planning) conflicts: Vec<PhaseConflict>,
    /// The phase's projects, if they are others now.
    pub(in crate::domain::planning) moved: Option<Vec<ProjectId>>,
}

/// `projects`: where the phase is as far as is known.
pub(in crate::domain::planning) async fn take_over(
    tx: &mut TenantTx,
    phase: &mut Phase,
    projects: &HashSet<ProjectId>,
    said: &Understood,
    theirs: &Theirs,
    (cause, now): (&str, DateTime<Utc>),
) -> Result<TakenOver> {
    let before = phase.clone();
    let shared = standing::in_common(tx, phase, &theirs.fields, now).await?;
    let merged = merge(&shared, &phase.fields, &phase.changed, theirs);
    let is_changed = merged.apply(phase);
    phase.name.clone_from(&said.name);
    phase.is_completed = said.is_completed;
    phase.assignee_id = said.assignee_id;
    phase.area_option_id = said.option(&before.area_option_id);
    phase.actual_minutes = said.actual_minutes;
    phase.external_update_time = said.modified_at.or(before.external_update_time);
    let is_here = !said.projects.is_empty();
    set_presence(phase, if is_here { Presence::Present } else { Presence::Detached }, now);
    if is_here {
        // Ours may have prevailed over a change there, or was never written.
        standing::stand(tx, phase, &merged, cause, now).await?;
    }
    let is_back = before.presence != phase.presence;
    let is_news = is_changed || is_back || differs(&before, phase);
    if is_news {
        phase.update_time = now;
    }
    let kinds = [(is_changed, PhaseChangeKind::Fields), (is_back, PhaseChangeKind::Presence)];
    let kinds = kinds.into_iter().filter_map(|(happened, kind)| happened.then_some(kind));
    let is_moved = is_here && said.projects.iter().copied().collect::<HashSet<_>>() != *projects;
    Ok(TakenOver {
        is_news,
        changes: kinds.map(|kind| PhaseChange::of(phase, kind, Origin::Asana, cause, now)).collect(),
        conflicts: merged.clashes.iter().map(|clash| clash.to_row(phase.id, now)).collect(),
        moved: is_moved.then(|| said.projects.clone()),
    })
}

/// Whether anything but what both sides can change is another than before.
fn differs(before: &Phase, after: &Phase) -> bool {
    before.name != after.name
        || before.is_completed != after.is_completed
        || before.assignee_id != after.assignee_id
        || before.area_option_id != after.area_option_id
}

/// Since when it is not present is told as long as it is not.
pub(super) fn set_presence(row: &mut Phase, presence: Presence, now: DateTime<Utc>) {
    row.missing_time = (presence != Presence::Present).then(|| row.missing_time.unwrap_or(now));
    row.presence = presence;
}
