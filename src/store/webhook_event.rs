//! Verified deliveries, append-only; the keys of their bodies; and the delivery ids already taken.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, IntoSql, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl,
    QueryableByName, Selectable, SelectableHelper, delete,
    dsl::sql,
    insert_into,
    prelude::{Insertable, Queryable},
    sql_query,
    sql_types::{Array, Binary, Bool, Nullable, Text, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{
    Cached, TenantTx,
    schema::{webhook_body_key, webhook_dedupe, webhook_event},
};
use crate::{
    error::{Error, Noun, Result},
    ids::{AppointmentId, IntegrationId, PatientId, WebhookEndpointId, WebhookEventId},
    page::{Page, Paged},
    words::{EventCause, EventStatus},
};

/// A verified delivery, or the repetition of one.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_event, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_default_value = false)]
pub struct WebhookEvent {
    pub id: WebhookEventId,
    pub webhook_endpoint_id: WebhookEndpointId,
    pub integration_id: IntegrationId,
    pub provider: String,
    pub event_type: String,
    pub delivery_id: Option<String>,
    pub status: EventStatus,
    pub reason: Option<String>,
    pub field: Option<String>,
    pub will_retry: bool,
    pub cause: EventCause,
    pub original_id: Option<WebhookEventId>,
    pub receive_time: DateTime<Utc>,
    pub occurred_time: Option<DateTime<Utc>>,
    pub patient_id: Option<PatientId>,
    pub appointment_id: Option<AppointmentId>,
    pub body_size_bytes: i32,
    pub sealed_body: Option<Vec<u8>>,
}

/// The key of a kept body, and whose data the body holds.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = webhook_body_key)]
#[diesel(treat_none_as_default_value = false)]
pub struct BodyKey {
    pub webhook_event_id: WebhookEventId,
    pub patient_id: Option<PatientId>,
    pub external_patient_id: Option<String>,
    /// Only where neither of the two above is known.
    pub external_appointment_id: Option<String>,
    pub wrapped_key: Vec<u8>,
}

/// The answer that a delivery id got.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_dedupe, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_default_value = false)]
pub struct Taken {
    pub webhook_endpoint_id: WebhookEndpointId,
    pub delivery_hash: Vec<u8>,
    pub webhook_event_id: WebhookEventId,
    pub status: EventStatus,
    pub reason: Option<String>,
    pub field: Option<String>,
}

/// What repetitions made of an event.
#[derive(Debug, QueryableByName)]
pub struct Repetitions {
    #[diesel(sql_type = SqlUuid)]
    pub original_id: WebhookEventId,
    #[diesel(sql_type = Text)]
    pub newest_status: EventStatus,
    /// One of them was applied, or found nothing to apply: another one would change nothing.
    #[diesel(sql_type = Bool)]
    pub is_settled: bool,
    /// The queue was done with it, though somebody may have put it there again.
    #[diesel(sql_type = Bool)]
    pub has_ended: bool,
}

#[derive(QueryableByName)]
struct Queued {
    #[diesel(sql_type = SqlUuid)]
    id: WebhookEventId,
}

/// Which events a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub endpoint: Option<WebhookEndpointId>,
    pub status: Option<EventStatus>,
    pub event_type: Option<String>,
}

/// Keeps an event.
pub async fn insert(tx: &mut TenantTx, event: &WebhookEvent) -> Result<()> {
    insert_into(webhook_event::table).values(event).execute(tx.conn()).await?;
    Ok(())
}

/// One event.
pub async fn find(tx: &mut TenantTx, id: WebhookEventId) -> Result<WebhookEvent> {
    let query = webhook_event::table.filter(webhook_event::id.eq(id)).select(WebhookEvent::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::WebhookEvent))
}

