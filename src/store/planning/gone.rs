//! Phases that a complete reading did not see.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, JoinOnDsl, QueryDsl, QueryableByName, SelectableHelper, sql_query,
    sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::phase::Phase;
use crate::{
    error::Result,
    ids::{IntegrationId, PhaseId, ProjectId},
    store::{Cached, TenantTx, schema::phase},
    words::Presence,
};

/// What a round did not see.
#[derive(Debug, Clone, Copy)]
pub struct Unseen {
    pub integration: IntegrationId,
    pub round: Uuid,
    /// Only what is in this project.
    pub project: Option<ProjectId>,
}

/// How much of a project is unseen.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Sum {
    /// None: of all together, each phase once.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub project_id: Option<ProjectId>,
    /// Phases that count as there.
    #[diesel(sql_type = BigInt)]
    pub known: i64,
    #[diesel(sql_type = BigInt)]
    pub gone: i64,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: PhaseId,
}

#[derive(QueryableByName)]
struct ExternalId {
    #[diesel(sql_type = Text)]
    external_id: String,
}

/// When the round $2 of the integration $1 began; one that reads nothing begins now.
macro_rules! round_begin {
    () => {
        "coalesce((SELECT min(b.round_begin_time) FROM project_cursor b \
         WHERE b.integration_id = $1 AND b.round_id = $2), now())"
    };
}

/// The tasks of the project in which absences are kept are no phases any more.
macro_rules! is_no_absence_project {
    () => {
        "NOT EXISTS (SELECT FROM planning_settings s WHERE s.integration_id = j.integration_id \
             AND s.absence_project_id = j.external_id)"
    };
}

/// Phases that count as there and were not seen by the round $2, though every project of theirs that is read
/// was read by it; of the project $3 only, if that is given. What is in an archived project is not looked
/// for.
macro_rules! unseen {
    () => {
        concat!(
            "p.integration_id = $1 AND p.presence = 'present' AND coalesce(p.read_time < ",
            round_begin!(),
            ", true) AND ($3::uuid IS NULL OR EXISTS (SELECT FROM phase_project f \
                 WHERE f.phase_id = p.id AND f.project_id = $3)) \
             AND NOT EXISTS (SELECT FROM phase_project f JOIN project j ON j.id = f.project_id \
                 LEFT JOIN project_cursor c ON c.project_id = f.project_id \
                 WHERE f.phase_id = p.id AND j.presence = 'present' AND (j.is_archived \
                     OR j.has_area_field AND ",
            is_no_absence_project!(),
            " AND (c.round_id IS DISTINCT FROM $2 OR NOT c.round_is_read)))"
        )
    };
}

/// How much was not seen, project by project and of all together.
pub async fn sums(tx: &mut TenantTx, of: &Unseen) -> Result<Vec<Sum>> {
    const SQL: &str = concat!(
        "WITH unseen AS MATERIALIZED (SELECT p.id FROM phase p WHERE ",
        unseen!(),
        "), touched AS (SELECT DISTINCT f.project_id \
             FROM phase_project f JOIN unseen u ON u.id = f.phase_id) \
         SELECT f.project_id, count(*) AS known, count(u.id) AS gone \
         FROM touched t JOIN phase_project f ON f.project_id = t.project_id \
             JOIN phase p ON p.id = f.phase_id AND p.presence = 'present' LEFT JOIN unseen u ON u.id = p.id \
         WHERE $3::uuid IS NULL OR f.project_id = $3 GROUP BY f.project_id \
         UNION ALL SELECT NULL, (SELECT count(*) FROM phase p \
             WHERE p.integration_id = $1 AND p.presence = 'present' \
             AND ($3::uuid IS NULL OR EXISTS (SELECT FROM phase_project f \
                 WHERE f.phase_id = p.id AND f.project_id = $3))), (SELECT count(*) FROM unseen)"
    );
    let query = sql_query(SQL)
        .bind::<SqlUuid, _>(of.integration)
        .bind::<SqlUuid, _>(of.round)
        .bind::<Nullable<SqlUuid>, _>(of.project);
    Ok(Cached(query).load(tx.conn()).await?)
}

