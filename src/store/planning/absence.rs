//! Days on which somebody is away.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    AsChangeset, Selectable, insert_into,
    prelude::{Insertable, Queryable},
};
use diesel_async::RunQueryDsl;

use crate::{
    error::Result,
    ids::{AbsenceId, ExternalUserId, IntegrationId},
    store::{TenantTx, schema::absence},
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
