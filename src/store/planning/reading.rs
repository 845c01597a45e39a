//! What readings of the planning tool keep and forget of users, absences and time entries.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, PgExpressionMethods, PgSortExpressionMethods, QueryDsl,
    SelectableHelper, delete, insert_into,
    prelude::Queryable,
    sql_query,
    sql_types::{BigInt, Date, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;

use super::{absence::Absence, time_entry::TimeEntry, user::ExternalUser};
use crate::{
    error::Result,
    ids::{ExternalUserId, IntegrationId, PhaseId},
    store::{
        Cached, TenantTx,
        schema::{absence, external_user, phase, time_entry},
    },
    words::{AbsenceSource, Presence},
};

/// Writes what the tool says of a user; whose account it is, people say meanwhile.
pub async fn describe_user(tx: &mut TenantTx, row: &ExternalUser) -> Result<()> {
    let told = (
        external_user::name.eq(&row.name),
        external_user::email.eq(&row.email),
        external_user::email_folded.eq(&row.email_folded),
        external_user::missing_time.eq(row.missing_time),
        external_user::update_time.eq(row.update_time),
    );
    let statement = update(external_user::table.filter(external_user::id.eq(row.id))).set(told);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Those whose absences are wanted, because they are somebody here, and were last read before `until`; who
/// waits longest comes first.
pub async fn users_to_be_asked(
    tx: &mut TenantTx,
    integration: IntegrationId,
    until: DateTime<Utc>,
) -> Result<Vec<ExternalUser>> {
    let query = external_user::table
        .filter(external_user::integration_id.eq(integration))
        .filter(external_user::practitioner_id.is_not_null())
        .filter(external_user::missing_time.is_null())
        .filter(external_user::absences_time.is_null().or(external_user::absences_time.lt(until)))
        .order((external_user::absences_time.asc().nulls_first(), external_user::id))
        .select(ExternalUser::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// Notes that a user's absences were read. False: the user is nobody here by now.
pub async fn note_absences_read(tx: &mut TenantTx, id: ExternalUserId, now: DateTime<Utc>) -> Result<bool> {
    let somebody = external_user::table
        .filter(external_user::id.eq(id))
        .filter(external_user::practitioner_id.is_not_null());
    let statement = update(somebody).set(external_user::absences_time.eq(Some(now)));
    Ok(Cached(statement).execute(tx.conn()).await? == 1)
}

/// How many users are somebody here, and how many are not, those who left aside.
pub async fn count_users(tx: &mut TenantTx, integration: IntegrationId) -> Result<(i64, i64)> {
    let here = || {
        external_user::table
            .filter(external_user::integration_id.eq(integration))
            .filter(external_user::missing_time.is_null())
    };
    let mapped = here().filter(external_user::practitioner_id.is_not_null());
    let unmapped = here().filter(external_user::practitioner_id.is_null());
    Ok((mapped.count().get_result(tx.conn()).await?, unmapped.count().get_result(tx.conn()).await?))
}

/// Keeps absences as they were read.
pub async fn keep_absences(tx: &mut TenantTx, rows: &[Absence]) -> Result<()> {
    let mut ordered: Vec<&Absence> = rows.iter().collect();
    ordered.sort_by(|one, other| one.external_id.cmp(&other.external_id));
    for row in ordered {
        let told = (
            absence::source.eq(row.source),
            absence::user_id.eq(row.user_id),
            absence::kind.eq(&row.kind),
            absence::start_date.eq(row.start_date),
            absence::end_date.eq(row.end_date),
            absence::update_time.eq(row.update_time),
            absence::missing_time.eq(None::<DateTime<Utc>>),
        );
        let is_other = absence::user_id
            .ne(row.user_id)
            .or(absence::kind.is_distinct_from(&row.kind))
            .or(absence::start_date.ne(row.start_date))
            .or(absence::end_date.ne(row.end_date))
            .or(absence::source.ne(row.source))
            .or(absence::missing_time.is_not_null());
        let statement = insert_into(absence::table)
            .values(row)
            .on_conflict((absence::tenant_id, absence::integration_id, absence::external_id))
            .do_update()
            .set(told);
        let statement = diesel::query_dsl::methods::FilterDsl::filter(statement, is_other);
        Cached(statement).execute(tx.conn()).await?;
    }
    Ok(())
}

/// Forgets what came from where absences are not read any longer.
pub async fn forget_absences_elsewhere(
    tx: &mut TenantTx,
    integration: IntegrationId,
    source: AbsenceSource,
) -> Result<()> {
    let others =
        absence::table.filter(absence::integration_id.eq(integration)).filter(absence::source.ne(source));
    delete(others).execute(tx.conn()).await?;
    Ok(())
}

/// A phase whose entries are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct ToBeCounted {
    pub id: PhaseId,
    pub external_id: String,
    /// The sum of its entries, as the tool told it.
    pub actual_minutes: Option<i32>,
}

/// Phases whose sum is another than when their entries were read last, in the order of ids behind `after`.
pub async fn to_be_counted(
    tx: &mut TenantTx,
    integration: IntegrationId,
    after: Option<PhaseId>,
    at_most: i64,
) -> Result<Vec<ToBeCounted>> {
    let query = phase::table
        .filter(phase::integration_id.eq(integration))
        .filter(phase::actual_minutes.is_distinct_from(phase::counted_minutes))
        .filter(phase::presence.eq(Presence::Present))
        .filter(phase::id.gt(after.unwrap_or(PhaseId(uuid::Uuid::nil()))))
        .order(phase::id)
        .limit(at_most)
        .select((phase::id, phase::external_id, phase::actual_minutes));
    Ok(query.load(tx.conn()).await?)
}

/// How many phases wait for their entries to be read.
pub async fn count_to_be_counted(tx: &mut TenantTx, integration: IntegrationId) -> Result<i64> {
    let waiting = phase::table
        .filter(phase::integration_id.eq(integration))
        .filter(phase::actual_minutes.is_distinct_from(phase::counted_minutes))
        .filter(phase::presence.eq(Presence::Present));
    Ok(waiting.count().get_result(tx.conn()).await?)
}

/// Has the entries of phases read again on which somebody worked on `begin` or later, whatever their sums
/// are; of more than `at_most`, where that was last.
pub async fn recount(
    tx: &mut TenantTx,
    integration: IntegrationId,
    begin: NaiveDate,
    at_most: i64,
) -> Result<()> {
    let query = sql_query(
        "UPDATE phase SET counted_minutes = NULL WHERE presence = 'present' AND actual_minutes IS NOT NULL \
             AND id IN (SELECT e.phase_id FROM time_entry e \
                 WHERE e.integration_id = $1 AND e.entry_date >= $2 \
                 GROUP BY e.phase_id ORDER BY max(e.entry_date) DESC, e.phase_id LIMIT $3)",
    )
    .bind::<SqlUuid, _>(integration)
    .bind::<Date, _>(begin)
    .bind::<BigInt, _>(at_most);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

/// Keeps entries as they were read.
pub async fn keep_time_entries(tx: &mut TenantTx, rows: &[TimeEntry]) -> Result<()> {
    let mut ordered: Vec<&TimeEntry> = rows.iter().collect();
    ordered.sort_by(|one, other| one.external_id.cmp(&other.external_id));
    for row in ordered {
        let told = (
            time_entry::phase_id.eq(row.phase_id),
            time_entry::user_id.eq(row.user_id),
            time_entry::entry_date.eq(row.entry_date),
            time_entry::minutes.eq(row.minutes),
            time_entry::update_time.eq(row.update_time),
            time_entry::missing_time.eq(None::<DateTime<Utc>>),
        );
        let is_other = time_entry::phase_id
            .ne(row.phase_id)
            .or(time_entry::user_id.is_distinct_from(row.user_id))
            .or(time_entry::entry_date.ne(row.entry_date))
            .or(time_entry::minutes.ne(row.minutes))
            .or(time_entry::missing_time.is_not_null());
        let statement = insert_into(time_entry::table)
            .values(row)
            .on_conflict((time_entry::tenant_id, time_entry::integration_id, time_entry::external_id))
            .do_update()
            .set(told);
        let statement = diesel::query_dsl::methods::FilterDsl::filter(statement, is_other);
        Cached(statement).execute(tx.conn()).await?;
    }
    Ok(())
}

/// Notes that a phase's entries were read when the tool told this sum.
pub async fn note_counted(tx: &mut TenantTx, counted: &ToBeCounted) -> Result<()> {
    let statement = update(phase::table.filter(phase::id.eq(counted.id)))
        .set(phase::counted_minutes.eq(counted.actual_minutes));
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// How many phases count as there.
pub async fn count_phases(tx: &mut TenantTx, integration: IntegrationId) -> Result<i64> {
    let present = phase::table
        .filter(phase::integration_id.eq(integration))
        .filter(phase::presence.eq(Presence::Present));
    Ok(present.count().get_result(tx.conn()).await?)
}
