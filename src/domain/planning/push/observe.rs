//! Taking over what the task is, on the way to writing it.

use chrono::{DateTime, Utc};

use super::attempt::Attempt;
use crate::{
    domain::planning::{
        merge::{Theirs, merge},
        reading::Lens,
        standing,
    },
    error::Result,
    provider::asana::Task,
    store::{
        self, TenantTx,
        planning::{
            phase::{Phase, PhaseChangeTimes, PhaseFields},
            phase_change::PhaseChange,
        },
    },
    words::{Origin, PhaseChangeKind},
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
    pub(super) async fn observe(
        &self,
        tx: &mut TenantTx,
        lens: &Lens,
        phase: &mut Phase,
        task: &Task,
    ) -> Result<Observed> {
        let is_older = |known: DateTime<Utc>| task.modified_at.is_some_and(|time| time < known);
        if phase.external_update_time.is_some_and(is_older) {
            return Ok(Observed::Stale);
        }
        let known = PhaseFields::from(phase.base.clone());
        let Some(said) = lens.dictionary.understand(task) else { return Ok(Observed::NoPhase) };
        let theirs = Theirs {
            fields: said.fields(&known),
            changed: PhaseChangeTimes::default(),
            update_time: task.modified_at.map_or(self.now, |time| time - lens.dictionary.skew),
        };
        let base = standing::in_common(tx, phase, &theirs.fields, self.now).await?;
        let merged = merge(&base, &phase.fields, &phase.changed, &theirs);
        let is_changed = merged.apply(phase);
        phase.name.clone_from(&said.name);
        phase.is_completed = said.is_completed;
        phase.area_option_id = said.option(&phase.area_option_id);
        phase.external_update_time = said.modified_at.or(phase.external_update_time);
        let rows: Vec<_> = merged.clashes.iter().map(|clash| clash.to_row(phase.id, self.now)).collect();
        if !rows.is_empty() {
            store::planning::conflict::insert(tx, &rows).await?;
        }
        standing::stand(tx, phase, &merged, &self.cause(), self.now).await?;
        if is_changed {
            phase.update_time = self.now;
            let change =
                PhaseChange::of(phase, PhaseChangeKind::Fields, Origin::Asana, &self.cause(), self.now);
            store::planning::phase_change::insert(tx, &[change]).await?;
        }
        Ok(Observed::Seen)
    }
}
