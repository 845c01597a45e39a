//! Time that people spent on phases.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    AsChangeset, BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl,
    QueryableByName, Selectable, SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
    sql_query,
    sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use crate::{
    error::Result,
    ids::{ExternalUserId, IntegrationId, PhaseId, PractitionerId, ProjectId, TimeEntryId},
    page::{Page, Paged},
    store::{
        Cached, TenantTx,
        schema::{external_user, phase_project, time_entry},
    },
};

/// Time that somebody spent on a phase.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = time_entry, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct TimeEntry {
    pub id: TimeEntryId,
    pub integration_id: IntegrationId,
    pub external_id: String,
    pub phase_id: PhaseId,
    pub user_id: Option<ExternalUserId>,
    pub entry_date: NaiveDate,
    pub minutes: i32,
    pub update_time: DateTime<Utc>,
}

/// Adds time entries.
pub async fn insert(tx: &mut TenantTx, rows: &[TimeEntry]) -> Result<()> {
    insert_into(time_entry::table).values(rows).execute(tx.conn()).await?;
    Ok(())
}

/// Which time entries a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub integration: Option<IntegrationId>,
    pub phase: Option<PhaseId>,
    pub project: Option<ProjectId>,
    /// Only those of this day or later.
    pub date_from: Option<NaiveDate>,
    /// Only those of this day or earlier.
    pub date_until: Option<NaiveDate>,
    pub practitioner: Option<PractitionerId>,
    pub user: Option<ExternalUserId>,
}

/// Time that one person spent on a phase.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct PersonTime {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub user_id: Option<ExternalUserId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub practitioner_id: Option<PractitionerId>,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = BigInt)]
    pub minutes: i64,
}

/// Where a page of time entries ended: day and id.
pub type Cursor = (NaiveDate, TimeEntryId);

/// A page by day, with the practitioner whose account the entry's user is.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<Cursor>,
) -> Result<Paged<(TimeEntry, Option<PractitionerId>), Cursor>> {
    let mut query = time_entry::table
        .left_join(external_user::table.on(external_user::id.nullable().eq(time_entry::user_id)))
        .order((time_entry::entry_date, time_entry::id))
        .limit(page.limit())
        .select((TimeEntry::as_select(), external_user::practitioner_id.nullable()))
        .into_boxed();
    if let Some(integration) = filter.integration {
        query = query.filter(time_entry::integration_id.eq(integration));
    }
    if let Some(phase) = filter.phase {
        query = query.filter(time_entry::phase_id.eq(phase));
    }
    if let Some(project) = filter.project {
        let inside = phase_project::table
            .filter(phase_project::project_id.eq(project))
            .select(phase_project::phase_id);
        query = query.filter(time_entry::phase_id.eq_any(inside));
    }
    if let Some(from) = filter.date_from {
        query = query.filter(time_entry::entry_date.ge(from));
    }
    if let Some(until) = filter.date_until {
        query = query.filter(time_entry::entry_date.le(until));
    }
    if let Some(practitioner) = filter.practitioner {
        query = query.filter(external_user::practitioner_id.eq(practitioner));
    }
    if let Some(user) = filter.user {
        query = query.filter(time_entry::user_id.eq(user));
    }
    if let Some((date, id)) = page.after {
        // The first half alone is what the index can be entered with.
        query = query
            .filter(time_entry::entry_date.ge(date))
            .filter(time_entry::entry_date.gt(date).or(time_entry::id.gt(id)));
    }
    let cursor = |(entry, _): &(TimeEntry, _)| (entry.entry_date, entry.id);
    Ok(page.cut(Cached(query).load(tx.conn()).await?, cursor))
}

/// Who spent how much time on a phase, most first.
pub async fn by_person(tx: &mut TenantTx, phase: PhaseId) -> Result<Vec<PersonTime>> {
    let query = sql_query(
        "SELECT e.user_id, u.practitioner_id, coalesce(u.name, '') AS name, sum(e.minutes) AS minutes \
         FROM time_entry e LEFT JOIN external_user u ON u.tenant_id = e.tenant_id AND u.id = e.user_id \
         WHERE e.phase_id = $1 GROUP BY e.user_id, u.practitioner_id, u.name \
         ORDER BY minutes DESC, e.user_id",
    );
    Ok(Cached(query.bind::<SqlUuid, _>(phase)).load(tx.conn()).await?)
}
