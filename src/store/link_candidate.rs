//! Pairs of people who may be one.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, insert_into,
    prelude::{AsChangeset, Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Cached, TenantTx, schema::link_candidate};
use crate::{
    error::{Error, Noun, Result},
    ids::{LinkCandidateId, PatientId},
    page::{Page, Paged},
    words::CandidateState,
};

/// Two people who may be one.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = link_candidate, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct LinkCandidate {
    pub id: LinkCandidateId,
    pub patient_id: PatientId,
    pub known_patient_id: PatientId,
    pub score: i16,
    pub reasons: Vec<String>,
    pub state: CandidateState,
    /// What a merge moved, so that it can be undone.
    pub moved_links: Vec<Uuid>,
    pub moved_appointments: Vec<Uuid>,
    pub decided_by: Option<String>,
    pub create_time: DateTime<Utc>,
    pub decide_time: Option<DateTime<Utc>>,
}

/// Keeps a new pair unless these two were compared before.
pub async fn insert_if_absent(tx: &mut TenantTx, candidate: &LinkCandidate) -> Result<()> {
    insert_into(link_candidate::table).values(candidate).on_conflict_do_nothing().execute(tx.conn()).await?;
    Ok(())
}

/// Writes what was decided.
pub async fn save(tx: &mut TenantTx, candidate: &LinkCandidate) -> Result<()> {
    let statement = update(link_candidate::table.filter(link_candidate::id.eq(candidate.id))).set(candidate);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// One pair.
pub async fn find(tx: &mut TenantTx, id: LinkCandidateId) -> Result<LinkCandidate> {
    let query = link_candidate::table.filter(link_candidate::id.eq(id)).select(LinkCandidate::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::LinkCandidate))
}

/// The merge that made this person part of another.
pub async fn merge_of(tx: &mut TenantTx, merged: PatientId) -> Result<Option<LinkCandidate>> {
    let query = link_candidate::table
        .filter(link_candidate::patient_id.eq(merged))
        .filter(link_candidate::state.eq(CandidateState::Merged))
        .order(link_candidate::decide_time.desc())
        .select(LinkCandidate::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// A page of one state, newest first.
pub async fn list(
    tx: &mut TenantTx,
    state: CandidateState,
    page: &Page<LinkCandidateId>,
) -> Result<Paged<LinkCandidate, LinkCandidateId>> {
    let mut query = link_candidate::table
        .filter(link_candidate::state.eq(state))
        .order(link_candidate::id.desc())
        .limit(page.limit())
        .select(LinkCandidate::as_select())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(link_candidate::id.lt(after));
    }
    let rows = query.load(tx.conn()).await?;
    Ok(page.cut(rows, |row: &LinkCandidate| row.id))
}
