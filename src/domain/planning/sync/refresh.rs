//! Reading again what was told to have changed, soon after it was told: events of one project that come
//! together are one piece of work.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    gone::{self, ask_somebody},
    hints::{Hint, Hints, MappedFields},
    reader::{Answer, Place, Reader},
    round::A_FEW_MORE,
    workspace,
};
use crate::{
    domain::{
        Domain,
        engine::{
            reconcile,
            record::{Ground, Record, Stop},
            subscription,
        },
    },
    error::{Error, Result},
    ids::{IntegrationId, ProjectId, SyncLogId},
    provider::asana::{Event, Offset},
    store::{
        self, TenantTx,
        outbox::{Claimed, NewMessage, Outcome},
    },
    words::{IntegrationState, MessageKind, Presence, SyncKind},
};

/// What is told of one project within this time is read together.
const QUIET: TimeDelta = TimeDelta::seconds(2);
const QUIET_AT_MOST: TimeDelta = TimeDelta::seconds(10);
/// From so many tasks on, those of a project that changed are listed rather than read one by one.
const LISTED_FROM: usize = 3;
/// Pages of such a list; what is not on them is read on its own.
const PAGES_AT_MOST: usize = 3;
/// Events and lists are not of the same clock, nor of the same moment.
const OVERLAP: TimeDelta = TimeDelta::minutes(1);
/// How long an integration without a credential is left alone.
const UNTIL_RECONNECTED: Duration = Duration::from_secs(5 * 60);

#[derive(Deserialize)]
struct Order {
    integration_id: IntegrationId,
    /// The project's id at the tool; absent: what is told of the workspace.
    #[serde(default)]
    project: Option<String>,
}

/// Queues a read of what these events are about. `project`: whose webhook told them, by its id at the tool;
/// none: the workspace's. Events are hints: doubled, late and reordered ones do no harm.
pub async fn queue(
    tx: &mut TenantTx,
    integration: IntegrationId,
    project: Option<&str>,
    events: &[Event],
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let settings = store::planning::settings::find(tx, integration).await?;
    let fields = MappedFields {
        area: settings.as_ref().and_then(|settings| settings.area_field_id.as_deref()),
        hours: settings.as_ref().and_then(|settings| settings.hours_field_id.as_deref()),
    };
    push(tx, integration, project, &Hints::of(events, fields, now), (cause, now)).await
}

/// Queues a look at what a project's tasks can have: one of them lacks what it was thought to have.
pub async fn queue_project(
    tx: &mut TenantTx,
    integration: IntegrationId,
    project: &str,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let hints = Hints { projects: [project.into()].into(), ..Hints::default() };
    push(tx, integration, Some(project), &hints, (cause, now)).await
}

async fn push(
    tx: &mut TenantTx,
    integration: IntegrationId,
    project: Option<&str>,
    hints: &Hints,
    (cause, now): (&str, DateTime<Utc>),
) -> Result<()> {
    if hints.is_empty() {
        return Ok(());
    }
    let mut payload = hints.to_payload();
    payload.insert("integration_id".into(), json!(integration));
    if let Some(project) = project {
        payload.insert("project".into(), json!(project));
    }
    let message = NewMessage {
        kind: MessageKind::PlanningRefresh,
        lane: format!("planning/{integration}/{}", project.unwrap_or("workspace")),
        payload: Value::Object(payload),
        cause: cause.into(),
        run_time: now,
        integration: Some(integration),
    };
    store::outbox::push_debounced(tx, message, QUIET, QUIET_AT_MOST, now).await?;
    Ok(())
}

