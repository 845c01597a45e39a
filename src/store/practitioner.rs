//! Practitioners, and every folded spelling that means one.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, Insertable, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
    QueryDsl, Selectable, SelectableHelper, delete, insert_into, prelude::Queryable, update,
};
use diesel_async::RunQueryDsl;

use super::{
    Cached, TenantTx,
    schema::{practitioner, practitioner_name},
};
use crate::{
    error::{Error, Noun, Result},
    fold,
    ids::PractitionerId,
    page::{Page, Paged},
};

/// Somebody whose time is booked.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = practitioner, check_for_backend(diesel::pg::Pg))]
pub struct Practitioner {
    pub id: PractitionerId,
    pub name: String,
    pub aliases: Vec<String>,
    pub archived: bool,
    pub create_time: DateTime<Utc>,
    /// By which users of other tools are suggested to be this person.
    pub email: Option<String>,
}

/// What a caller says about a practitioner.
#[derive(Debug, Clone, Default, Insertable, AsChangeset)]
#[diesel(table_name = practitioner, treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PractitionerFields {
    pub name: String,
    pub aliases: Vec<String>,
    pub archived: bool,
    pub email: Option<String>,
}

impl PractitionerFields {
    /// What users of other tools are compared by; made here and nowhere else.
    fn email_folded(&self) -> Option<String> {
        self.email.as_deref().and_then(fold::email)
    }
}

/// The practitioner with this id. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: PractitionerId) -> Result<Practitioner> {
    let query = practitioner::table.filter(practitioner::id.eq(id)).select(Practitioner::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Practitioner))
}

/// Whom a folded spelling means, archived or not.
pub async fn find_by_folded_name(tx: &mut TenantTx, folded: &str) -> Result<Option<PractitionerId>> {
    let query = practitioner_name::table
        .filter(practitioner_name::folded_name.eq(folded))
        .select(practitioner_name::practitioner_id);
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Oldest first.
pub async fn list(
    tx: &mut TenantTx,
    page: &Page<PractitionerId>,
) -> Result<Paged<Practitioner, PractitionerId>> {
    let mut query = practitioner::table.select(Practitioner::as_select()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(practitioner::id.gt(after));
    }
    let rows = query.order(practitioner::id).limit(page.limit()).load(tx.conn()).await?;
    Ok(page.cut(rows, |row| row.id))
}

/// Adds a practitioner; their names are set by `replace_names`.
pub async fn insert(
    tx: &mut TenantTx,
    id: PractitionerId,
    fields: &PractitionerFields,
) -> Result<Practitioner> {
    Ok(insert_into(practitioner::table)
        .values((practitioner::id.eq(id), fields, practitioner::email_folded.eq(fields.email_folded())))
        .returning(Practitioner::as_returning())
        .get_result(tx.conn())
        .await?)
}

/// Replaces what is said about a practitioner; their names are set by `replace_names`. Errors: `NotFound`.
pub async fn update_fields(
    tx: &mut TenantTx,
    id: PractitionerId,
    fields: &PractitionerFields,
) -> Result<Practitioner> {
    let statement = update(practitioner::table.filter(practitioner::id.eq(id)))
        .set((fields, practitioner::email_folded.eq(fields.email_folded())))
        .returning(Practitioner::as_returning());
    Cached(statement).get_result(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Practitioner))
}

/// Which of these folded spellings mean somebody else.
pub async fn taken_names(tx: &mut TenantTx, id: PractitionerId, folded: &[&str]) -> Result<Vec<String>> {
    let query = practitioner_name::table
        .filter(practitioner_name::folded_name.eq_any(folded))
        .filter(practitioner_name::practitioner_id.ne(id))
        .select(practitioner_name::folded_name);
    Ok(query.load(tx.conn()).await?)
}

/// Makes these folded spellings, each given once, the ones that mean a practitioner. Errors: `NameTaken`.
pub async fn replace_names(tx: &mut TenantTx, id: PractitionerId, folded: &[&str]) -> Result<()> {
    delete(practitioner_name::table.filter(practitioner_name::practitioner_id.eq(id)))
        .execute(tx.conn())
        .await?;
    let rows: Vec<_> = folded
        .iter()
        .map(|name| (practitioner_name::folded_name.eq(*name), practitioner_name::practitioner_id.eq(id)))
        .collect();
    insert_into(practitioner_name::table).values(rows).execute(tx.conn()).await?;
    Ok(())
}

/// Who has one of these folded e-mail addresses and is still here.
pub async fn of_emails(tx: &mut TenantTx, folded: &[&str]) -> Result<Vec<(String, PractitionerId)>> {
    let query = practitioner::table
        .filter(practitioner::email_folded.eq_any(folded))
        .filter(practitioner::archived.eq(false))
        .order(practitioner::id)
        .select((practitioner::email_folded.assume_not_null(), practitioner::id));
    Ok(Cached(query).load(tx.conn()).await?)
}

/// Whom these folded spellings mean, if they are still here.
pub async fn of_names(tx: &mut TenantTx, folded: &[&str]) -> Result<Vec<(String, PractitionerId)>> {
    let query = practitioner_name::table
        .inner_join(practitioner::table.on(practitioner::id.eq(practitioner_name::practitioner_id)))
        .filter(practitioner_name::folded_name.eq_any(folded))
        .filter(practitioner::archived.eq(false))
        .select((practitioner_name::folded_name, practitioner::id));
    Ok(Cached(query).load(tx.conn()).await?)
}
