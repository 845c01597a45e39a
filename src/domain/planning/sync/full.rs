//! A run of everything: who there is, which projects, their phases, what is gone, absences, hours. What ends
//! early goes on with the stage it was at, and within the phases with the page it was at.

use chrono::{DateTime, Utc};

use super::{
    absences,
    estimate::{Reading, Size},
    gone, hours, poll,
    progress::{self, PHASES, Progress},
    reader::Reader,
    round, workspace,
};
use crate::{
    domain::engine::record::{Ground, Record, Stop},
    error::Result,
    store::{
        self,
        planning::project_cursor::{self, Expected},
    },
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
        expect(&reader, record, &STAGES).await?;
    }
    for (nth, stage) in STAGES.iter().enumerate().skip(reached.unwrap_or_default()) {
        record.enter(ground, stage.as_str()).await?;
        match stage {
            Stage::Users => workspace::users(&reader, record).await?,
            Stage::Projects => {
                workspace::projects(&reader, record).await?;
                reader.learn().await?;
            }
            Stage::Phases => phases(&reader, record, &STAGES[nth..]).await?,
            Stage::Missing => {
                gone::confirm(&reader, record, round).await?;
                gone::mark(&reader, record, round, None).await?;
            }
            Stage::Absences => absences::read(&reader, record, begun).await?,
            Stage::TimeEntries => hours::read(&reader, record).await?,
        }
        expect(&reader, record, &STAGES[nth + 1..]).await?;
        record.save(ground).await?;
    }
    gone::settle(&reader, record).await?;
    end(&reader, record, mapped).await
}

/// Reads what is left of the phases of all projects.
async fn phases(reader: &Reader<'_>, record: &mut Record, left: &[Stage]) -> Result<(), Stop> {
    let round = record.id().0;
    let mut tx = reader.tx().await?;
    project_cursor::begin_round(&mut tx, reader.id(), round).await?;
    let before = project_cursor::round_sum(&mut tx, reader.id(), round).await?;
    tx.commit().await?;
    // What the record was not told any more when it was interrupted.
    let phases = record.count(PHASES);
    phases.processed = count(before.phases);
    if record.is_repair() {
        record.count(PHASES).repaired = count(before.changes);
    }
    let left = size(reader, record, left).await?;
    let progress = Progress::of(record, Some(left));
    let read = round::read(reader, round, &progress).await;
    progress.end(reader).await;
    read
}

/// Tells how many requests the run takes with these stages left, and when it will be through.
async fn expect(reader: &Reader<'_>, record: &mut Record, left: &[Stage]) -> Result<()> {
    let size = size(reader, record, left).await?;
    progress::expect(record, reader, size.requests());
    Ok(())
}

/// What there is to read in these stages, as far as is known by now.
async fn size(reader: &Reader<'_>, record: &mut Record, left: &[Stage]) -> Result<Size> {
    let (id, round) = (reader.id(), record.id().0);
    let is_left = |stage| left.contains(&stage);
    let mut size = Size::default();
    let mut tx = reader.tx().await?;
    if is_left(Stage::Phases) {
        let projects = project_cursor::expected(&mut tx, id, round).await?;
        size.readings = projects.iter().map(|one| (one.project_id, reading(one))).collect();
    }
    if is_left(Stage::Users) {
        size.users = Some(reader.dictionary.users.len() as u64);
    }
    if is_left(Stage::Projects) {
        size.projects = Some(size.readings.len() as u64);
    }
    if is_left(Stage::Absences) {
        let is_asked_one_by_one = reader.settings.absence_source == AbsenceSource::OutOfOffice;
        let (mapped, _) = store::planning::reading::count_users(&mut tx, id).await?;
        size.people = if is_asked_one_by_one { count(mapped) } else { 1 };
    }
    if is_left(Stage::TimeEntries) {
        let waiting = store::planning::reading::count_to_be_counted(&mut tx, id).await?;
        size.tasks_with_new_hours = count(waiting);
    }
    tx.end_reading();
    Ok(size)
}

fn reading(project: &Expected) -> Reading {
    let (is_begun, is_done) = (project.is_begun, project.is_done);
    let known = project.was_read.then_some(count(project.phases));
    Reading { known, is_begun, read: count(project.read), is_done }
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
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
