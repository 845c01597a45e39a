//! A booking tool's records of appointments: what was last applied, and which appointment they are.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl,
    Selectable, SelectableHelper, delete,
    dsl::{exists, select},
    insert_into,
    prelude::{AsChangeset, Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::{
    Cached, TenantTx,
    schema::{appointment, appointment_link},
};
use crate::{
    error::{Error, Result},
    ids::{AppointmentId, AppointmentLinkId, IntegrationId, PatientId},
    words::AppointmentStatus,
};

/// A booking tool's record of an appointment.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = appointment_link, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct AppointmentLink {
    pub id: AppointmentLinkId,
    pub integration_id: IntegrationId,
    pub external_id: String,
    pub appointment_id: Option<AppointmentId>,
    pub external_patient_id: Option<String>,
    pub start_time: Option<DateTime<Utc>>,
    pub duration_minutes: Option<i32>,
    pub time_zone: Option<String>,
    pub therapist_name: Option<String>,
    pub service_name: Option<String>,
    /// What the tool last said; absent while only a cancellation has arrived.
    pub status: Option<AppointmentStatus>,
    /// When the state was true at the tool.
    pub state_time: Option<DateTime<Utc>>,
    /// Breaks ties of `state_time`: a creation is older than an update.
    pub state_rank: i16,
    pub state_fingerprint: Option<Vec<u8>>,
    /// When the tool cancelled it; a younger state takes that back.
    pub cancel_time: Option<DateTime<Utc>>,
    pub cancel_fingerprint: Option<Vec<u8>>,
    pub cancel_reason: Option<String>,
    /// Since when an appointment that was somebody's waits for the patient it was given to.
    pub wait_time: Option<DateTime<Utc>>,
}

impl AppointmentLink {
    fn new(integration_id: IntegrationId, external_id: &str) -> Self {
        Self {
            id: AppointmentLinkId::new(),
            integration_id,
            external_id: external_id.into(),
            appointment_id: None,
            external_patient_id: None,
            start_time: None,
            duration_minutes: None,
            time_zone: None,
            therapist_name: None,
            service_name: None,
            status: None,
            state_time: None,
            state_rank: 0,
            state_fingerprint: None,
            cancel_time: None,
            cancel_fingerprint: None,
            cancel_reason: None,
            wait_time: None,
        }
    }
}

/// The record with the tool's id, locked; made when nobody has spoken of it yet. A racing twin waits here.
pub async fn find_or_insert(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<AppointmentLink> {
    if let Some(known) = find_for_update(tx, integration, external_id).await? {
        return Ok(known);
    }
    let fresh = AppointmentLink::new(integration, external_id);
    insert_into(appointment_link::table).values(&fresh).on_conflict_do_nothing().execute(tx.conn()).await?;
    let found = find_for_update(tx, integration, external_id).await?;
    found.ok_or_else(|| Error::internal("an appointment link was not kept"))
}

/// The record with the tool's id, locked.
pub async fn find_for_update(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<AppointmentLink>> {
    let query = appointment_link::table
        .filter(appointment_link::integration_id.eq(integration))
        .filter(appointment_link::external_id.eq(external_id))
        .select(AppointmentLink::as_select())
        .for_update();
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Keeps what the tool said.
pub async fn save(tx: &mut TenantTx, link: &AppointmentLink) -> Result<()> {
    let statement = update(appointment_link::table.filter(appointment_link::id.eq(link.id))).set(link);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Records that wait for this person of the tool's, by the time they begin; locked.
pub async fn waiting_for(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_patient_id: &str,
) -> Result<Vec<AppointmentLink>> {
    let query = appointment_link::table
        .filter(appointment_link::appointment_id.is_null().or(appointment_link::wait_time.is_not_null()))
        .filter(appointment_link::integration_id.eq(integration))
        .filter(appointment_link::external_patient_id.eq(external_patient_id))
        .order((appointment_link::start_time, appointment_link::id))
        .select(AppointmentLink::as_select())
        .for_update();
    Ok(query.load(tx.conn()).await?)
}

/// Appointments that wait for this person of the tool's, and were somebody else's.
pub async fn given_to(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_patient_id: &str,
) -> Result<Vec<AppointmentId>> {
    let query = appointment_link::table
        .filter(appointment_link::wait_time.is_not_null())
        .filter(appointment_link::integration_id.eq(integration))
        .filter(appointment_link::external_patient_id.eq(external_patient_id))
        .select(appointment_link::appointment_id.assume_not_null());
    Ok(query.load(tx.conn()).await?)
}

/// Whether a booking to come waits for any person of the tool's.
pub async fn is_any_waiting(
    tx: &mut TenantTx,
    integration: IntegrationId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let waiting = appointment_link::table
        .filter(appointment_link::appointment_id.is_null().or(appointment_link::wait_time.is_not_null()))
        .filter(appointment_link::integration_id.eq(integration))
        .filter(appointment_link::status.eq(AppointmentStatus::Booked))
        .filter(appointment_link::start_time.gt(now));
    Ok(select(exists(waiting)).get_result(tx.conn()).await?)
}

/// The tools' own ids of these people's appointments, whose records are locked: what is said of them right now
/// is waited for.
pub async fn external_ids_of(
    tx: &mut TenantTx,
    patients: &[PatientId],
) -> Result<Vec<(IntegrationId, String)>> {
    let theirs = appointment::table
        .filter(appointment::patient_id.eq_any(patients))
        .select(appointment::id.nullable());
    let query = appointment_link::table
        .filter(appointment_link::appointment_id.eq_any(theirs))
        .order(appointment_link::id)
        .select((appointment_link::integration_id, appointment_link::external_id))
        .for_update();
    Ok(query.load(tx.conn()).await?)
}

/// Forgets what waits for this person of the tool's; returns the tool's ids of it.
pub async fn remove_waiting(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_patient_id: &str,
) -> Result<Vec<String>> {
    let waiting = appointment_link::table
        .filter(appointment_link::appointment_id.is_null())
        .filter(appointment_link::integration_id.eq(integration))
        .filter(appointment_link::external_patient_id.eq(external_patient_id));
    Ok(delete(waiting).returning(appointment_link::external_id).get_results(tx.conn()).await?)
}

/// The appointments that came for this person of the tool's.
pub async fn appointments_of(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_patient_id: &str,
) -> Result<Vec<AppointmentId>> {
    let query = appointment_link::table
        .filter(appointment_link::integration_id.eq(integration))
        .filter(appointment_link::external_patient_id.eq(external_patient_id))
        .select(appointment_link::appointment_id);
    let found: Vec<Option<AppointmentId>> = query.load(tx.conn()).await?;
    Ok(found.into_iter().flatten().collect())
}
