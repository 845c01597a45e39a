//! Appointments that stand otherwise at their provider, as far as is known.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use crate::{
    error::Result,
    ids::{AppointmentId, IntegrationId},
    store::{Cached, TenantTx},
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: AppointmentId,
}

/// Appointments from `from` on that an integration's provider should have and has not, has at another time,
/// or has though they were called off; at most `limit`, by start time.
/// Those whose write is on its way, or left to a person, are left out.
pub async fn differing_at_provider(
    tx: &mut TenantTx,
    integration: IntegrationId,
    from: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<AppointmentId>> {
    let query = sql_query(
        "SELECT id FROM ( \
             SELECT a.id, a.start_time FROM event_type t \
                 JOIN appointment a ON a.practitioner_id = t.practitioner_id AND a.service_id = t.service_id \
             WHERE t.integration_id = $1 AND NOT t.archived AND t.unsupported_reason IS NULL \
                 AND a.start_time >= $2 AND a.status = 'booked' AND a.provider_sync IN ('none', 'synced') \
                 AND NOT EXISTS (SELECT FROM booking b WHERE b.appointment_id = a.id \
                     AND b.status IN ('unknown', 'pending', 'accepted')) \
             UNION \
             SELECT a.id, a.start_time FROM booking b JOIN appointment a ON a.id = b.appointment_id \
             WHERE b.integration_id = $1 AND b.is_current AND b.status IN ('pending', 'accepted') \
                 AND b.start_time >= $2 AND a.provider_sync IN ('none', 'synced') \
                 AND (a.status = 'cancelled' \
                     OR (a.status = 'booked' AND a.start_time <> b.start_time))) differing \
         ORDER BY start_time, id LIMIT $3",
    );
    let bound = query.bind::<SqlUuid, _>(integration).bind::<Timestamptz, _>(from).bind::<BigInt, _>(limit);
    let rows: Vec<Row> = Cached(bound).load(tx.conn()).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
