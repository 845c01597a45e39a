//! Taking over what the task is, on the way to writing it.

use chrono::{DateTime, Utc};

use super::attempt::Attempt;
use crate::{
    domain::planning::{reading::Lens, sync::take_over},
    error::Result,
    provider::asana::Task,
    store::{
        self, TenantTx,
        planning::{
            bulk,
            phase::{Phase, PhaseFields},
        },
    },
};

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observed {
    /// The task is as told.
    Seen,
    /// More is known already: nothing was done.
    Stale,
    /// The task is no phase any more.
    NoPhase,
}

impl Attempt<'_> {
    /// Makes a locked phase what its task and our own changes together are. The caller writes the row.
    /// `asked`: when the answer was asked for.
    pub(super) async fn observe(
        &self,
        tx: &mut TenantTx,
        lens: &Lens,
        phase: &mut Phase,
        (task, asked): (&Task, DateTime<Utc>),
    ) -> Result<Observed> {
        let is_older = |known: DateTime<Utc>| task.modified_at.is_some_and(|time| time < known);
        if phase.external_update_time.is_some_and(is_older) {
            return Ok(Observed::Stale);
        }
        let Some(said) = lens.dictionary.understand(task) else { return Ok(Observed::NoPhase) };
        let known = PhaseFields::from(phase.base.clone());
        let theirs = said.theirs(&known, None, lens.dictionary.skew, asked);
        let places = store::planning::phase::projects_of(tx, &[phase.id]).await?;
        let places = places.into_iter().map(|place| place.project_id).collect();
        let over = take_over(tx, phase, &places, &said, &theirs, (&self.cause(), self.now)).await?;
        store::planning::phase_change::insert(tx, &over.changes).await?;
        if !over.conflicts.is_empty() {
            store::planning::conflict::insert(tx, &over.conflicts).await?;
        }
        if let Some(projects) = over.moved {
            let places: Vec<_> = projects.into_iter().map(|project| (phase.id, project)).collect();
            bulk::place(tx, &[phase.id], &places, asked).await?;
        }
        bulk::note_read(tx, &[phase.id], asked).await?;
        Ok(Observed::Seen)
    }
}
