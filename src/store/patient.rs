//! The people of a practice.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    BoolExpressionMethods, CombineDsl, ExpressionMethods, NullableExpressionMethods, OptionalExtension,
    QueryDsl, QueryResult, Selectable, SelectableHelper, delete,
    dsl::exists,
    insert_into,
    prelude::Queryable,
    select, sql_query,
    sql_types::{Array, Nullable, Text, Uuid as SqlUuid},
    update,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::future::try_join;
use serde::{Deserialize, Serialize};

use super::{
    Cached, TenantTx,
    patient_link::{self, PatientLink},
    schema::{link_candidate, patient, patient_tombstone},
};
use crate::{
    error::{Error, Noun, Result},
    fold,
    ids::{LinkCandidateId, PatientId, PractitionerId},
    page::{Page, Paged},
    words::{CandidateState, Origin},
};

/// Rows that share an address or a number and are weighed against a new person, at most: a switchboard's is
/// shared by many.
const WEIGHED: i64 = 50;
/// The same for a birth date: lists write one and the same for everybody of whom they know none.
const WEIGHED_OF_DATE: i64 = 500;
/// Letters of a folded name that are kept, as many as a name may have: some fold to eighteen each, and index
/// rows and page tokens have their limits.
const FOLDED_NAME_CHARS: usize = 200;

/// A person who is treated here.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = patient, check_for_backend(diesel::pg::Pg))]
pub struct Patient {
    pub id: PatientId,
    pub first_name: String,
    pub last_name: String,
    pub email: Option<String>,
    pub booking_email: Option<String>,
    pub phone: Option<String>,
    pub birth_date: Option<NaiveDate>,
    pub practitioner_id: Option<PractitionerId>,
    pub origin: Origin,
    pub merged_into_id: Option<PatientId>,
    pub phone_folded: Option<String>,
    pub create_time: DateTime<Utc>,
    pub update_time: DateTime<Utc>,
}

/// Where a page of people ended: folded last name, folded first name, id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cursor(String, String, PatientId);

/// Which people a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub last_name_prefix: Option<String>,
    pub email: Option<String>,
    pub practitioner: Option<PractitionerId>,
}

/// Adds a person. `phone_region` reads numbers without a country code.
pub async fn insert(tx: &mut TenantTx, new: &Patient, phone_region: &str) -> Result<()> {
    insert_into(patient::table)
        .values((
            (
                patient::id.eq(new.id),
                patient::first_name.eq(&new.first_name),
                patient::last_name.eq(&new.last_name),
                patient::email.eq(new.email.as_deref()),
                patient::booking_email.eq(new.booking_email.as_deref()),
                patient::phone.eq(new.phone.as_deref()),
                patient::birth_date.eq(new.birth_date),
                patient::practitioner_id.eq(new.practitioner_id),
                patient::origin.eq(new.origin),
            ),
            folded(new, phone_region),
        ))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Writes a person's data as they stand in `changed`.
pub async fn update_data(tx: &mut TenantTx, changed: &Patient, phone_region: &str) -> Result<()> {
    let statement = update(patient::table.filter(patient::id.eq(changed.id))).set((
        (
            patient::first_name.eq(&changed.first_name),
            patient::last_name.eq(&changed.last_name),
            patient::email.eq(changed.email.as_deref()),
            patient::booking_email.eq(changed.booking_email.as_deref()),
            patient::phone.eq(changed.phone.as_deref()),
            patient::birth_date.eq(changed.birth_date),
            patient::practitioner_id.eq(changed.practitioner_id),
            patient::merged_into_id.eq(changed.merged_into_id),
            patient::update_time.eq(Utc::now()),
        ),
        folded(changed, phone_region),
    ));
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

type Folded = (
    diesel::dsl::Eq<patient::first_name_folded, String>,
    diesel::dsl::Eq<patient::last_name_folded, String>,
    diesel::dsl::Eq<patient::email_folded, Option<String>>,
    diesel::dsl::Eq<patient::booking_email_folded, Option<String>>,
    diesel::dsl::Eq<patient::phone_folded, Option<String>>,
);

/// What people are compared by; made here and nowhere else,
/// so that it never parts from the data it is made of.
fn folded(of: &Patient, phone_region: &str) -> Folded {
    (
        patient::first_name_folded.eq(folded_name(&of.first_name)),
        patient::last_name_folded.eq(folded_name(&of.last_name)),
        patient::email_folded.eq(of.email.as_deref().and_then(fold::email)),
        patient::booking_email_folded.eq(of.booking_email.as_deref().and_then(fold::email)),
        patient::phone_folded.eq(of.phone.as_deref().and_then(|phone| fold::phone(phone, phone_region))),
    )
}

/// A name, or the beginning of one, as lists are ordered and searched by it.
pub fn folded_name(name: &str) -> String {
    fold::name(name).chars().take(FOLDED_NAME_CHARS).collect()
}

/// One person.
pub async fn find(tx: &mut TenantTx, id: PatientId) -> Result<Patient> {
    let query = patient::table.filter(patient::id.eq(id)).select(Patient::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Patient))
}

/// One person, locked until the transaction ends; others may refer to them meanwhile.
pub async fn find_for_update(tx: &mut TenantTx, id: PatientId) -> Result<Patient> {
    let query = patient::table.filter(patient::id.eq(id)).select(Patient::as_select()).for_no_key_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Patient))
}

