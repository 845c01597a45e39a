//! What is, or was, wrong, and what tells.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, QueryDsl, QueryableByName, Selectable, SelectableHelper, delete,
    insert_into,
    prelude::{Insertable, Queryable},
    sql_query,
    sql_types::{Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, Store, TenantTx, schema::alert};
use crate::{
    error::{Error, Result},
    ids::{AlertId, IntegrationId, TenantId},
    page::{Page, Paged},
    words::{AlertRule, AlertState},
};

/// Something that is, or was, wrong.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = alert, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Alert {
    pub id: AlertId,
    pub rule: AlertRule,
    /// Absent when it is about the tenant as a whole.
    pub integration_id: Option<IntegrationId>,
    pub state: AlertState,
    /// What was measured last.
    pub value: f64,
    pub threshold: f64,
    /// Looks in a row that spoke for the next state.
    pub pending_checks: i32,
    /// When it was first seen.
    pub begin_time: DateTime<Utc>,
    /// When somebody was last told.
    pub notify_time: Option<DateTime<Utc>>,
    pub end_time: Option<DateTime<Utc>>,
}

/// What a rule is about, measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    pub rule: AlertRule,
    pub integration: Option<IntegrationId>,
    pub value: f64,
}

/// Which alerts a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub state: Option<AlertState>,
    pub rule: Option<AlertRule>,
    pub integration: Option<IntegrationId>,
}

#[derive(QueryableByName)]
struct MeasureRow {
    #[diesel(sql_type = Text)]
    rule: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    integration_id: Option<IntegrationId>,
    #[diesel(sql_type = Double)]
    value: f64,
}

#[derive(QueryableByName)]
struct Turn {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
}

/// Takes this minute's look; the tenants to look at, none when another instance was first.
pub async fn take_turn(store: &Store) -> Result<Vec<TenantId>> {
    let mut tx = store.worker().await?;
    let query = sql_query("SELECT tenant_id FROM stellwerk_alert_turn() AS t (tenant_id)");
    let rows: Vec<Turn> = Cached(query).load(tx.conn()).await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(|row| row.tenant_id).collect())
}

/// Measures what the rules are about; a share only where it is of at least so many.
pub async fn measure(tx: &mut TenantTx, now: DateTime<Utc>, at_least: i32) -> Result<Vec<Measure>> {
    let query = sql_query(
        "SELECT rule, integration_id, value FROM stellwerk_alert_measures($1, $2) \
         UNION ALL SELECT 'quarantine', integration_id, count(*)::double precision FROM webhook_event \
             WHERE status = 'quarantined' AND id >= stellwerk_uuid_floor($1 - interval '1 hour') \
             GROUP BY integration_id",
    )
    .bind::<Timestamptz, _>(now)
    .bind::<Integer, _>(at_least);
    let rows: Vec<MeasureRow> = Cached(query).load(tx.conn()).await?;
    let measure = |row: MeasureRow| {
        let rule = row.rule.parse().map_err(Error::internal)?;
        Ok(Measure { rule, integration: row.integration_id, value: row.value })
    };
    rows.into_iter().map(measure).collect()
}

/// Those that have not ended.
pub async fn open(tx: &mut TenantTx) -> Result<Vec<Alert>> {
    let query =
        alert::table.filter(alert::state.ne(AlertState::Ended)).order(alert::id).select(Alert::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// Adds one.
pub async fn insert(tx: &mut TenantTx, row: &Alert) -> Result<()> {
    insert_into(alert::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes one as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &Alert) -> Result<()> {
    Cached(update(alert::table.filter(alert::id.eq(row.id))).set(row)).execute(tx.conn()).await?;
    Ok(())
}

/// Forgets one that nobody was told of.
pub async fn remove(tx: &mut TenantTx, id: AlertId) -> Result<()> {
    delete(alert::table.filter(alert::id.eq(id))).execute(tx.conn()).await?;
    Ok(())
}

/// Forgets those that ended before.
pub async fn sweep(tx: &mut TenantTx, before: DateTime<Utc>) -> Result<()> {
    let old = alert::table.filter(alert::state.eq(AlertState::Ended)).filter(alert::end_time.lt(before));
    delete(old).execute(tx.conn()).await?;
    Ok(())
}

/// A page, newest first.
pub async fn list(tx: &mut TenantTx, filter: &Filter, page: &Page<AlertId>) -> Result<Paged<Alert, AlertId>> {
    let mut query =
        alert::table.order(alert::id.desc()).limit(page.limit()).select(Alert::as_select()).into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(alert::state.eq(state));
    }
    if let Some(rule) = filter.rule {
        query = query.filter(alert::rule.eq(rule));
    }
    if let Some(integration) = filter.integration {
        query = query.filter(alert::integration_id.eq(integration));
    }
    if let Some(after) = page.after {
        query = query.filter(alert::id.lt(after));
    }
    Ok(page.cut(query.load(tx.conn()).await?, |row: &Alert| row.id))
}
