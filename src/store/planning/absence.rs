//! Days on which somebody is away.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    AsChangeset, BoolExpressionMethods, ExpressionMethods, JoinOnDsl, QueryDsl, Selectable, SelectableHelper,
    delete, insert_into,
    prelude::{Insertable, Queryable},
};
use diesel_async::RunQueryDsl;

use crate::{
    error::Result,
    ids::{AbsenceId, ExternalUserId, IntegrationId, PractitionerId},
    page::{Page, Paged},
    store::{
        Cached, TenantTx,
        schema::{absence, external_user},
    },
    words::AbsenceSource,
};

/// Whole days on which somebody is away.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = absence, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Absence {
    pub id: AbsenceId,
    pub integration_id: IntegrationId,
    /// Of the entry or of the task.
    pub external_id: String,
    /// Never `None`.
    pub source: AbsenceSource,
    pub user_id: ExternalUserId,
    /// As the tool says it; out-of-office entries have none.
    pub kind: Option<String>,
    pub start_date: NaiveDate,
    /// The last day away.
    pub end_date: NaiveDate,
    pub update_time: DateTime<Utc>,
}

/// Adds absences.
pub async fn insert(tx: &mut TenantTx, rows: &[Absence]) -> Result<()> {
    insert_into(absence::table).values(rows).execute(tx.conn()).await?;
    Ok(())
}

/// Forgets a user's out-of-office entries.
pub async fn forget_out_of_office(tx: &mut TenantTx, user: ExternalUserId) -> Result<()> {
    let own = absence::table
        .filter(absence::user_id.eq(user))
        .filter(absence::source.eq(AbsenceSource::OutOfOffice));
    delete(own).execute(tx.conn()).await?;
    Ok(())
}

/// Which absences a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub integration: Option<IntegrationId>,
    /// Only those that last until this day or longer.
    pub date_from: Option<NaiveDate>,
    /// Only those that begin on this day or earlier.
    pub date_until: Option<NaiveDate>,
    pub practitioner: Option<PractitionerId>,
    pub user: Option<ExternalUserId>,
}

/// An absence, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Shown {
    pub absence: Absence,
    /// As the tool has it.
    pub name: String,
    pub practitioner_id: Option<PractitionerId>,
}

/// Where a page of absences ended: last day and id.
pub type Cursor = (NaiveDate, AbsenceId);

/// A page, by the last day. Whose of them the caller sees, the row policies decide.
pub async fn list(tx: &mut TenantTx, filter: &Filter, page: &Page<Cursor>) -> Result<Paged<Shown, Cursor>> {
    let mut query = absence::table
        .inner_join(external_user::table.on(external_user::id.eq(absence::user_id)))
        .order((absence::end_date, absence::id))
        .limit(page.limit())
        .select((Absence::as_select(), external_user::name, external_user::practitioner_id))
        .into_boxed();
    if let Some(integration) = filter.integration {
        query = query.filter(absence::integration_id.eq(integration));
    }
    if let Some(from) = filter.date_from {
        query = query.filter(absence::end_date.ge(from));
    }
    if let Some(until) = filter.date_until {
        query = query.filter(absence::start_date.le(until));
    }
    if let Some(practitioner) = filter.practitioner {
        query = query.filter(external_user::practitioner_id.eq(practitioner));
    }
    if let Some(user) = filter.user {
        query = query.filter(absence::user_id.eq(user));
    }
    if let Some((end_date, id)) = page.after {
        // The first half alone is what the index can be entered with.
        query = query
            .filter(absence::end_date.ge(end_date))
            .filter(absence::end_date.gt(end_date).or(absence::id.gt(id)));
    }
    let cursor = |shown: &Shown| (shown.absence.end_date, shown.absence.id);
    Ok(page.cut(Cached(query).load(tx.conn()).await?, cursor))
}
