//! What happened to phases; append-only.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, Selectable, SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
};
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;

use super::phase::Phase;
use crate::{
    error::Result,
    ids::{PhaseChangeId, PhaseId},
    page::{Page, Paged},
    store::{Cached, TenantTx, schema::phase_change},
    words::{Area, Origin, PhaseChangeKind, Presence, ProviderSync},
};

/// One change of a phase, and how it stood after it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = phase_change, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_default_value = false)]
pub struct PhaseChange {
    pub id: PhaseChangeId,
    pub phase_id: PhaseId,
    pub kind: PhaseChangeKind,
    pub origin: Origin,
    /// A subject, `webhook_event/{id}`, `sync_log/{id}`, `phase_conflict/{id}` or `system`.
    pub cause: String,
    pub start_date: Option<NaiveDate>,
    pub due_date: Option<NaiveDate>,
    pub planned_hours: Option<Decimal>,
    pub area: Option<Area>,
    pub presence: Presence,
    /// Whether the provider had it then.
    pub provider_sync: ProviderSync,
    /// A code that says why, where there is more to say.
    pub reason: Option<String>,
    pub change_time: DateTime<Utc>,
}

impl PhaseChange {
    /// What just happened to `after`, which is how it stands now.
    pub fn of(after: &Phase, kind: PhaseChangeKind, origin: Origin, cause: &str, now: DateTime<Utc>) -> Self {
        Self {
            id: PhaseChangeId::new(),
            phase_id: after.id,
            kind,
            origin,
            cause: cause.into(),
            start_date: after.fields.start_date,
            due_date: after.fields.due_date,
            planned_hours: after.fields.planned_hours,
            area: after.fields.area,
            presence: after.presence,
            provider_sync: after.sync.provider_sync,
            reason: after.sync.provider_sync_reason.clone(),
            change_time: now,
        }
    }
}

/// Writes down changes, as many as a statement can bind at a time.
pub async fn insert(tx: &mut TenantTx, changes: &[PhaseChange]) -> Result<()> {
    for some in changes.chunks(1000) {
        insert_into(phase_change::table).values(some).execute(tx.conn()).await?;
    }
    Ok(())
}

/// What happened to a phase, oldest first.
pub async fn list(
    tx: &mut TenantTx,
    phase: PhaseId,
    page: &Page<PhaseChangeId>,
) -> Result<Paged<PhaseChange, PhaseChangeId>> {
    let mut query = phase_change::table
        .filter(phase_change::phase_id.eq(phase))
        .order(phase_change::id)
        .limit(page.limit())
        .select(PhaseChange::as_select())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(phase_change::id.gt(after));
    }
    Ok(page.cut(Cached(query).load(tx.conn()).await?, |row: &PhaseChange| row.id))
}
