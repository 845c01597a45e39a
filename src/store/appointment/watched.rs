//! Reading changes of appointments as a stream: in the order of their transactions, and none left out.
//!
//! A change whose transaction commits late has a number below that of younger ones which committed before. So
//! nothing is read at or above the oldest transaction that may still be running: below it everything is
//! final, and a watcher who has read up to there can never be overtaken. Numbers are PostgreSQL's 64-bit
//! ones, which do not wrap around.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, QueryDsl, QueryableByName, SelectableHelper,
    sql_query,
    sql_types::{BigInt, Nullable, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Appointment, Change};
use crate::{
    error::Result,
    ids::{AppointmentChangeId, AppointmentId, PatientId, PractitionerId},
    store::{
        Cached, TenantTx,
        schema::{appointment, appointment_change},
    },
};

/// Where a change stands in the order that watchers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The number of its transaction.
    pub xact: i64,
    pub change: AppointmentChangeId,
}

/// What of the database's transactions is over.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Horizon {
    /// Every transaction below this number has ended.
    #[diesel(sql_type = BigInt)]
    pub below: i64,
    /// The number that the next one will get: when `below` has reached it, all that began before now has
    /// ended.
    #[diesel(sql_type = BigInt)]
    pub next: i64,
}

/// Whose appointments are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whose {
    pub practitioner: Option<PractitionerId>,
    pub patient: Option<PatientId>,
}

/// An appointment that went to another practitioner, or away altogether, at this position.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Leave {
    #[diesel(sql_type = BigInt)]
    xact: i64,
    #[diesel(sql_type = SqlUuid)]
    id: AppointmentChangeId,
    #[diesel(sql_type = SqlUuid)]
    pub appointment_id: AppointmentId,
}

impl Horizon {
    /// The position after everything that is over.
    pub fn end(self) -> Position {
        Position { xact: self.below - 1, change: AppointmentChangeId(Uuid::max()) }
    }
}

impl Leave {
    pub fn position(self) -> Position {
        Position { xact: self.xact, change: self.id }
    }
}

/// What is over at this moment.
pub async fn horizon(tx: &mut TenantTx) -> Result<Horizon> {
    let query = sql_query(
        "SELECT pg_snapshot_xmin(s)::text::bigint AS below, pg_snapshot_xmax(s)::text::bigint AS next \
         FROM pg_current_snapshot() AS s",
    );
    Ok(Cached(query).get_result(tx.conn()).await?)
}

/// Changes after `after` whose transactions are over, with their appointments as they stand now; at most
/// `limit`. Which of them the caller sees, the row policies decide.
pub async fn changes_after(
    tx: &mut TenantTx,
    after: Position,
    horizon: Horizon,
    whose: Whose,
    limit: i64,
) -> Result<Vec<(Position, Change, Appointment)>> {
    let mut query = appointment_change::table
        .inner_join(appointment::table.on(appointment::id.eq(appointment_change::appointment_id)))
        .filter(appointment_change::xact.ge(after.xact).and(appointment_change::xact.lt(horizon.below)))
        .filter(appointment_change::xact.gt(after.xact).or(appointment_change::id.gt(after.change)))
        .order((appointment_change::xact, appointment_change::id))
        .limit(limit)
        .select((appointment_change::xact, Change::as_select(), Appointment::as_select()))
        .into_boxed();
    if let Some(practitioner) = whose.practitioner {
        query = query.filter(appointment::practitioner_id.eq(practitioner));
    }
    if let Some(patient) = whose.patient {
        query = query.filter(appointment::patient_id.eq(patient));
    }
    let rows: Vec<(i64, Change, Appointment)> = Cached(query).load(tx.conn()).await?;
    let placed = rows
        .into_iter()
        .map(|(xact, change, appointment)| (Position { xact, change: change.id }, change, appointment));
    Ok(placed.collect())
}

/// Appointments that were those of `whose` until after `after` and are not now: they went to another
/// practitioner than the one that is named, or were removed; at most `limit`. Whose they are now is not told,
/// so that this may be read on behalf of somebody who sees them no more.
pub async fn leaves_after(
    tx: &mut TenantTx,
    after: Position,
    horizon: Horizon,
    whose: Whose,
    limit: i64,
) -> Result<Vec<Leave>> {
    let query = sql_query(
        "(SELECT c.xact, c.id, c.appointment_id FROM appointment_change c \
         WHERE $4 IS NOT NULL AND c.xact >= $1 AND c.xact < $3 AND (c.xact > $1 OR c.id > $2) \
             AND c.practitioner_id IS DISTINCT FROM $4 \
             AND $4 = (SELECT earlier.practitioner_id FROM appointment_change earlier \
                 WHERE earlier.appointment_id = c.appointment_id AND earlier.id < c.id \
                 ORDER BY earlier.id DESC LIMIT 1) \
             AND NOT EXISTS (SELECT FROM appointment a \
                 WHERE a.id = c.appointment_id AND a.practitioner_id = $4) \
         ORDER BY c.xact, c.id LIMIT $6) \
         UNION ALL \
         (SELECT r.xact, r.id, r.appointment_id FROM appointment_removal r \
         WHERE r.xact >= $1 AND r.xact < $3 AND (r.xact > $1 OR r.id > $2) \
             AND ($4 IS NULL OR r.practitioner_id = $4) AND ($5 IS NULL OR r.patient_id = $5) \
         ORDER BY r.xact, r.id LIMIT $6) \
         ORDER BY xact, id LIMIT $6",
    )
    .bind::<BigInt, _>(after.xact)
    .bind::<SqlUuid, _>(after.change)
    .bind::<BigInt, _>(horizon.below)
    .bind::<Nullable<SqlUuid>, _>(whose.practitioner)
    .bind::<Nullable<SqlUuid>, _>(whose.patient)
    .bind::<BigInt, _>(limit);
    Ok(Cached(query).load(tx.conn()).await?)
}
