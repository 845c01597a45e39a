//! How far projects were read at the planning tool: in their streams of events, and in complete readings
//! (rounds).

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, QueryableByName, Selectable,
    SelectableHelper, insert_into,
    prelude::Queryable,
    sql_query,
    sql_types::{Array, BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    error::Result,
    ids::{IntegrationId, ProjectId},
    store::{Cached, TenantTx, schema::project_cursor},
};

/// How far one project was read.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = project_cursor, check_for_backend(diesel::pg::Pg))]
pub struct ProjectCursor {
    pub project_id: ProjectId,
    /// Where its events go on.
    pub event_token: Option<String>,
    pub event_token_time: Option<DateTime<Utc>>,
    /// When its events were last asked for.
    pub poll_time: Option<DateTime<Utc>>,
    /// Events were missed: it must be read completely.
    pub is_gapped: bool,
    /// The complete reading that is, or was last, under way.
    pub round_id: Option<Uuid>,
    pub round_begin_time: Option<DateTime<Utc>>,
    /// Where its next page begins.
    pub round_offset: Option<String>,
    pub round_is_read: bool,
    /// The code of why it cannot be read.
    pub round_reason: Option<String>,
    /// Phases that the round has read, and how many of them it changed.
    pub round_phases: i32,
    pub round_changes: i32,
}

/// What a round has done so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct RoundSum {
    #[diesel(sql_type = BigInt)]
    pub phases: i64,
    #[diesel(sql_type = BigInt)]
    pub changes: i64,
}

/// A project that takes part in a round, and how many phases it had.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Expected {
    #[diesel(sql_type = SqlUuid)]
    pub project_id: ProjectId,
    #[diesel(sql_type = BigInt)]
    pub phases: i64,
    /// Whether it was ever read completely.
    #[diesel(sql_type = Bool)]
    pub was_read: bool,
    /// Whether the round has come to it.
    #[diesel(sql_type = Bool)]
    pub is_begun: bool,
    /// Phases that the round has read of it.
    #[diesel(sql_type = BigInt)]
    pub read: i64,
    /// Read, or found not to be readable.
    #[diesel(sql_type = Bool)]
    pub is_done: bool,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    external_id: String,
    #[diesel(sql_type = SqlUuid)]
    id: ProjectId,
}

/// Whose tasks are phases, or were when it was archived.
macro_rules! has_phases {
    () => {
        "p.integration_id = $1 AND p.has_area_field AND p.presence = 'present' \
         AND NOT EXISTS (SELECT FROM planning_settings s WHERE s.integration_id = p.integration_id \
             AND s.absence_project_id = p.external_id)"
    };
}

/// Which projects are read: those whose tasks are phases. An archived one stays as it was when it was put
/// away.
macro_rules! is_read {
    () => {
        concat!(has_phases!(), " AND NOT p.is_archived")
    };
}

