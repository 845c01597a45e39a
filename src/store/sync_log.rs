//! Runs and what came of them, and up to where a provider's changes were read.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper,
    TextExpressionMethods, delete, insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::{
    Cached, TenantTx,
    schema::{sync_cursor, sync_log},
};
use crate::{
    error::{Error, Noun, Result},
    ids::{IntegrationId, SyncLogId},
    page::{Page, Paged},
    words::{SyncKind, SyncState},
};

/// The record of one run.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sync_log, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct SyncLog {
    pub id: SyncLogId,
    pub integration_id: IntegrationId,
    pub kind: SyncKind,
    pub state: SyncState,
    /// Who or what began it.
    pub cause: String,
    /// What it is at, as in `bookings`.
    pub stage: Option<String>,
    /// Per noun: `{"bookings": {"total": 12, "processed": 7, "repaired": 1}}`.
    pub counts: serde_json::Value,
    /// The first 100: `{"subject": "event_type/12", "reason": "CODE"}`.
    pub errors: serde_json::Value,
    pub error_count: i32,
    /// Why it failed as a whole, a code.
    pub reason: Option<String>,
    /// Somebody asked for its end.
    pub cancel_asked: bool,
    /// Counts the writes, so that a watcher sees what it has not seen.
    pub revision: i32,
    pub start_time: DateTime<Utc>,
    pub end_time: Option<DateTime<Utc>>,
    /// When it is expected to end, as of its last page; none while nobody knows.
    pub expect_end_time: Option<DateTime<Utc>>,
}

impl SyncLog {
    /// Of a run that waits for its turn.
    pub fn queued(
        id: SyncLogId,
        integration_id: IntegrationId,
        kind: SyncKind,
        cause: &str,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            integration_id,
            kind,
            state: SyncState::Queued,
            cause: cause.into(),
            stage: None,
            counts: serde_json::json!({}),
            errors: serde_json::json!([]),
            error_count: 0,
            reason: None,
            cancel_asked: false,
            revision: 0,
            start_time: now,
            end_time: None,
            expect_end_time: None,
        }
    }
}

/// Which runs a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub integration: Option<IntegrationId>,
    pub state: Option<SyncState>,
    pub kind: Option<SyncKind>,
}

/// Adds a run. False: another one of the integration is under way.
pub async fn insert(tx: &mut TenantTx, row: &SyncLog) -> Result<bool> {
    let statement = insert_into(sync_log::table).values(row).on_conflict_do_nothing();
    Ok(Cached(statement).execute(tx.conn()).await? == 1)
}

/// One run. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: SyncLogId) -> Result<SyncLog> {
    let query = sync_log::table.filter(sync_log::id.eq(id)).select(SyncLog::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::SyncLog))
}

/// One run, locked until the transaction ends. Errors: `NotFound`.
pub async fn find_for_update(tx: &mut TenantTx, id: SyncLogId) -> Result<SyncLog> {
    let query = sync_log::table.filter(sync_log::id.eq(id)).select(SyncLog::as_select()).for_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::SyncLog))
}

/// The run of an integration that is under way.
pub async fn open_of(tx: &mut TenantTx, integration: IntegrationId) -> Result<Option<SyncLog>> {
    let query = sync_log::table
        .filter(sync_log::integration_id.eq(integration))
        .filter(sync_log::state.eq_any([SyncState::Queued, SyncState::Running]))
        .select(SyncLog::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// The run of an integration that was begun last.
pub async fn newest_of(tx: &mut TenantTx, integration: IntegrationId) -> Result<Option<SyncLog>> {
    let query = sync_log::table
        .filter(sync_log::integration_id.eq(integration))
        .order(sync_log::id.desc())
        .select(SyncLog::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// The newest run that was to read everything, called off or not.
pub async fn newest_of_everything(tx: &mut TenantTx, integration: IntegrationId) -> Result<Option<SyncLog>> {
    let query = sync_log::table
        .filter(sync_log::integration_id.eq(integration))
        .filter(sync_log::kind.eq_any([SyncKind::Full, SyncKind::Manual]))
        .order(sync_log::id.desc())
        .select(SyncLog::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Writes a run as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &SyncLog) -> Result<()> {
    Cached(update(sync_log::table.filter(sync_log::id.eq(row.id))).set(row)).execute(tx.conn()).await?;
    Ok(())
}

/// A page, newest first.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<SyncLogId>,
) -> Result<Paged<SyncLog, SyncLogId>> {
    let mut query = sync_log::table
        .order(sync_log::id.desc())
        .limit(page.limit())
        .select(SyncLog::as_select())
        .into_boxed();
    if let Some(integration) = filter.integration {
        query = query.filter(sync_log::integration_id.eq(integration));
    }
    if let Some(state) = filter.state {
        query = query.filter(sync_log::state.eq(state));
    }
    if let Some(kind) = filter.kind {
        query = query.filter(sync_log::kind.eq(kind));
    }
    if let Some(after) = page.after {
        query = query.filter(sync_log::id.lt(after));
    }
    Ok(page.cut(query.load(tx.conn()).await?, |row: &SyncLog| row.id))
}

/// Up to where a noun's changes were read at the provider.
pub async fn watermark(
    tx: &mut TenantTx,
    integration: IntegrationId,
    noun: &str,
) -> Result<Option<DateTime<Utc>>> {
    let query = sync_cursor::table
        .filter(sync_cursor::integration_id.eq(integration))
        .filter(sync_cursor::noun.eq(noun))
        .select(sync_cursor::watermark);
    Ok(query.first(tx.conn()).await.optional()?.flatten())
}

/// Writes it down.
pub async fn set_watermark(
    tx: &mut TenantTx,
    integration: IntegrationId,
    noun: &str,
    watermark: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<()> {
    let values = (sync_cursor::watermark.eq(watermark), sync_cursor::last_run_time.eq(now));
    let statement = insert_into(sync_cursor::table)
        .values((sync_cursor::integration_id.eq(integration), sync_cursor::noun.eq(noun), values))
        .on_conflict((sync_cursor::tenant_id, sync_cursor::integration_id, sync_cursor::noun))
        .do_update()
        .set(values);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Forgets the cursors whose nouns begin like this.
pub async fn forget_watermarks(tx: &mut TenantTx, integration: IntegrationId, prefix: &str) -> Result<()> {
    let begun = sync_cursor::table
        .filter(sync_cursor::integration_id.eq(integration))
        .filter(sync_cursor::noun.like(format!("{prefix}%")));
    delete(begun).execute(tx.conn()).await?;
    Ok(())
}
