//! A booking tool's records of people: what was last applied, and whom they stand for.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Selectable, SelectableHelper, delete,
    insert_into,
    prelude::{AsChangeset, Insertable, Queryable},
    update,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Cached, TenantTx, schema::patient_link};
use crate::{
    error::{Error, Noun, Result},
    ids::{IntegrationId, PatientId, PatientLinkId},
    words::LinkOrigin,
};

/// A booking tool's record of a person.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = patient_link, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PatientLink {
    pub id: PatientLinkId,
    pub integration_id: IntegrationId,
    pub external_id: String,
    pub patient_id: Option<PatientId>,
    pub origin: Option<LinkOrigin>,
    pub first_name: String,
    pub last_name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub birth_date: Option<NaiveDate>,
    /// When the applied state was true at the tool.
    pub state_time: Option<DateTime<Utc>>,
    /// Breaks ties of `state_time`: a creation is older than an update.
    pub state_rank: i16,
    pub state_fingerprint: Option<Vec<u8>>,
    /// When the tool deleted the person.
    pub delete_time: Option<DateTime<Utc>>,
    pub link_time: DateTime<Utc>,
    /// Whom it stood for until the tool deleted it.
    pub former_patient_id: Option<PatientId>,
    /// What the person was whom it found by e-mail; `domain::patient` reads it.
    pub patient_before: Option<serde_json::Value>,
}

impl PatientLink {
    /// A record of which nothing is known yet.
    pub fn new(integration_id: IntegrationId, external_id: &str) -> Self {
        Self {
            id: PatientLinkId::new(),
            integration_id,
            external_id: external_id.into(),
            patient_id: None,
            origin: None,
            first_name: String::new(),
            last_name: String::new(),
            email: None,
            phone: None,
            birth_date: None,
            state_time: None,
            state_rank: 0,
            state_fingerprint: None,
            delete_time: None,
            link_time: Utc::now(),
            former_patient_id: None,
            patient_before: None,
        }
    }
}

/// The record with the tool's id.
pub async fn find(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<PatientLink>> {
    let query = patient_link::table
        .filter(patient_link::integration_id.eq(integration))
        .filter(patient_link::external_id.eq(external_id))
        .select(PatientLink::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// The record with the tool's id, if it stands for anybody: it stands for the same person until the
/// transaction ends, because whoever merges, parts or deletes people waits for that.
pub async fn find_standing(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<PatientLink>> {
    let query = patient_link::table
        .filter(patient_link::integration_id.eq(integration))
        .filter(patient_link::external_id.eq(external_id))
        .filter(patient_link::patient_id.is_not_null())
        .select(PatientLink::as_select())
        .for_share();
    Ok(query.first(tx.conn()).await.optional()?)
}

/// One record of a person, locked.
pub async fn find_for_update(tx: &mut TenantTx, id: PatientLinkId) -> Result<PatientLink> {
    let query =
        patient_link::table.filter(patient_link::id.eq(id)).select(PatientLink::as_select()).for_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::PatientLink))
}

/// Keeps a record, new or changed.
pub async fn save(tx: &mut TenantTx, link: &PatientLink) -> Result<()> {
    let statement = update(patient_link::table.filter(patient_link::id.eq(link.id))).set(link);
    if Cached(statement).execute(tx.conn()).await? == 0 {
        insert_into(patient_link::table).values(link).execute(tx.conn()).await?;
    }
    Ok(())
}

/// The records of these people, oldest link first.
pub async fn of_patients(tx: &mut TenantTx, patients: &[PatientId]) -> Result<Vec<PatientLink>> {
    Ok(links_of(tx.conn().shared().await?, patients).await?)
}

/// The same on what several statements share.
pub(in crate::store) async fn links_of(
    mut conn: &AsyncPgConnection,
    patients: &[PatientId],
) -> QueryResult<Vec<PatientLink>> {
    let query = patient_link::table.order(patient_link::id).select(PatientLink::as_select());
    // A list of one would be planned anew on every call:
    // the plan for lists of any length looks dearer to PostgreSQL.
    match patients {
        [one] => query.filter(patient_link::patient_id.eq(one)).load(&mut conn).await,
        several => query.filter(patient_link::patient_id.eq_any(several)).load(&mut conn).await,
    }
}

/// The same, locked. To be had before the people are, for `find_standing` is, too.
pub async fn lock_of_patients(tx: &mut TenantTx, patients: &[PatientId]) -> Result<Vec<PatientLink>> {
    let query = patient_link::table
        .filter(patient_link::patient_id.eq_any(patients))
        .order(patient_link::id)
        .select(PatientLink::as_select())
        .for_update();
    Ok(query.load(tx.conn()).await?)
}

/// The records that stood for these people until the tool deleted them.
pub async fn formerly_of(tx: &mut TenantTx, patients: &[PatientId]) -> Result<Vec<PatientLink>> {
    let query = patient_link::table
        .filter(patient_link::former_patient_id.eq_any(patients))
        .order(patient_link::id)
        .select(PatientLink::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// Forgets that records which are somebody else's by now once stood for these people.
pub async fn let_go(tx: &mut TenantTx, patients: &[PatientId]) -> Result<()> {
    let others = patient_link::table
        .filter(patient_link::former_patient_id.eq_any(patients))
        .filter(patient_link::patient_id.is_not_null());
    update(others).set(patient_link::former_patient_id.eq(None::<PatientId>)).execute(tx.conn()).await?;
    Ok(())
}

/// Removes the records of a person, with what the tool said of it.
pub async fn remove_of(tx: &mut TenantTx, patient: PatientId) -> Result<()> {
    delete(patient_link::table.filter(patient_link::patient_id.eq(patient))).execute(tx.conn()).await?;
    Ok(())
}
