//! Time that people spent on phases.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    AsChangeset, Selectable, insert_into,
    prelude::{Insertable, Queryable},
};
use diesel_async::RunQueryDsl;

use crate::{
    error::Result,
    ids::{ExternalUserId, IntegrationId, PhaseId, TimeEntryId},
    store::{TenantTx, schema::time_entry},
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
