//! Where alerts go.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, delete,
    insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::alert_destination};
use crate::{
    error::{Error, Noun, Result},
    ids::AlertDestinationId,
    page::{Page, Paged},
    vault::Place,
    words::AlertDestinationKind,
};

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = alert_destination, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct AlertDestination {
    pub id: AlertDestinationId,
    pub kind: AlertDestinationKind,
    pub name: String,
    /// All that is shown of the URL.
    pub url_host: String,
    /// The URL and its headers.
    pub sealed_target: Vec<u8>,
    pub disabled: bool,
    pub create_time: DateTime<Utc>,
    pub last_success_time: Option<DateTime<Utc>>,
    pub last_failure_time: Option<DateTime<Utc>>,
    /// A code.
    pub last_failure_reason: Option<String>,
}

/// Adds one.
pub async fn insert(tx: &mut TenantTx, row: &AlertDestination) -> Result<()> {
    insert_into(alert_destination::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes one as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &AlertDestination) -> Result<()> {
    let statement = update(alert_destination::table.filter(alert_destination::id.eq(row.id))).set(row);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// One of them. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: AlertDestinationId) -> Result<AlertDestination> {
    find_if_any(tx, id).await?.ok_or(Error::NotFound(Noun::AlertDestination))
}

/// One of them, unless it is gone.
pub async fn find_if_any(tx: &mut TenantTx, id: AlertDestinationId) -> Result<Option<AlertDestination>> {
    let query =
        alert_destination::table.filter(alert_destination::id.eq(id)).select(AlertDestination::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Those that are not disabled.
pub async fn enabled(tx: &mut TenantTx) -> Result<Vec<AlertDestinationId>> {
    let query = alert_destination::table
        .filter(alert_destination::disabled.eq(false))
        .order(alert_destination::id)
        .select(alert_destination::id);
    Ok(query.load(tx.conn()).await?)
}

/// How many there are.
pub async fn count(tx: &mut TenantTx) -> Result<i64> {
    Ok(alert_destination::table.count().get_result(tx.conn()).await?)
}

/// A page, oldest first.
pub async fn list(
    tx: &mut TenantTx,
    page: &Page<AlertDestinationId>,
) -> Result<Paged<AlertDestination, AlertDestinationId>> {
    let mut query = alert_destination::table
        .order(alert_destination::id)
        .limit(page.limit())
        .select(AlertDestination::as_select())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(alert_destination::id.gt(after));
    }
    Ok(page.cut(query.load(tx.conn()).await?, |row: &AlertDestination| row.id))
}

/// Forgets one with its secrets. False: there is none.
pub async fn remove(tx: &mut TenantTx, id: AlertDestinationId) -> Result<bool> {
    let statement = delete(alert_destination::table.filter(alert_destination::id.eq(id)));
    Ok(statement.execute(tx.conn()).await? == 1)
}

/// Writes down what became of a delivery: nothing, or the code of what went wrong.
pub async fn note(
    tx: &mut TenantTx,
    id: AlertDestinationId,
    failure: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let row = alert_destination::table.filter(alert_destination::id.eq(id));
    match failure {
        None => {
            Cached(update(row).set(alert_destination::last_success_time.eq(now))).execute(tx.conn()).await?
        }
        Some(reason) => {
            let failed = (
                alert_destination::last_failure_time.eq(now),
                alert_destination::last_failure_reason.eq(reason),
            );
            Cached(update(row).set(failed)).execute(tx.conn()).await?
        }
    };
    Ok(())
}

/// Where the URL and its headers are sealed.
pub fn place(id: AlertDestinationId) -> Place {
    Place { table: "alert_destination", column: "sealed_target", row: id.0 }
}
