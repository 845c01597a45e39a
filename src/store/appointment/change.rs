//! What happened to appointments; append-only.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
};
use diesel_async::RunQueryDsl;

use super::Appointment;
use crate::{
    error::Result,
    ids::{AppointmentChangeId, AppointmentId, IntentId, PractitionerId},
    page::{Page, Paged},
    store::{TenantTx, schema::appointment_change},
    words::{AppointmentStatus, ChangeKind, Origin, ProviderSync},
};

/// One change of an appointment, and how it stood after it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = appointment_change, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_default_value = false)]
pub struct Change {
    pub id: AppointmentChangeId,
    pub appointment_id: AppointmentId,
    pub kind: ChangeKind,
    pub origin: Origin,
    /// A subject, `webhook_event/{id}` or `system`.
    pub cause: String,
    pub status: AppointmentStatus,
    pub start_time: DateTime<Utc>,
    pub end_time: DateTime<Utc>,
    pub practitioner_id: Option<PractitionerId>,
    pub change_time: DateTime<Utc>,
    /// Whether the provider had it then.
    pub provider_sync: ProviderSync,
    /// The write to the provider that this is the outcome, or the echo, of.
    pub intent_id: Option<IntentId>,
    /// A code that says why, where there is more to say.
    pub reason: Option<String>,
}

impl Change {
    /// What just happened to `after`, which is how it stands now.
    pub fn of(
        after: &Appointment,
        kind: ChangeKind,
        origin: Origin,
        cause: &str,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id: AppointmentChangeId::new(),
            appointment_id: after.id,
            kind,
            origin,
            cause: cause.into(),
            status: after.status,
            start_time: after.start_time,
            end_time: after.end_time,
            practitioner_id: after.practitioner_id,
            change_time: now,
            provider_sync: after.sync.provider_sync,
            intent_id: None,
            reason: None,
        }
    }
}

/// Writes down a change.
pub async fn insert_change(tx: &mut TenantTx, change: &Change) -> Result<()> {
    tx.tell();
    insert_into(appointment_change::table).values(change).execute(tx.conn()).await?;
    Ok(())
}

/// The last change, up to this instant, that was made here and not taken over from a provider.
pub async fn last_local_change(
    tx: &mut TenantTx,
    appointment: AppointmentId,
    until: DateTime<Utc>,
) -> Result<Option<Change>> {
    let query = appointment_change::table
        .filter(appointment_change::appointment_id.eq(appointment))
        .filter(appointment_change::origin.ne(Origin::Calcom))
        .filter(appointment_change::kind.ne(ChangeKind::Sync))
        .filter(appointment_change::change_time.le(until))
        .order(appointment_change::id.desc())
        .select(Change::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// What happened to an appointment, oldest first.
pub async fn changes(
    tx: &mut TenantTx,
    appointment: AppointmentId,
    page: &Page<AppointmentChangeId>,
) -> Result<Paged<Change, AppointmentChangeId>> {
    let mut query = appointment_change::table
        .filter(appointment_change::appointment_id.eq(appointment))
        .order(appointment_change::id)
        .limit(page.limit())
        .select(Change::as_select())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(appointment_change::id.gt(after));
    }
    Ok(page.cut(query.load(tx.conn()).await?, |row: &Change| row.id))
}

/// Writes down several changes at once, as many as a statement can bind.
pub(super) async fn insert_changes(tx: &mut TenantTx, changes: Vec<Change>) -> Result<()> {
    for some in changes.chunks(1000) {
        tx.tell();
        insert_into(appointment_change::table).values(some).execute(tx.conn()).await?;
    }
    Ok(())
}
