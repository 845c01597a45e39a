//! Pairs of people who may be one.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, PgArrayExpressionMethods, QueryDsl, Selectable, SelectableHelper,
    insert_into,
    prelude::{AsChangeset, Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Cached, TenantTx, schema::link_candidate};
use crate::{
    error::{Error, Noun, Result},
    ids::{LinkCandidateId, PatientId, PatientLinkId},
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
    /// Who was merged, while it lasts: the newer person, or whom that one had been merged into before.
    pub merged_patient_id: Option<PatientId>,
    /// What the person was who was kept; `domain::patient` reads it.
    pub known_before: Option<serde_json::Value>,
}

impl LinkCandidate {
    /// An open pair, alike by nothing yet; who was here first is the known one.
    pub fn new(one: PatientId, other: PatientId) -> Self {
        Self {
            id: LinkCandidateId::new(),
            patient_id: one.max(other),
            known_patient_id: one.min(other),
            score: 0,
            reasons: Vec::new(),
            state: CandidateState::Open,
            moved_links: Vec::new(),
            moved_appointments: Vec::new(),
            decided_by: None,
            create_time: Utc::now(),
            decide_time: None,
            merged_patient_id: None,
            known_before: None,
        }
    }
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
        .filter(link_candidate::merged_patient_id.eq(merged))
        .filter(link_candidate::state.eq(CandidateState::Merged))
        .select(LinkCandidate::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// The merges that moved this record and were not undone, oldest first.
pub async fn merges_that_moved(tx: &mut TenantTx, link: PatientLinkId) -> Result<Vec<LinkCandidate>> {
    let query = link_candidate::table
        .filter(link_candidate::state.eq(CandidateState::Merged))
        .filter(link_candidate::moved_links.contains(vec![link.0]))
        .order((link_candidate::decide_time, link_candidate::id))
        .select(LinkCandidate::as_select());
    Ok(query.load(tx.conn()).await?)
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
