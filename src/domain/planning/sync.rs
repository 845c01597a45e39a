//! Reading a planning tool: completely, by its events, and by what its webhooks tell.
//!
//! A complete reading (`full`) finds everything, and is the only one that finds what is gone without anybody
//! having said so. Between two of them the projects' event streams are polled (`poll`), and what webhooks
//! tell is read at once (`refresh`). All of them end in `take_in`, which compares what was read with what
//! both sides last agreed on.

use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::engine::record::{Ground, Record, Stop},
    error::Result,
    ids::ProjectId,
};

mod absences;
mod estimate;
pub(in crate::domain) mod full;
mod gone;
mod guard;
mod hints;
mod hours;
mod poll;
mod progress;
mod reader;
pub mod refresh;
mod round;
mod take_in;
mod take_over;
mod understand;
mod workspace;

pub(in crate::domain) use absences::ABSENCES;
pub(in crate::domain) use hours::TIME_ENTRIES;
pub(in crate::domain) use poll::NOUN;
pub(super) use reader::dictionary_for;
pub(super) use take_over::take_over;
pub(super) use understand::Dictionary;

/// Which part of the tool is looked at; nothing of it: what happened in its projects.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::domain) struct Part {
    absences: bool,
    hours: bool,
    /// This project as a whole.
    project: Option<ProjectId>,
}

impl Part {
    /// Whether it is anything but what happened in the projects.
    pub(in crate::domain) fn is_named(&self) -> bool {
        self.absences || self.hours || self.project.is_some()
    }
}

/// Looks at one part. A look that ended early is gone on with by the next one of the same `round`.
pub(in crate::domain) async fn look(
    ground: &Ground<'_>,
    record: &mut Record,
    part: &Part,
    round: Uuid,
) -> Result<(), Stop> {
    let Some(reader) = reader::Reader::open(ground, &record.cause()).await? else { return Ok(()) };
    // The first complete reading comes first.
    if reader.settings.initial_sync_time.is_none() {
        return Ok(());
    }
    let done = match part {
        Part { absences: true, .. } => absences::read_due(&reader, record).await,
        Part { hours: true, .. } => hours::read_with_recent(&reader, record).await,
        Part { project: Some(project), .. } => poll::read_completely(&reader, record, *project, round).await,
        Part { .. } => poll::run(&reader, record, round).await,
    };
    if done.is_ok() {
        record.count(progress::REQUESTS).processed += reader.uncounted();
    }
    done
}

/// Counts what a page brought.
fn count(record: &mut Record, taken: take_in::Taken) {
    let is_repair = record.is_repair();
    let count = record.count(progress::PHASES);
    count.processed += u64::from(taken.phases);
    count.repaired += if is_repair { u64::from(taken.changes) } else { 0 };
    for (task, reason) in taken.complaints {
        record.add_error(format!("task/{task}"), reason);
    }
}