/// A page, newest first, without the bodies: each may have 1 MiB.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<WebhookEventId>,
) -> Result<Paged<WebhookEvent, WebhookEventId>> {
    let mut query = webhook_event::table
        .order(webhook_event::id.desc())
        .limit(page.limit())
        .select((
            webhook_event::id,
            webhook_event::webhook_endpoint_id,
            webhook_event::integration_id,
            webhook_event::provider,
            webhook_event::event_type,
            webhook_event::delivery_id,
            webhook_event::status,
            webhook_event::reason,
            webhook_event::field,
            webhook_event::will_retry,
            webhook_event::cause,
            webhook_event::original_id,
            webhook_event::receive_time,
            webhook_event::occurred_time,
            webhook_event::patient_id,
            webhook_event::appointment_id,
            webhook_event::body_size_bytes,
            None::<Vec<u8>>.into_sql::<Nullable<Binary>>(),
        ))
        .into_boxed();
    if let Some(endpoint) = filter.endpoint {
        query = query.filter(webhook_event::webhook_endpoint_id.eq(endpoint));
    }
    if let Some(status) = filter.status {
        // The word in the statement: a bound one would hide the index from generic plans.
        query = query.filter(sql::<Bool>(&format!("webhook_event.status = '{status}'")));
    }
    if let Some(event_type) = &filter.event_type {
        query = query.filter(webhook_event::event_type.eq(event_type.clone()));
    }
    if let Some(after) = page.after {
        query = query.filter(webhook_event::id.lt(after));
    }
    let rows = query.load(tx.conn()).await?;
    Ok(page.cut(rows, |row: &WebhookEvent| row.id))
}

/// What repetitions made of each of these events that has any; `paused` is the reason of those that a pause
/// kept back.
pub async fn repetitions(
    tx: &mut TenantTx,
    originals: &[WebhookEventId],
    paused: &str,
) -> Result<Vec<Repetitions>> {
    let query = sql_query(
        "SELECT original_id, (array_agg(status ORDER BY id DESC))[1] AS newest_status, \
             bool_or(status <> 'error' AND reason IS DISTINCT FROM $2) AS is_settled, \
             bool_or(cause = 'retry') AS has_ended \
         FROM webhook_event WHERE original_id = ANY ($1) GROUP BY original_id",
    );
    let bound = query.bind::<Array<SqlUuid>, _>(originals).bind::<Text, _>(paused);
    Ok(Cached(bound).load(tx.conn()).await?)
}