/// Reads what a message names.
pub async fn run(domain: &Domain, message: &Claimed, payload: &Value, now: DateTime<Utc>) -> Result<Outcome> {
    let order: Order = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    let ground = Ground::find(domain, message.tenant_id, order.integration_id).await?;
    // Whoever ends the pause, or connects again, queues a look at everything that happened meanwhile.
    if ground.integration.state != IntegrationState::Connected || ground.integration.inbound_paused {
        return Ok(Outcome::Done);
    }
    // Never written: what it finds is seen on the phases.
    let cause = format!("outbox/{}", message.id);
    let mut record = Record::begin(SyncLogId::new(), ground.id(), SyncKind::Webhook, &cause, now);
    match told(&ground, &mut record, &cause, &order, payload).await {
        Ok(()) | Err(Stop::Over) => Ok(Outcome::Done),
        // A consent that is missing, or a credential: what comes after reads it.
        Err(Stop::Ended("CREDENTIAL_REFUSED")) => {
            Ok(Outcome::Release { after: UNTIL_RECONNECTED, reason: Some("CREDENTIAL_REFUSED".into()) })
        }
        Err(Stop::Ended(reason)) => {
            tracing::info!(reason, "what was told of the planning tool is not read");
            Ok(Outcome::Done)
        }
        Err(Stop::Later { after, reason }) => {
            Ok(Outcome::Release { after: after.max(A_FEW_MORE), reason: Some(reason.into()) })
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

async fn told(
    ground: &Ground<'_>,
    record: &mut Record,
    cause: &str,
    order: &Order,
    payload: &Value,
) -> Result<(), Stop> {
    let Some(mut reader) = Reader::open(ground, cause).await? else { return Ok(()) };
    // Before the first complete reading nothing is known that could be corrected, and it asks for what comes
    // meanwhile.
    if reader.settings.initial_sync_time.is_none() {
        return Ok(());
    }
    reader.should_be_told = false;
    let hints = Hints::from_payload(payload);
    let mut place = Place::GivenUp;
    for project in &hints.projects {
        if let Some(id) = workspace::look(&reader, place, project).await? {
            read_soon(&reader, id).await?;
        }
        place = Place::Held;
    }
    if !hints.projects.is_empty() {
        reader.learn().await?;
    }
    let project = order.project.as_deref();
    if project.is_some() && project == reader.settings.absence_project_id.as_deref() {
        let mut tx = reader.tx().await?;
        reconcile::queue_absences(&mut tx, reader.id(), &reader.cause, Utc::now()).await?;
        return Ok(tx.commit().await?);
    }
    let project = project.and_then(|gid| Some((gid, *reader.dictionary.projects.get(gid)?)));
    let is_all_read = match read(&reader, record, Place::GivenUp, project, &hints).await {
        // Put off it would begin anew, and held it would keep others' work from its place: there may be as
        // many of these as there are projects. The reading of a whole project goes on with its next page.
        Err(Stop::Later { .. }) if project.is_some() && reader.has_asked() => false,
        read => read?,
    };
    if let Some((_, id)) = project.filter(|_| !is_all_read) {
        let mut tx = reader.tx().await?;
        reconcile::queue_project(&mut tx, reader.id(), id, &reader.cause, Utc::now()).await?;
        tx.commit().await?;
    }
    let told: Vec<&str> = hints.tasks.keys().map(String::as_str).collect();
    let mut tx = reader.tx().await?;
    store::planning::health::note_heard(&mut tx, reader.id(), &told).await?;
    Ok(tx.commit().await?)
}

/// Has a project read completely, and its webhook made.
async fn read_soon(reader: &Reader<'_>, project: ProjectId) -> Result<()> {
    let mut tx = reader.tx().await?;
    let (id, now) = (reader.id(), Utc::now());
    reconcile::queue_project(&mut tx, id, project, &reader.cause, now).await?;
    subscription::queue(&mut tx, id, &reader.cause, now).await?;
    tx.commit().await
}

/// Reads the tasks that were told of. False: so much was told that the project must be read as a whole.
pub(super) async fn read(
    reader: &Reader<'_>,
    record: &mut Record,
    place: Place,
    project: Option<(&str, ProjectId)>,
    hints: &Hints,
) -> Result<bool, Stop> {
    if hints.everything {
        return Ok(false);
    }
    let mut wanted: Vec<(&str, &Hint)> =
        hints.tasks.iter().map(|(task, hint)| (task.as_str(), hint)).collect();
    if let Some((gid, _)) = project.filter(|_| wanted.len() >= LISTED_FROM) {
        list(reader, record, (place, gid), hints, &mut wanted).await?;
    }
    let mut gone = Vec::new();
    for (task, hint) in wanted {
        let (answer, asked) = reader.task(place, task).await?;
        match answer {
            Answer::Here(task) => {
                super::count(record, reader.take_in(&[task], Some(hints), asked, None).await?);
            }
            Answer::Gone if hint.is_of_deletion() => gone.push((task, Presence::Gone, asked)),
            // Perhaps only out of sight: the next complete reading decides.
            Answer::Gone => gone.push((task, Presence::Missing, asked)),
            Answer::Closed => gone.push((task, Presence::Detached, asked)),
        }
    }
    lose(reader, project, gone).await?;
    Ok(true)
}

/// Lists what of a project has changed since the oldest of what was told, and takes it from what is wanted.
async fn list(
    reader: &Reader<'_>,
    record: &mut Record,
    (place, project): (Place, &str),
    hints: &Hints,
    wanted: &mut Vec<(&str, &Hint)>,
) -> Result<(), Stop> {
    let Some(since) = wanted.iter().filter_map(|(_, hint)| hint.since()).min() else { return Ok(()) };
    let since = since - OVERLAP;
    let mut offset: Option<Offset> = None;
    for _ in 0..PAGES_AT_MOST {
        let from = offset.as_ref();
        let ask =
            reader.ask_at(place, |way| async move { way.asana().tasks(project, Some(since), from).await });
        let (page, asked) = ask.await?;
        super::count(record, reader.take_in(&page.items, Some(hints), asked, None).await?);
        wanted.retain(|(task, _)| page.items.iter().all(|item| item.gid != *task));
        match page.next {
            Some(next) if !wanted.is_empty() => offset = Some(next),
            _ => break,
        }
    }
    Ok(())
}

/// Phases that are not there any more; of more than a person wants to lose unasked none.
async fn lose(
    reader: &Reader<'_>,
    project: Option<(&str, ProjectId)>,
    gone: Vec<(&str, Presence, DateTime<Utc>)>,
) -> Result<(), Stop> {
    if let Some((_, project)) = project {
        let mut tx = reader.tx().await?;
        let known = store::planning::gone::count_present(&mut tx, project).await?;
        tx.end_reading();
        let (lost, known) = (gone.len() as u64, u64::try_from(known).unwrap_or_default());
        if reader.must_ask(lost, known) {
            ask_somebody(reader).await?;
            return Ok(());
        }
    }
    for (task, presence, asked) in gone {
        gone::become_one(reader, task, presence, asked).await?;
    }
    Ok(())
}
