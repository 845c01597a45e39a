//! Which practitioner or patient a signed-in subject is; `resolve` reads it for every call.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, delete, insert_into,
    prelude::Queryable,
};
use diesel_async::RunQueryDsl;

use super::{TenantTx, schema::subject_link};
use crate::{
    caller::Person,
    error::{Error, Noun, Result},
    ids::{PatientId, PractitionerId, SubjectLinkId},
    page::{Page, Paged},
};

/// A subject and the one person it is.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = subject_link, check_for_backend(diesel::pg::Pg))]
pub struct SubjectLink {
    pub id: SubjectLinkId,
    pub issuer: String,
    pub subject: String,
    pub practitioner_id: Option<PractitionerId>,
    pub patient_id: Option<PatientId>,
    pub create_time: DateTime<Utc>,
}

/// The link with this id. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: SubjectLinkId) -> Result<SubjectLink> {
    let query = subject_link::table.filter(subject_link::id.eq(id)).select(SubjectLink::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::SubjectLink))
}

/// Newest first.
pub async fn list(
    tx: &mut TenantTx,
    page: &Page<SubjectLinkId>,
) -> Result<Paged<SubjectLink, SubjectLinkId>> {
    let mut query = subject_link::table.select(SubjectLink::as_select()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(subject_link::id.lt(after));
    }
    let rows = query.order(subject_link::id.desc()).limit(page.limit()).load(tx.conn()).await?;
    Ok(page.cut(rows, |row| row.id))
}

/// Says whom a subject is. Errors: `SubjectAlreadyLinked`, `NotFound` for a person that is not there.
pub async fn insert(
    tx: &mut TenantTx,
    id: SubjectLinkId,
    issuer: &str,
    subject: &str,
    person: Person,
) -> Result<SubjectLink> {
    let (practitioner, patient) = match person {
        Person::Practitioner(id) => (Some(id), None),
        Person::Patient(id) => (None, Some(id)),
    };
    Ok(insert_into(subject_link::table)
        .values((
            subject_link::id.eq(id),
            subject_link::issuer.eq(issuer),
            subject_link::subject.eq(subject),
            subject_link::practitioner_id.eq(practitioner),
            subject_link::patient_id.eq(patient),
        ))
        .returning(SubjectLink::as_returning())
        .get_result(tx.conn())
        .await?)
}

/// Takes a link back. Errors: `NotFound`.
pub async fn remove(tx: &mut TenantTx, id: SubjectLinkId) -> Result<()> {
    let removed = delete(subject_link::table.filter(subject_link::id.eq(id))).execute(tx.conn()).await?;
    if removed == 0 { Err(Error::NotFound(Noun::SubjectLink)) } else { Ok(()) }
}