/// Has every project that is read take part in a round; one that does so already goes on.
pub async fn begin_round(tx: &mut TenantTx, integration: IntegrationId, round: Uuid) -> Result<()> {
    const SQL: &str = concat!(
        "INSERT INTO project_cursor AS c (project_id, integration_id, round_id) \
         SELECT p.id, p.integration_id, $2 FROM project p WHERE ",
        is_read!(),
        " ON CONFLICT ON CONSTRAINT project_cursor_pkey DO UPDATE SET round_id = excluded.round_id, \
         round_begin_time = NULL, round_offset = NULL, round_is_read = false, round_reason = NULL, \
         round_phases = 0, round_changes = 0 WHERE c.round_id IS DISTINCT FROM excluded.round_id"
    );
    let query = sql_query(SQL).bind::<SqlUuid, _>(integration).bind::<SqlUuid, _>(round);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

/// Has one project begin a round of its own.
pub async fn begin_alone(
    tx: &mut TenantTx,
    integration: IntegrationId,
    project: ProjectId,
    round: Uuid,
) -> Result<()> {
    let begun = (
        project_cursor::round_id.eq(Some(round)),
        project_cursor::round_begin_time.eq(None::<DateTime<Utc>>),
        project_cursor::round_offset.eq(None::<String>),
        project_cursor::round_is_read.eq(false),
        project_cursor::round_reason.eq(None::<String>),
        project_cursor::round_phases.eq(0),
        project_cursor::round_changes.eq(0),
    );
    let statement = insert_into(project_cursor::table)
        .values((
            project_cursor::project_id.eq(project),
            project_cursor::integration_id.eq(integration),
            begun.clone(),
        ))
        .on_conflict((project_cursor::tenant_id, project_cursor::project_id))
        .do_update()
        .set(begun);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// One project's cursor.
pub async fn find(tx: &mut TenantTx, project: ProjectId) -> Result<Option<ProjectCursor>> {
    let query = project_cursor::table
        .filter(project_cursor::project_id.eq(project))
        .select(ProjectCursor::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// What of a round is still to be read, in the order of ids.
pub async fn unread(
    tx: &mut TenantTx,
    integration: IntegrationId,
    round: Uuid,
) -> Result<Vec<ProjectCursor>> {
    let query = project_cursor::table
        .filter(project_cursor::integration_id.eq(integration))
        .filter(project_cursor::round_id.eq(round))
        .filter(project_cursor::round_is_read.eq(false))
        .filter(project_cursor::round_reason.is_null())
        .order(project_cursor::project_id)
        .select(ProjectCursor::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}

/// What a round has done so far.
pub async fn round_sum(tx: &mut TenantTx, integration: IntegrationId, round: Uuid) -> Result<RoundSum> {
    let query = sql_query(
        "SELECT coalesce(sum(round_phases), 0)::bigint AS phases, \
         coalesce(sum(round_changes), 0)::bigint AS changes \
         FROM project_cursor WHERE integration_id = $1 AND round_id = $2",
    )
    .bind::<SqlUuid, _>(integration)
    .bind::<SqlUuid, _>(round);
    Ok(Cached(query).get_result(tx.conn()).await?)
}

/// The projects that a round reads or would read, what is known of their size, and how far each is.
pub async fn expected(tx: &mut TenantTx, integration: IntegrationId, round: Uuid) -> Result<Vec<Expected>> {
    const SQL: &str = concat!(
        "SELECT p.id AS project_id, p.sync_time IS NOT NULL AS was_read, \
             (SELECT count(*) FROM phase_project f WHERE f.project_id = p.id) AS phases, \
             c.round_begin_time IS NOT NULL AS is_begun, coalesce(c.round_phases, 0)::bigint AS read, \
             coalesce(c.round_is_read OR c.round_reason IS NOT NULL, false) AS is_done \
         FROM project p LEFT JOIN project_cursor c ON c.project_id = p.id AND c.round_id = $2 WHERE ",
        is_read!(),
        " ORDER BY p.id"
    );
    let query = sql_query(SQL).bind::<SqlUuid, _>(integration).bind::<SqlUuid, _>(round);
    Ok(Cached(query).load(tx.conn()).await?)
}

/// The projects whose events were longest not asked for, at most so many; none that was since `begin`.
pub async fn to_be_polled(
    tx: &mut TenantTx,
    integration: IntegrationId,
    begin: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<ProjectId>> {
    const SQL: &str = concat!(
        "SELECT p.id FROM project p LEFT JOIN project_cursor c ON c.project_id = p.id WHERE ",
        is_read!(),
        " AND (c.poll_time IS NULL OR c.poll_time < $3) ORDER BY c.poll_time NULLS FIRST, p.id LIMIT $2"
    );
    #[derive(QueryableByName)]
    struct Polled {
        #[diesel(sql_type = SqlUuid)]
        id: ProjectId,
    }
    let query = sql_query(SQL).bind::<SqlUuid, _>(integration).bind::<BigInt, _>(at_most);
    let query = query.bind::<Timestamptz, _>(begin);
    let polled: Vec<Polled> = Cached(query).load(tx.conn()).await?;
    Ok(polled.into_iter().map(|polled| polled.id).collect())
}

/// Whether a project's tasks are phases, and read.
pub async fn is_read(tx: &mut TenantTx, integration: IntegrationId, project: ProjectId) -> Result<bool> {
    const SQL: &str = concat!("SELECT p.id FROM project p WHERE p.id = $2 AND ", is_read!());
    let query = sql_query(SQL).bind::<SqlUuid, _>(integration).bind::<SqlUuid, _>(project);
    Ok(Cached(query).execute(tx.conn()).await? > 0)
}

/// The projects that are read, by their ids at the provider.
pub async fn readable(tx: &mut TenantTx, integration: IntegrationId) -> Result<Vec<(String, ProjectId)>> {
    const SQL: &str = concat!("SELECT p.external_id, p.id FROM project p WHERE ", is_read!());
    by_external_id(tx, SQL, integration).await
}

/// The projects that would be read if they were not archived, likewise.
pub async fn archived(tx: &mut TenantTx, integration: IntegrationId) -> Result<Vec<(String, ProjectId)>> {
    const SQL: &str =
        concat!("SELECT p.external_id, p.id FROM project p WHERE p.is_archived AND ", has_phases!());
    by_external_id(tx, SQL, integration).await
}

/// Those of these projects that are read, or would be if they were not archived, likewise.
pub async fn with_phases(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_ids: &[&str],
) -> Result<Vec<(String, ProjectId)>> {
    const SQL: &str = concat!(
        "SELECT p.external_id, p.id FROM project p WHERE p.external_id = ANY($2) AND ",
        has_phases!()
    );
    let query = sql_query(SQL).bind::<SqlUuid, _>(integration).bind::<Array<Text>, _>(external_ids);
    let found: Vec<Found> = Cached(query).load(tx.conn()).await?;
    Ok(found.into_iter().map(|one| (one.external_id, one.id)).collect())
}

async fn by_external_id(
    tx: &mut TenantTx,
    sql: &'static str,
    integration: IntegrationId,
) -> Result<Vec<(String, ProjectId)>> {
    let found: Vec<Found> = Cached(sql_query(sql).bind::<SqlUuid, _>(integration)).load(tx.conn()).await?;
    Ok(found.into_iter().map(|one| (one.external_id, one.id)).collect())
}

/// Keeps where a project's events go on. `is_gapped`: what was before it must be made good by a complete
/// reading.
pub async fn set_event_token(
    tx: &mut TenantTx,
    integration: IntegrationId,
    project: ProjectId,
    token: &str,
    is_gapped: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let values = (
        project_cursor::event_token.eq(Some(token.to_owned())),
        project_cursor::event_token_time.eq(Some(now)),
        project_cursor::is_gapped.eq(is_gapped),
    );
    let statement = insert_into(project_cursor::table)
        .values((
            project_cursor::project_id.eq(project),
            project_cursor::integration_id.eq(integration),
            values.clone(),
        ))
        .on_conflict((project_cursor::tenant_id, project_cursor::project_id))
        .do_update()
        .set(values);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Notes that a project's events were asked for.
pub async fn note_polled(tx: &mut TenantTx, project: ProjectId, now: DateTime<Utc>) -> Result<()> {
    let of_project = project_cursor::table.filter(project_cursor::project_id.eq(project));
    Cached(update(of_project).set(project_cursor::poll_time.eq(Some(now)))).execute(tx.conn()).await?;
    Ok(())
}

/// Begins a project's part of a round at its first page: what is seen at or after `begin` is there.
pub async fn begin_reading(tx: &mut TenantTx, project: ProjectId, begin: DateTime<Utc>) -> Result<()> {
    let of_project = project_cursor::table.filter(project_cursor::project_id.eq(project));
    let values = (
        project_cursor::round_begin_time.eq(Some(begin)),
        project_cursor::round_offset.eq(None::<String>),
        project_cursor::round_phases.eq(0),
        project_cursor::round_changes.eq(0),
    );
    Cached(update(of_project).set(values)).execute(tx.conn()).await?;
    Ok(())
}

/// Notes a page: where the next one begins and what was on it. False: the round is not the project's any
/// more.
pub async fn note_page(
    tx: &mut TenantTx,
    project: ProjectId,
    round: Uuid,
    next: Option<&str>,
    phases: i32,
    changes: i32,
) -> Result<bool> {
    let of_round = project_cursor::table
        .filter(project_cursor::project_id.eq(project))
        .filter(project_cursor::round_id.eq(round));
    let values = (
        project_cursor::round_offset.eq(next),
        project_cursor::round_phases.eq(project_cursor::round_phases + phases),
        project_cursor::round_changes.eq(project_cursor::round_changes + changes),
        project_cursor::round_is_read.eq(next.is_none()),
    );
    Ok(Cached(update(of_round).set(values)).execute(tx.conn()).await? == 1)
}

/// Ends a project's part of a round: nothing was missed from here on, or it could not be read, and why.
pub async fn end_reading(
    tx: &mut TenantTx,
    project: ProjectId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let of_project = project_cursor::table.filter(project_cursor::project_id.eq(project));
    match reason {
        Some(reason) => {
            let values = project_cursor::round_reason.eq(Some(reason));
            Cached(update(of_project).set(values)).execute(tx.conn()).await?;
        }
        None => {
            Cached(update(of_project).set(project_cursor::is_gapped.eq(false))).execute(tx.conn()).await?;
            let read = sql_query("UPDATE project SET sync_time = $2 WHERE id = $1");
            let read = read.bind::<SqlUuid, _>(project).bind::<Timestamptz, _>(now);
            Cached(read).execute(tx.conn()).await?;
        }
    }
    Ok(())
}

/// When an integration's projects were last asked for their events, the one that waits longest first.
pub async fn oldest_poll_time(
    tx: &mut TenantTx,
    integration: IntegrationId,
) -> Result<Option<DateTime<Utc>>> {
    let query = project_cursor::table
        .filter(project_cursor::integration_id.eq(integration))
        .select(diesel::dsl::min(project_cursor::poll_time).nullable());
    Ok(query.first(tx.conn()).await?)
}