/// Those of these events that the queue is still to try, or is at.
pub async fn queued(tx: &mut TenantTx, events: &[WebhookEvent]) -> Result<Vec<WebhookEventId>> {
    let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
    let integrations: Vec<IntegrationId> = events.iter().map(|event| event.integration_id).collect();
    let query = sql_query(
        "SELECT (payload ->> 'webhook_event_id')::uuid AS id FROM outbox \
         WHERE state = 'pending' AND kind = 'webhook_event_retry' AND payload ->> 'webhook_event_id' = ANY ($1) \
             AND lane = ANY (SELECT 'webhook_event/' || unnest($1) \
                 UNION SELECT 'webhook_pause/' || unnest($2))",
    );
    let bound = query.bind::<Array<Text>, _>(ids).bind::<Array<SqlUuid>, _>(integrations);
    let rows: Vec<Queued> = Cached(bound).load(tx.conn()).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Keeps the key of a body.
pub async fn insert_body_key(tx: &mut TenantTx, key: &BodyKey) -> Result<()> {
    insert_into(webhook_body_key::table).values(key).execute(tx.conn()).await?;
    Ok(())
}

/// The wrapped keys of these events' bodies, those that were not destroyed.
pub async fn body_keys(
    tx: &mut TenantTx,
    events: &[WebhookEventId],
) -> Result<Vec<(WebhookEventId, Vec<u8>)>> {
    let query = webhook_body_key::table
        .filter(webhook_body_key::webhook_event_id.eq_any(events))
        .select((webhook_body_key::webhook_event_id, webhook_body_key::wrapped_key));
    Ok(query.load(tx.conn()).await?)
}

/// The sealed bodies of these events with their wrapped keys: those that were not destroyed, and have at most
/// so many bytes.
pub async fn bodies(
    tx: &mut TenantTx,
    events: &[WebhookEventId],
    bytes_at_most: i32,
) -> Result<Vec<(WebhookEventId, Vec<u8>, Vec<u8>)>> {
    let query = webhook_event::table
        .inner_join(webhook_body_key::table.on(webhook_body_key::webhook_event_id.eq(webhook_event::id)))
        .filter(webhook_event::id.eq_any(events))
        .filter(webhook_event::body_size_bytes.le(bytes_at_most))
        .select((
            webhook_event::id,
            webhook_event::sealed_body.assume_not_null(),
            webhook_body_key::wrapped_key,
        ))
        .filter(webhook_event::sealed_body.is_not_null());
    Ok(query.load(tx.conn()).await?)
}

/// Notes whose the bodies are that name a tool's person and nobody here.
pub async fn assign_bodies(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_patient_id: &str,
    patient: PatientId,
) -> Result<()> {
    let nobodys = webhook_body_key::table
        .filter(webhook_body_key::external_patient_id.eq(external_patient_id))
        .filter(webhook_body_key::patient_id.is_null())
        .filter(webhook_body_key::webhook_event_id.eq_any(events_of(integration)));
    update(nobodys).set(webhook_body_key::patient_id.eq(patient)).execute(tx.conn()).await?;
    Ok(())
}

/// The ids of everything that came by an integration: another one's tool may give the same ids to others.
#[diesel::dsl::auto_type]
fn events_of(integration: IntegrationId) -> _ {
    webhook_event::table.filter(webhook_event::integration_id.eq(integration)).select(webhook_event::id)
}

/// Erases the body of one event, by destroying its key.
pub async fn destroy_body_key(tx: &mut TenantTx, event: WebhookEventId) -> Result<()> {
    let theirs = webhook_body_key::table.filter(webhook_body_key::webhook_event_id.eq(event));
    delete(theirs).execute(tx.conn()).await?;
    Ok(())
}

/// Erases the bodies that are about this person, by destroying their keys.
pub async fn destroy_body_keys_of(tx: &mut TenantTx, patient: PatientId) -> Result<()> {
    delete(webhook_body_key::table.filter(webhook_body_key::patient_id.eq(patient)))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The same by the tool's own id of the person, for bodies that came before the person did.
pub async fn destroy_body_keys_of_external(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_patient_id: &str,
) -> Result<()> {
    let theirs = webhook_body_key::table
        .filter(webhook_body_key::external_patient_id.eq(external_patient_id))
        .filter(webhook_body_key::webhook_event_id.eq_any(events_of(integration)));
    delete(theirs).execute(tx.conn()).await?;
    Ok(())
}

/// The same for bodies that name nothing but the tool's id of an appointment.
pub async fn destroy_body_keys_of_external_appointment(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_appointment_id: &str,
) -> Result<()> {
    let about = webhook_body_key::table
        .filter(webhook_body_key::external_appointment_id.eq(external_appointment_id))
        .filter(webhook_body_key::webhook_event_id.eq_any(events_of(integration)));
    delete(about).execute(tx.conn()).await?;
    Ok(())
}

/// What a delivery id was answered before.
pub async fn find_taken(
    tx: &mut TenantTx,
    endpoint: WebhookEndpointId,
    delivery_hash: &[u8],
) -> Result<Option<Taken>> {
    let query = webhook_dedupe::table
        .filter(webhook_dedupe::webhook_endpoint_id.eq(endpoint))
        .filter(webhook_dedupe::delivery_hash.eq(delivery_hash))
        .select(Taken::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Takes a delivery id, with the answer it got.
pub async fn insert_taken(tx: &mut TenantTx, taken: &Taken) -> Result<()> {
    insert_into(webhook_dedupe::table).values(taken).execute(tx.conn()).await?;
    Ok(())
}

/// Where a body is sealed: in its event's row.
pub fn body_place(event: Uuid) -> crate::vault::Place {
    crate::vault::Place { table: "webhook_event", column: "sealed_body", row: event }
}
