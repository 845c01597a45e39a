//! Writes of phases to a planning tool, recorded before they are sent.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    AsChangeset, BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, Selectable,
    SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;

use super::{field::Value, phase::PhaseFields};
use crate::{
    error::Result,
    ids::{IntegrationId, PhaseId, PhaseIntentId},
    store::{Cached, TenantTx, schema::phase_intent},
    words::{Area, IntentState, PhaseField},
};

/// A write of a phase to a planning tool: the fields it writes, with the values that are to become true.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = phase_intent, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PhaseIntent {
    pub id: PhaseIntentId,
    pub integration_id: IntegrationId,
    pub phase_id: PhaseId,
    /// The two go together.
    pub writes_dates: bool,
    pub start_date: Option<NaiveDate>,
    pub due_date: Option<NaiveDate>,
    pub writes_hours: bool,
    pub planned_hours: Option<Decimal>,
    pub writes_area: bool,
    pub area: Option<Area>,
    pub state: IntentState,
    pub reason: Option<String>,
    pub cause: String,
    pub create_time: DateTime<Utc>,
    pub send_time: DateTime<Utc>,
    pub settle_time: Option<DateTime<Utc>>,
}

/// States of a write that may still change something.
const OPEN: [IntentState; 3] = [IntentState::Recorded, IntentState::Sent, IntentState::Unknown];

impl PhaseIntent {
    /// What it writes into a field; none if it leaves the field alone.
    pub fn written(&self, field: PhaseField) -> Option<Value> {
        match field {
            PhaseField::StartDate => self.writes_dates.then_some(Value::Date(self.start_date)),
            PhaseField::DueDate => self.writes_dates.then_some(Value::Date(self.due_date)),
            PhaseField::PlannedHours => self.writes_hours.then_some(Value::Hours(self.planned_hours)),
            PhaseField::Area => self.writes_area.then_some(Value::Area(self.area)),
        }
    }

    /// Whether these fields have everything that it writes.
    pub fn is_in(&self, fields: &PhaseFields) -> bool {
        let has = |field: &PhaseField| self.written(*field).is_none_or(|value| value == fields.get(*field));
        PhaseField::ALL.iter().all(has)
    }

    /// Whether it may still change something.
    pub fn is_open(&self) -> bool {
        OPEN.contains(&self.state)
    }
}

/// Records a write.
pub async fn insert(tx: &mut TenantTx, row: &PhaseIntent) -> Result<()> {
    insert_into(phase_intent::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes what became of it.
pub async fn save(tx: &mut TenantTx, row: &PhaseIntent) -> Result<()> {
    let statement = update(phase_intent::table.filter(phase_intent::id.eq(row.id))).set(row);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// The write of a phase that is not settled.
pub async fn open_of(tx: &mut TenantTx, phase: PhaseId) -> Result<Option<PhaseIntent>> {
    let query = phase_intent::table
        .filter(phase_intent::phase_id.eq(phase))
        .filter(phase_intent::state.eq_any(OPEN))
        .select(PhaseIntent::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Writes of a phase that may reach the tool unnoticed: those not settled, and those sent after `since` of
/// which nobody learned whether they arrived before a later one took their place. Newest first.
pub async fn unsure_of(tx: &mut TenantTx, phase: PhaseId, since: DateTime<Utc>) -> Result<Vec<PhaseIntent>> {
    let is_late = phase_intent::state.eq(IntentState::Superseded).and(phase_intent::send_time.gt(since));
    let query = phase_intent::table
        .filter(phase_intent::phase_id.eq(phase))
        .filter(phase_intent::state.eq_any(OPEN).or(is_late))
        .order(phase_intent::id.desc())
        .select(PhaseIntent::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}

/// The writes of a phase, oldest first.
pub async fn all_of(tx: &mut TenantTx, phase: PhaseId) -> Result<Vec<PhaseIntent>> {
    let query = phase_intent::table
        .filter(phase_intent::phase_id.eq(phase))
        .order(phase_intent::id)
        .select(PhaseIntent::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}