/// Some of what was not seen, locked until the transaction ends; nothing that is in one of `held`.
pub async fn unseen_for_update(
    tx: &mut TenantTx,
    of: &Unseen,
    held: &[ProjectId],
    at_most: i64,
) -> Result<Vec<Phase>> {
    const SQL: &str = concat!(
        "SELECT p.id FROM phase p WHERE ",
        unseen!(),
        " AND NOT EXISTS (SELECT FROM phase_project f WHERE f.phase_id = p.id AND f.project_id = ANY($4)) \
         ORDER BY p.external_id LIMIT $5 FOR UPDATE OF p"
    );
    let query = sql_query(SQL)
        .bind::<SqlUuid, _>(of.integration)
        .bind::<SqlUuid, _>(of.round)
        .bind::<Nullable<SqlUuid>, _>(of.project)
        .bind::<Array<SqlUuid>, _>(held)
        .bind::<BigInt, _>(at_most);
    let ids: Vec<Id> = Cached(query).load(tx.conn()).await?;
    rows(tx, ids).await
}

/// Some of what was missing before the round, of which no project is read any longer; locked until the
/// transaction ends.
pub async fn homeless_for_update(
    tx: &mut TenantTx,
    integration: IntegrationId,
    round: Uuid,
    at_most: i64,
) -> Result<Vec<Phase>> {
    const SQL: &str = concat!(
        "SELECT p.id FROM phase p WHERE p.integration_id = $1 AND p.presence = 'missing' \
         AND p.missing_time < ",
        round_begin!(),
        " AND NOT EXISTS (SELECT FROM phase_project f JOIN project j ON j.id = f.project_id \
             WHERE f.phase_id = p.id AND j.presence = 'present' AND (j.is_archived OR j.has_area_field AND ",
        is_no_absence_project!(),
        ")) ORDER BY p.external_id LIMIT $3 FOR UPDATE OF p"
    );
    let query =
        sql_query(SQL).bind::<SqlUuid, _>(integration).bind::<SqlUuid, _>(round).bind::<BigInt, _>(at_most);
    let ids: Vec<Id> = Cached(query).load(tx.conn()).await?;
    rows(tx, ids).await
}

/// Some of what was missing before the round and still is, by the tool's ids.
pub async fn long_missing(
    tx: &mut TenantTx,
    integration: IntegrationId,
    round: Uuid,
    at_most: i64,
) -> Result<Vec<String>> {
    const SQL: &str = concat!(
        "SELECT p.external_id FROM phase p WHERE p.integration_id = $1 AND p.presence = 'missing' \
         AND p.missing_time < ",
        round_begin!(),
        " ORDER BY p.missing_time, p.id LIMIT $3"
    );
    let query =
        sql_query(SQL).bind::<SqlUuid, _>(integration).bind::<SqlUuid, _>(round).bind::<BigInt, _>(at_most);
    let missing: Vec<ExternalId> = Cached(query).load(tx.conn()).await?;
    Ok(missing.into_iter().map(|one| one.external_id).collect())
}

/// Writes whether phases are there.
pub async fn set_presence(
    tx: &mut TenantTx,
    phases: &[PhaseId],
    presence: Presence,
    now: DateTime<Utc>,
) -> Result<()> {
    let query = sql_query(
        "UPDATE phase SET presence = $2, update_time = $3, \
         missing_time = CASE WHEN $2 = 'present' THEN NULL ELSE coalesce(missing_time, $3) END \
         WHERE id = ANY($1)",
    )
    .bind::<Array<SqlUuid>, _>(phases)
    .bind::<Text, _>(presence)
    .bind::<Timestamptz, _>(now);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

/// How many phases of a project count as there.
pub async fn count_present(tx: &mut TenantTx, project: ProjectId) -> Result<i64> {
    use crate::store::schema::phase_project;
    let present = phase_project::table
        .inner_join(phase::table.on(phase::id.eq(phase_project::phase_id)))
        .filter(phase_project::project_id.eq(project))
        .filter(phase::presence.eq(Presence::Present));
    Ok(present.count().get_result(tx.conn()).await?)
}

async fn rows(tx: &mut TenantTx, ids: Vec<Id>) -> Result<Vec<Phase>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<PhaseId> = ids.into_iter().map(|row| row.id).collect();
    let query = phase::table.filter(phase::id.eq_any(ids)).select(Phase::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}
