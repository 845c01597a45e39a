//! Fields of phases that both sides had changed, and which of them prevailed.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, Selectable, SelectableHelper,
    insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::phase::Phase;
use crate::{
    error::{Error, Noun, Result},
    ids::{PhaseConflictId, PhaseId},
    page::{Page, Paged},
    store::{
        Cached, TenantTx,
        schema::{phase, phase_conflict},
    },
    words::{ConflictReason, PhaseField, Side},
};

/// A field that both sides had changed. Values are texts: a date, hours, an area; none is no value.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = phase_conflict, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PhaseConflict {
    pub id: PhaseConflictId,
    pub phase_id: PhaseId,
    pub field: PhaseField,
    /// What both sides had agreed on before.
    pub base_value: Option<String>,
    pub our_value: Option<String>,
    pub our_time: DateTime<Utc>,
    pub their_value: Option<String>,
    pub their_time: DateTime<Utc>,
    pub winner: Side,
    pub reason: ConflictReason,
    pub create_time: DateTime<Utc>,
    /// When a person let the other side prevail; present iff `reverted_by` is.
    pub revert_time: Option<DateTime<Utc>>,
    pub reverted_by: Option<String>,
}

/// Writes conflicts down.
pub async fn insert(tx: &mut TenantTx, rows: &[PhaseConflict]) -> Result<()> {
    insert_into(phase_conflict::table).values(rows).execute(tx.conn()).await?;
    Ok(())
}

/// One conflict. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: PhaseConflictId) -> Result<PhaseConflict> {
    let query = phase_conflict::table.filter(phase_conflict::id.eq(id)).select(PhaseConflict::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::PhaseConflict))
}

/// Writes a conflict as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &PhaseConflict) -> Result<()> {
    Cached(update(phase_conflict::table.filter(phase_conflict::id.eq(row.id))).set(row))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Which conflicts a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub phase: Option<PhaseId>,
    pub unreverted_only: bool,
}

/// A page, newest first, with the phases as they stand now.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<PhaseConflictId>,
) -> Result<Paged<(PhaseConflict, Phase), PhaseConflictId>> {
    let mut query = phase_conflict::table
        .inner_join(phase::table.on(phase::id.eq(phase_conflict::phase_id)))
        .order(phase_conflict::id.desc())
        .limit(page.limit())
        .select((PhaseConflict::as_select(), Phase::as_select()))
        .into_boxed();
    if let Some(phase) = filter.phase {
        query = query.filter(phase_conflict::phase_id.eq(phase));
    }
    if filter.unreverted_only {
        query = query.filter(phase_conflict::revert_time.is_null());
    }
    if let Some(after) = page.after {
        query = query.filter(phase_conflict::id.lt(after));
    }
    Ok(page.cut(Cached(query).load(tx.conn()).await?, |(row, _): &(PhaseConflict, _)| row.id))
}

/// The conflicts of a phase that were noticed at the same moment.
pub async fn siblings(tx: &mut TenantTx, of: &PhaseConflict) -> Result<Vec<PhaseConflict>> {
    let query = phase_conflict::table
        .filter(phase_conflict::phase_id.eq(of.phase_id))
        .filter(phase_conflict::create_time.eq(of.create_time))
        .filter(phase_conflict::id.ne(of.id))
        .order(phase_conflict::id)
        .select(PhaseConflict::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}
