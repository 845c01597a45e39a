//! What can be booked, and every folded spelling that means it.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, Insertable, JoinOnDsl, OptionalExtension, QueryDsl, Selectable,
    SelectableHelper, delete, insert_into, prelude::Queryable, update,
};
use diesel_async::RunQueryDsl;

use super::{
    Cached, TenantTx,
    schema::{service, service_name},
};
use crate::{
    error::{Error, Noun, Result},
    ids::ServiceId,
    page::{Page, Paged},
};

/// Something that can be booked.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = service, check_for_backend(diesel::pg::Pg))]
pub struct Service {
    pub id: ServiceId,
    pub name: String,
    pub aliases: Vec<String>,
    pub duration_s: i32,
    pub buffer_before_s: i32,
    pub buffer_after_s: i32,
    pub archived: bool,
    pub create_time: DateTime<Utc>,
}

/// What a caller says about a service.
#[derive(Debug, Clone, Insertable, AsChangeset)]
#[diesel(table_name = service)]
pub struct ServiceFields {
    pub name: String,
    pub aliases: Vec<String>,
    pub duration_s: i32,
    pub buffer_before_s: i32,
    pub buffer_after_s: i32,
    pub archived: bool,
}

/// The service with this id. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: ServiceId) -> Result<Service> {
    let query = service::table.filter(service::id.eq(id)).select(Service::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Service))
}

/// What a folded spelling means, archived or not.
pub async fn find_by_folded_name(tx: &mut TenantTx, folded: &str) -> Result<Option<Service>> {
    let query = service::table
        .inner_join(service_name::table.on(service_name::service_id.eq(service::id)))
        .filter(service_name::folded_name.eq(folded))
        .select(Service::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Oldest first.
pub async fn list(tx: &mut TenantTx, page: &Page<ServiceId>) -> Result<Paged<Service, ServiceId>> {
    let mut query = service::table.select(Service::as_select()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(service::id.gt(after));
    }
    let rows = query.order(service::id).limit(page.limit()).load(tx.conn()).await?;
    Ok(page.cut(rows, |row| row.id))
}

/// Adds a service; its names are set by `replace_names`.
pub async fn insert(tx: &mut TenantTx, id: ServiceId, fields: &ServiceFields) -> Result<Service> {
    Ok(insert_into(service::table)
        .values((service::id.eq(id), fields))
        .returning(Service::as_returning())
        .get_result(tx.conn())
        .await?)
}

/// Replaces what is said about a service; its names are set by `replace_names`. Errors: `NotFound`.
pub async fn update_fields(tx: &mut TenantTx, id: ServiceId, fields: &ServiceFields) -> Result<Service> {
    let statement =
        update(service::table.filter(service::id.eq(id))).set(fields).returning(Service::as_returning());
    Cached(statement).get_result(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Service))
}

/// Which of these folded spellings mean another service.
pub async fn taken_names(tx: &mut TenantTx, id: ServiceId, folded: &[&str]) -> Result<Vec<String>> {
    let query = service_name::table
        .filter(service_name::folded_name.eq_any(folded))
        .filter(service_name::service_id.ne(id))
        .select(service_name::folded_name);
    Ok(query.load(tx.conn()).await?)
}

/// Makes these folded spellings, each given once, the ones that mean a service. Errors: `NameTaken`.
pub async fn replace_names(tx: &mut TenantTx, id: ServiceId, folded: &[&str]) -> Result<()> {
    delete(service_name::table.filter(service_name::service_id.eq(id))).execute(tx.conn()).await?;
    let rows: Vec<_> = folded
        .iter()
        .map(|name| (service_name::folded_name.eq(*name), service_name::service_id.eq(id)))
        .collect();
    insert_into(service_name::table).values(rows).execute(tx.conn()).await?;
    Ok(())
}
