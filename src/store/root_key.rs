//! Which root key seals, and which ones the living instances hold: narrow functions over the whole house,
//! outside any tenant.

use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Cached, Store};
use crate::{error::Result, ids::TenantId};

/// A process that serves.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Instance {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// The ids of the root keys it holds.
    #[diesel(sql_type = Array<Text>)]
    pub root_key_ids: Vec<String>,
    /// What it sealed with when it reported last.
    #[diesel(sql_type = Text)]
    pub sealing_root_key_id: String,
}

/// A root key that tenants' keys are wrapped by, and how many.
#[derive(Debug, QueryableByName)]
pub struct RootKeyUse {
    #[diesel(sql_type = Text)]
    pub root_key_id: String,
    #[diesel(sql_type = BigInt)]
    pub tenants: i64,
}

#[derive(QueryableByName)]
struct Active {
    #[diesel(sql_type = Nullable<Text>)]
    id: Option<String>,
}

#[derive(QueryableByName)]
struct Switched {
    #[diesel(sql_type = Bool)]
    switched: bool,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
}

/// The root keys in use.
pub async fn used(store: &Store) -> Result<Vec<RootKeyUse>> {
    let mut conn = store.connection().await?;
    Ok(sql_query("SELECT * FROM stellwerk_root_keys() ORDER BY 1").load(&mut *conn).await?)
}

/// The root key that seals; none before the first instance came.
pub async fn active(store: &Store) -> Result<Option<String>> {
    let mut conn = store.connection().await?;
    let query = sql_query("SELECT stellwerk_root_key_active() AS id");
    Ok(Cached(query).get_result::<Active>(&mut *conn).await?.id)
}

/// Says what an instance holds and seals with; returns what it is to seal with.
pub async fn report(store: &Store, instance: &Instance) -> Result<Option<String>> {
    let mut conn = store.connection().await?;
    let query = sql_query("SELECT stellwerk_root_key_report($1, $2, $3) AS id")
        .bind::<SqlUuid, _>(instance.id)
        .bind::<Array<Text>, _>(&instance.root_key_ids)
        .bind::<Text, _>(&instance.sealing_root_key_id);
    Ok(Cached(query).get_result::<Active>(&mut *conn).await?.id)
}

/// Forgets an instance that ends.
pub async fn leave(store: &Store, instance: Uuid) -> Result<()> {
    let mut conn = store.connection().await?;
    let query = sql_query("SELECT stellwerk_root_key_leave($1)").bind::<SqlUuid, _>(instance);
    Cached(query).execute(&mut *conn).await?;
    Ok(())
}

/// Those that reported within the last minute.
pub async fn instances(store: &Store) -> Result<Vec<Instance>> {
    let mut conn = store.connection().await?;
    Ok(Cached(sql_query("SELECT * FROM stellwerk_instances()")).load(&mut *conn).await?)
}

/// Lets a root key seal from here on. False: an instance that lives does not hold it, and nothing was
/// changed.
pub async fn activate(store: &Store, id: &str) -> Result<bool> {
    let mut conn = store.connection().await?;
    let query = sql_query("SELECT stellwerk_root_key_activate($1) AS switched").bind::<Text, _>(id);
    Ok(Cached(query).get_result::<Switched>(&mut *conn).await?.switched)
}

/// Tenants after `after` whose data key another root key wraps, in their order; with no root key named, all
/// that have a data key.
pub async fn tenants_not_under(
    store: &Store,
    root_key: Option<&str>,
    after: Option<TenantId>,
    at_most: i32,
) -> Result<Vec<TenantId>> {
    let mut conn = store.connection().await?;
    let query = sql_query("SELECT tenant_id FROM stellwerk_tenants_not_under($1, $2, $3) AS t (tenant_id)")
        .bind::<Text, _>(root_key.unwrap_or_default())
        .bind::<Nullable<SqlUuid>, _>(after)
        .bind::<Integer, _>(at_most);
    let rows: Vec<Row> = Cached(query).load(&mut *conn).await?;
    Ok(rows.into_iter().map(|row| row.tenant_id).collect())
}
