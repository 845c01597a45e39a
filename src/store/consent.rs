//! Leave for data to flow between here and a provider.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, PgArrayExpressionMethods, QueryDsl, QueryableByName, Selectable,
    SelectableHelper,
    dsl::exists,
    insert_into,
    prelude::{Insertable, Queryable},
    select, sql_query,
    sql_types::{Bool, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;

use super::{
    Cached, TenantTx,
    schema::{consent, integration},
};
use crate::{
    error::{Error, Noun, Result},
    ids::{ConsentId, IntegrationId, PatientId},
    page::{Page, Paged},
    words::ConsentScope,
};

/// Somebody's leave: who, for what, to which text, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = consent, check_for_backend(diesel::pg::Pg))]
pub struct Consent {
    pub id: ConsentId,
    pub integration_id: IntegrationId,
    /// Whose records it is about; the house's when absent.
    pub patient_id: Option<PatientId>,
    /// Who gave it, as in `Caller::subject`.
    pub subject: String,
    pub scopes: Vec<ConsentScope>,
    /// Which text was agreed to, as the frontend names it.
    pub text_version: String,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub grant_time: DateTime<Utc>,
    pub revoke_time: Option<DateTime<Utc>>,
    pub revoker: Option<String>,
}

/// Which consents are listed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Filter {
    pub integration: Option<IntegrationId>,
    pub patient: Option<PatientId>,
    /// Leaves out what was revoked.
    pub living_only: bool,
}

/// Whether data may flow: the integration asks for no consent, or the house's lives; only of `scope` if it is
/// named.
pub async fn allows(tx: &mut TenantTx, id: IntegrationId, scope: Option<ConsentScope>) -> Result<bool> {
    let is_free = exists(
        integration::table.filter(integration::id.eq(id)).filter(integration::consent_required.eq(false)),
    );
    let living = consent::table
        .filter(consent::integration_id.eq(id))
        .filter(consent::patient_id.is_null())
        .filter(consent::revoke_time.is_null());
    let allowed = match scope {
        None => {
            use diesel::BoolExpressionMethods;
            Cached(select(is_free.or(exists(living)))).get_result(tx.conn()).await?
        }
        Some(scope) => {
            use diesel::BoolExpressionMethods;
            let covering = living.filter(consent::scopes.contains(vec![scope]));
            Cached(select(is_free.or(exists(covering)))).get_result(tx.conn()).await?
        }
    };
    Ok(allowed)
}

#[derive(QueryableByName)]
struct Refused {
    #[diesel(sql_type = Bool)]
    refused: bool,
}

/// Whether the last word that a person said about an integration was a no: what the house agreed to does not
/// hold for that person then. What was said by somebody who became part of that person counts as theirs, until
/// they say something else.
pub async fn is_refused_by(tx: &mut TenantTx, id: IntegrationId, patient: PatientId) -> Result<bool> {
    let query = sql_query(
        "WITH RECURSIVE everybody (id) AS ( \
             VALUES ($1) UNION SELECT p.id FROM patient p JOIN everybody e ON p.merged_into_id = e.id), \
         said AS ( \
             SELECT max(c.grant_time) FILTER (WHERE c.revoke_time IS NULL) AS yes, max(c.revoke_time) AS no \
             FROM consent c JOIN everybody e ON c.patient_id = e.id \
             WHERE c.integration_id = $2 GROUP BY c.patient_id) \
         SELECT EXISTS (SELECT FROM said WHERE yes IS NULL \
             AND no >= coalesce((SELECT max(yes) FROM said), '-infinity')) AS refused",
    )
    .bind::<SqlUuid, _>(patient)
    .bind::<SqlUuid, _>(id);
    Ok(Cached(query).get_result::<Refused>(tx.conn()).await?.refused)
}

/// Adds one.
pub async fn insert(tx: &mut TenantTx, row: &Consent) -> Result<()> {
    insert_into(consent::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// One of them. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: ConsentId) -> Result<Consent> {
    let query = consent::table.filter(consent::id.eq(id)).select(Consent::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Consent))
}

/// The same, locked until the transaction ends. Errors: `NotFound`.
pub async fn find_for_update(tx: &mut TenantTx, id: ConsentId) -> Result<Consent> {
    let query = consent::table.filter(consent::id.eq(id)).select(Consent::as_select()).for_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Consent))
}

/// Ends one.
pub async fn revoke(tx: &mut TenantTx, id: ConsentId, revoker: &str, now: DateTime<Utc>) -> Result<()> {
    let row = consent::table.filter(consent::id.eq(id)).filter(consent::revoke_time.is_null());
    let ended = (consent::revoke_time.eq(now), consent::revoker.eq(revoker));
    update(row).set(ended).execute(tx.conn()).await?;
    Ok(())
}

/// How many of an integration live.
pub async fn count_living(tx: &mut TenantTx, id: IntegrationId) -> Result<i64> {
    let living = consent::table.filter(consent::integration_id.eq(id)).filter(consent::revoke_time.is_null());
    Ok(living.count().get_result(tx.conn()).await?)
}

/// A page, newest first.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<ConsentId>,
) -> Result<Paged<Consent, ConsentId>> {
    let mut query = consent::table
        .order(consent::id.desc())
        .limit(page.limit())
        .select(Consent::as_select())
        .into_boxed();
    if let Some(integration) = filter.integration {
        query = query.filter(consent::integration_id.eq(integration));
    }
    if let Some(patient) = filter.patient {
        query = query.filter(consent::patient_id.eq(patient));
    }
    if filter.living_only {
        query = query.filter(consent::revoke_time.is_null());
    }
    if let Some(after) = page.after {
        query = query.filter(consent::id.lt(after));
    }
    Ok(page.cut(query.load(tx.conn()).await?, |row: &Consent| row.id))
}