/// One person who is about to be merged or deleted, locked until the transaction ends: whoever refers to them
/// anew waits for that end, and who just did is waited for. To be had behind the locks of practitioners,
/// which who books has when their appointment refers to its patient.
pub async fn find_exclusively(tx: &mut TenantTx, id: PatientId) -> Result<Patient> {
    let query = patient::table.filter(patient::id.eq(id)).select(Patient::as_select()).for_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Patient))
}

/// The person that `id` stands for today: itself, or whom it was merged into.
pub async fn survivor(tx: &mut TenantTx, id: PatientId) -> Result<PatientId> {
    let mut at = id;
    // Merges of merges make short chains; a bound keeps a broken one from turning into a loop.
    for _ in 0..16 {
        let query = patient::table.filter(patient::id.eq(at)).select(patient::merged_into_id);
        let next: Option<Option<PatientId>> = query.first(tx.conn()).await.optional()?;
        match next.ok_or(Error::NotFound(Noun::Patient))? {
            Some(survivor) => at = survivor,
            None => return Ok(at),
        }
    }
    Err(Error::internal("merged patients form a loop"))
}

/// Several people, in no order.
pub async fn find_all(tx: &mut TenantTx, ids: &[PatientId]) -> Result<Vec<Patient>> {
    let query = patient::table.filter(patient::id.eq_any(ids)).select(Patient::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// A page by name. Merged people are left out.
pub async fn list(tx: &mut TenantTx, filter: &Filter, page: &Page<Cursor>) -> Result<Paged<Patient, Cursor>> {
    let mut query = patient::table
        .filter(patient::merged_into_id.is_null())
        .order((patient::last_name_folded, patient::first_name_folded, patient::id))
        .limit(page.limit())
        .select((Patient::as_select(), patient::last_name_folded, patient::first_name_folded))
        .into_boxed();
    if let Some(prefix) = &filter.last_name_prefix {
        // The column is collated "C": the last code point ends every run of one prefix.
        query = query
            .filter(patient::last_name_folded.ge(prefix.clone()))
            .filter(patient::last_name_folded.lt(format!("{prefix}\u{10FFFF}")));
    }
    if let Some(email) = &filter.email {
        query = query.filter(
            patient::email_folded.eq(email.clone()).or(patient::booking_email_folded.eq(email.clone())),
        );
    }
    if let Some(practitioner) = filter.practitioner {
        query = query.filter(patient::practitioner_id.eq(practitioner));
    }
    if let Some(Cursor(last, first, id)) = &page.after {
        query = query.filter(
            patient::last_name_folded.ge(last.clone()).and(
                patient::last_name_folded.gt(last.clone()).or(patient::first_name_folded
                    .gt(first.clone())
                    .or(patient::first_name_folded.eq(first.clone()).and(patient::id.gt(*id)))),
            ),
        );
    }
    let rows: Vec<(Patient, String, String)> = query.load(tx.conn()).await?;
    let paged = page.cut(rows, |(row, last, first)| Cursor(last.clone(), first.clone(), row.id));
    Ok(Paged { rows: paged.rows.into_iter().map(|(row, _, _)| row).collect(), next: paged.next })
}

/// Everybody with this e-mail address (folded), either one, oldest first; those who were merged into others
/// last: who they were is still how they are known.
pub async fn with_email(tx: &mut TenantTx, email: &str) -> Result<Vec<Patient>> {
    let query = patient::table
        .filter(patient::email_folded.eq(email).or(patient::booking_email_folded.eq(email)))
        .order((patient::merged_into_id.is_not_null(), patient::id))
        .limit(WEIGHED)
        .select(Patient::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// Everybody with this birth date or this phone number (folded): who may be a twin. Of more than can be weighed
/// those are left out who share neither the first name nor the last, the youngest first.
pub async fn with_birth_date_or_phone(
    tx: &mut TenantTx,
    birth_date: Option<NaiveDate>,
    phone: Option<&str>,
    (first_name, last_name): (&str, &str),
) -> Result<Vec<Patient>> {
    let names = (folded_name(first_name), folded_name(last_name));
    let by_name =
        (patient::last_name_folded.ne(&names.1), patient::first_name_folded.ne(&names.0), patient::id);
    let of_birth_date = patient::table
        .filter(patient::merged_into_id.is_null())
        .filter(patient::birth_date.eq(birth_date))
        .order(by_name)
        .limit(WEIGHED_OF_DATE)
        .select(Patient::as_select());
    let of_phone = patient::table
        .filter(patient::merged_into_id.is_null())
        .filter(patient::phone_folded.eq(phone))
        .order(by_name)
        .limit(WEIGHED)
        .select(Patient::as_select());
    let mut found: Vec<Patient> = Vec::new();
    if birth_date.is_some() {
        found = of_birth_date.load(tx.conn()).await?;
    }
    if phone.is_some() {
        let known: HashSet<PatientId> = found.iter().map(|row| row.id).collect();
        let more: Vec<Patient> = of_phone.load(tx.conn()).await?;
        found.extend(more.into_iter().filter(|row| !known.contains(&row.id)));
    }
    Ok(found)
}

/// The phone numbers behind somebody, with their keys, by id.
pub async fn phones(
    tx: &mut TenantTx,
    after: Option<PatientId>,
    limit: i64,
) -> Result<Vec<(PatientId, String, Option<String>)>> {
    let mut query = patient::table
        .filter(patient::phone.is_not_null())
        .order(patient::id)
        .limit(limit)
        .select((patient::id, patient::phone.assume_not_null(), patient::phone_folded))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(patient::id.gt(after));
    }
    Ok(query.load(tx.conn()).await?)
}

/// Writes other keys of these people's numbers; nothing of the people themselves changes.
pub async fn update_phone_keys(tx: &mut TenantTx, ids: &[PatientId], keys: &[Option<String>]) -> Result<()> {
    sql_query(
        "UPDATE patient SET phone_folded = anew.key FROM unnest($1, $2) AS anew (id, key) \
         WHERE patient.tenant_id = $3 AND patient.id = anew.id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Array<Nullable<Text>>, _>(keys)
    .bind::<SqlUuid, _>(tx.tenant())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What screens show beside people, in one flight: their records at the tools, oldest link first, and who of
/// them has an open link candidate.
pub async fn beside(tx: &mut TenantTx, ids: &[PatientId]) -> Result<(Vec<PatientLink>, Vec<PatientId>)> {
    let conn = tx.conn().shared().await?;
    Ok(try_join(patient_link::links_of(conn, ids), possible_twins(conn, ids)).await?)
}

async fn possible_twins(mut conn: &AsyncPgConnection, ids: &[PatientId]) -> QueryResult<Vec<PatientId>> {
    let open = || link_candidate::table.filter(link_candidate::state.eq(CandidateState::Open));
    let (newer, known) = (link_candidate::patient_id, link_candidate::known_patient_id);
    if let [one] = ids {
        let pair = open().filter(newer.eq(one).or(known.eq(one))).select(link_candidate::id).limit(1);
        let found: Option<LinkCandidateId> = pair.first(&mut conn).await.optional()?;
        return Ok(found.map(|_| *one).into_iter().collect());
    }
    let as_newer = open().filter(newer.eq_any(ids)).select(newer);
    let as_known = open().filter(known.eq_any(ids)).select(known);
    as_newer.union_all(as_known).load(&mut conn).await
}

/// Removes the person's row; what points at it must be gone.
pub async fn remove(tx: &mut TenantTx, id: PatientId) -> Result<()> {
    let gone = delete(patient::table.filter(patient::id.eq(id))).execute(tx.conn()).await?;
    if gone == 1 { Ok(()) } else { Err(Error::NotFound(Noun::Patient)) }
}

/// Everybody who was merged into this person, directly.
pub async fn merged_into(tx: &mut TenantTx, id: PatientId) -> Result<Vec<PatientId>> {
    Ok(patient::table.filter(patient::merged_into_id.eq(id)).select(patient::id).load(tx.conn()).await?)
}

/// Remembers a deleted person's record at its tool, as a keyed hash.
pub async fn insert_tombstone(tx: &mut TenantTx, fingerprint: &[u8]) -> Result<()> {
    let row = patient_tombstone::fingerprint.eq(fingerprint);
    insert_into(patient_tombstone::table).values(row).on_conflict_do_nothing().execute(tx.conn()).await?;
    Ok(())
}

/// Whether that record's person was deleted here.
pub async fn has_tombstone(tx: &mut TenantTx, fingerprint: &[u8]) -> Result<bool> {
    let found = patient_tombstone::table.filter(patient_tombstone::fingerprint.eq(fingerprint));
    Ok(select(exists(found)).get_result(tx.conn()).await?)
}

/// When that record's person was deleted here.
pub async fn tombstone_time(tx: &mut TenantTx, fingerprint: &[u8]) -> Result<Option<DateTime<Utc>>> {
    let query = patient_tombstone::table
        .filter(patient_tombstone::fingerprint.eq(fingerprint))
        .select(patient_tombstone::create_time);
    Ok(query.first(tx.conn()).await.optional()?)
}
