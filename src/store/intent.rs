//! Writes to providers, recorded before they are sent.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::intent};
use crate::{
    error::Result,
    ids::{AppointmentId, IntegrationId, IntentId},
    words::{IntentKind, IntentState},
};

/// A write to a provider.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = intent, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Intent {
    pub id: IntentId,
    pub integration_id: IntegrationId,
    pub appointment_id: AppointmentId,
    pub kind: IntentKind,
    /// The uid that is moved or cancelled.
    pub target_external_id: Option<String>,
    pub external_event_type_id: Option<String>,
    /// The begin that is to become true.
    pub start_time: Option<DateTime<Utc>>,
    /// Of the state that is to become true.
    pub fingerprint: Vec<u8>,
    pub state: IntentState,
    /// The uid that came of it.
    pub result_external_id: Option<String>,
    pub reason: Option<String>,
    pub cause: String,
    pub attempts: i32,
    pub create_time: DateTime<Utc>,
    pub send_time: Option<DateTime<Utc>>,
    pub settle_time: Option<DateTime<Utc>>,
}

/// States of a write that may still change something.
const OPEN: [IntentState; 3] = [IntentState::Recorded, IntentState::Sent, IntentState::Unknown];

/// Records a write.
pub async fn insert(tx: &mut TenantTx, row: &Intent) -> Result<()> {
    insert_into(intent::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes what became of it.
pub async fn save(tx: &mut TenantTx, row: &Intent) -> Result<()> {
    Cached(update(intent::table.filter(intent::id.eq(row.id))).set(row)).execute(tx.conn()).await?;
    Ok(())
}

/// What a write made, unless that is known: told by the provider before its answer is here, while whoever
/// sent it may be writing down something else of it.
pub async fn set_result(tx: &mut TenantTx, id: IntentId, uid: &str) -> Result<()> {
    let unknown = intent::table.filter(intent::id.eq(id)).filter(intent::result_external_id.is_null());
    Cached(update(unknown).set(intent::result_external_id.eq(uid))).execute(tx.conn()).await?;
    Ok(())
}

/// One write.
pub async fn find(tx: &mut TenantTx, id: IntentId) -> Result<Option<Intent>> {
    let query = intent::table.filter(intent::id.eq(id)).select(Intent::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// The write of an appointment that is not settled, locked until the transaction ends.
pub async fn open_for_update(tx: &mut TenantTx, appointment: AppointmentId) -> Result<Option<Intent>> {
    let query = intent::table
        .filter(intent::appointment_id.eq(appointment))
        .filter(intent::state.eq_any(OPEN))
        .select(Intent::as_select())
        .for_no_key_update();
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Those with these ids.
pub async fn find_all(tx: &mut TenantTx, ids: &[IntentId]) -> Result<Vec<Intent>> {
    let query = intent::table.filter(intent::id.eq_any(ids)).select(Intent::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// The writes of these appointments that are not settled.
/// Only for admins, services and the server's own transactions.
pub async fn open_of(tx: &mut TenantTx, appointments: &[AppointmentId]) -> Result<Vec<Intent>> {
    let query = intent::table
        .filter(intent::appointment_id.eq_any(appointments))
        .filter(intent::state.eq_any(OPEN))
        .select(Intent::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// Writes of an appointment, newest first, at most `limit`.
pub async fn of_appointment(
    tx: &mut TenantTx,
    appointment: AppointmentId,
    limit: i64,
) -> Result<Vec<Intent>> {
    let query = intent::table
        .filter(intent::appointment_id.eq(appointment))
        .order(intent::id.desc())
        .limit(limit)
        .select(Intent::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// The newest write of this kind that was about this uid, settled or not.
pub async fn of_target(
    tx: &mut TenantTx,
    integration: IntegrationId,
    kind: IntentKind,
    target_external_id: &str,
) -> Result<Option<Intent>> {
    let query = intent::table
        .filter(intent::integration_id.eq(integration))
        .filter(intent::target_external_id.eq(target_external_id))
        .filter(intent::kind.eq(kind))
        .order(intent::id.desc())
        .select(Intent::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Creations of a slot that may have become a booking whose uid is not known yet, oldest first.
pub async fn open_creations(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_event_type_id: &str,
    start_time: DateTime<Utc>,
) -> Result<Vec<Intent>> {
    let query = intent::table
        .filter(intent::integration_id.eq(integration))
        .filter(intent::external_event_type_id.eq(external_event_type_id))
        .filter(intent::start_time.eq(start_time))
        .filter(intent::kind.eq(IntentKind::Create))
        .filter(intent::state.eq_any(OPEN))
        .order(intent::id)
        .select(Intent::as_select());
    Ok(query.load(tx.conn()).await?)
}
