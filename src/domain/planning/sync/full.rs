//! A run of everything: who there is, which projects, their phases, what is gone, absences, hours. What ends
//! early goes on with the stage it was at, and within the phases with the page it was at.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    absences,
    estimate::{self, Size},
    gone, hours, poll,
    progress::{PHASES, PROJECTS, Progress, REQUESTS},
    reader::Reader,
    round, workspace,
};
use crate::{
    domain::engine::record::{Ground, Record, Stop},
    error::Result,
    store::{self, planning::project_cursor},
    words::AbsenceSource,
};

/// What a run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Users,
    Projects,
    Phases,
    Missing,
    Absences,
    TimeEntries,
}

const STAGES: [Stage; 6] =
    [Stage::Users, Stage::Projects, Stage::Phases, Stage::Missing, Stage::Absences, Stage::TimeEntries];

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Projects => "projects",
            Self::Phases => "phases",
            Self::Missing => "missing",
            Self::Absences => "absences",
            Self::TimeEntries => "time_entries",
        }
    }
}

/// Does a run, or what is left of it. `accept_deletions`: a person said that what is not there any more,
/// however much it is, was meant to go.
pub(in crate::domain) async fn run(
    ground: &Ground<'_>,
    record: &mut Record,
    accept_deletions: bool,
) -> Result<(), Stop> {
    let cause = record.cause();
    let Some(mut reader) = Reader::open(ground, &cause).await? else {
        return Err(Stop::Ended("NOT_ONBOARDED"));
    };
    if ground.integration.inbound_paused {
        return Err(Stop::Ended("INBOUND_PAUSED"));
    }
    let mapped = reader.settings.mapping_time;
    reader.accepts_deletions = accept_deletions;
    let (round, begun) = (record.id().0, record.begin_time());
    let reached = record.stage().and_then(|at| STAGES.iter().position(|stage| stage.as_str() == at));
    if reached.is_none() {
        expect(&reader, record).await?;
    }
    for stage in &STAGES[reached.unwrap_or_default()..] {
        record.enter(ground, stage.as_str()).await?;
        match stage {
            Stage::Users => workspace::users(&reader, record).await?,
            Stage::Projects => {
                workspace::projects(&reader, record).await?;
                reader.learn().await?;
                expect(&reader, record).await?;
            }
            Stage::Phases => phases(&reader, record, round).await?,
            Stage::Missing => {
                gone::confirm(&reader, record, round).await?;
                gone::mark(&reader, record, round, None).await?;
            }
            Stage::Absences => absences::read(&reader, record, begun).await?,
            Stage::TimeEntries => hours::read(&reader, record).await?,
        }
        record.count(REQUESTS).processed += reader.uncounted();
        record.save(ground).await?;
    }
    gone::settle(&reader, record).await?;
    end(&reader, record, mapped).await
}

/// Reads what is left of the phases of all projects.
async fn phases(reader: &Reader<'_>, record: &mut Record, round: Uuid) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    project_cursor::begin_round(&mut tx, reader.id(), round).await?;
    let before = project_cursor::round_sum(&mut tx, reader.id(), round).await?;
    tx.commit().await?;
    // What the record was not told any more when it was interrupted.
    let phases = record.count(PHASES);
    phases.processed = u64::try_from(before.phases).unwrap_or_default();
    if record.is_repair() {
        record.count(PHASES).repaired = u64::try_from(before.changes).unwrap_or_default();
    }
    let progress = Progress::of(record);
    let read = round::read(reader, round, &progress).await;
    progress.end(reader).await;
    read
}

/// Tells how many requests the run takes, and when it will be through.
async fn expect(reader: &Reader<'_>, record: &mut Record) -> Result<()> {
    let mut tx = reader.tx().await?;
    let projects = project_cursor::expected(&mut tx, reader.id()).await?;
    let (mapped, _) = store::planning::reading::count_users(&mut tx, reader.id()).await?;
    let hours = store::planning::reading::count_to_be_counted(&mut tx, reader.id()).await?;
    tx.end_reading();
    let count = |rows: i64| u64::try_from(rows).unwrap_or_default();
    let is_asked_one_by_one = reader.settings.absence_source == AbsenceSource::OutOfOffice;
    let size = Size {
        users: reader.dictionary.users.len() as u64,
        projects: record.count(PROJECTS).total.unwrap_or(projects.len() as u64),
        tasks: projects.iter().map(|one| one.was_read.then_some(count(one.phases))).collect(),
        people: if is_asked_one_by_one { count(mapped) } else { 1 },
        tasks_with_new_hours: count(hours),
    };
    let total = size.requests();
    let requests = record.count(REQUESTS);
    requests.total = Some(total);
    let left = total.saturating_sub(requests.processed);
    let left = chrono::TimeDelta::from_std(estimate::duration(left, reader.pace));
    record.set_expect_end_time(left.ok().and_then(|left| reader.now().checked_add_signed(left)));
    Ok(())
}

/// A run that came to its end has read everything, whatever of it could not be kept.
async fn end(reader: &Reader<'_>, record: &mut Record, mapped: Option<DateTime<Utc>>) -> Result<(), Stop> {
    let (id, now) = (reader.id(), reader.now());
    let mut tx = reader.tx().await?;
    store::sync_log::set_watermark(&mut tx, id, poll::NOUN, Some(now), now).await?;
    if let Some(mut settings) = store::planning::settings::find_for_update(&mut tx, id).await? {
        // A mapping that was saved meanwhile has not been read yet.
        if settings.mapping_time == mapped
            && settings.initial_sync_time.is_none_or(|time| Some(time) < mapped)
        {
            settings.initial_sync_time = Some(now);
            settings.update_time = now;
            store::planning::settings::save(&mut tx, &settings).await?;
        }
    }
    tx.commit().await?;
    let count = record.count(PHASES);
    count.total = Some(count.processed);
    Ok(())
}
