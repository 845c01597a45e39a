//! Who wants the same time.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, sql_query,
    sql_types::{Array, Bool, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::future::try_join;

use super::{Appointment, LONGEST_SLOT, is};
use crate::{
    error::Result,
    ids::AppointmentId,
    store::{Cached, TenantTx, integration::last_delivery, schema::appointment},
    words::AppointmentStatus,
};

/// Others that are told of one appointment, at most.
const TOLD: i64 = 20;

#[derive(QueryableByName)]
struct Pair {
    #[diesel(sql_type = SqlUuid)]
    id: AppointmentId,
    #[diesel(sql_type = SqlUuid)]
    other_id: AppointmentId,
}

/// Who wants the same time as these: for a conflicting one the held and booked ones, for those the
/// conflicting ones. At most 20 for each; appointments without any are left out.
pub async fn conflicts_of(
    tx: &mut TenantTx,
    of: &[Appointment],
) -> Result<HashMap<AppointmentId, Vec<AppointmentId>>> {
    let wanted: Vec<_> = of.iter().filter(|row| row.occupies() || conflicting(row)).collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    if let [one] = wanted[..] {
        let others = conflicts_of_one(tx.conn().shared().await?, one).await?;
        return Ok(if others.is_empty() { HashMap::new() } else { HashMap::from([(one.id, others)]) });
    }
    // Two halves, so that the frequent one finds the index of the few conflicting ones.
    let query = sql_query(
        "SELECT w.id, o.id AS other_id \
         FROM unnest($1, $2, $3, $4, $5) AS w(id, practitioner_id, from_time, until_time, conflicting), \
         LATERAL ( \
             (SELECT a.id FROM appointment a WHERE NOT w.conflicting \
                 AND a.practitioner_id = w.practitioner_id \
                 AND a.status = 'conflicting' AND a.occupied_start_time >= w.from_time - interval '48 hours' \
                 AND a.occupied_start_time < w.until_time AND a.occupied_end_time > w.from_time \
              ORDER BY a.occupied_start_time LIMIT 20) \
             UNION ALL \
             (SELECT a.id FROM appointment a WHERE w.conflicting AND a.practitioner_id = w.practitioner_id \
                 AND a.status IN ('held', 'booked') AND a.start_time >= w.from_time - interval '48 hours' \
                 AND a.start_time < w.until_time + interval '48 hours' \
                 AND a.occupied_start_time < w.until_time AND a.occupied_end_time > w.from_time \
              ORDER BY a.start_time LIMIT 20)) o",
    )
    .bind::<Array<SqlUuid>, _>(wanted.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(wanted.iter().filter_map(|row| row.practitioner_id).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(wanted.iter().map(|row| row.occupied_start_time).collect::<Vec<_>>())
    .bind::<Array<Timestamptz>, _>(wanted.iter().map(|row| row.occupied_end_time).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(wanted.iter().map(|row| conflicting(row)).collect::<Vec<_>>());
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for Pair { id, other_id } in Cached(query).load(tx.conn()).await? {
        found.entry(id).or_default().push(other_id);
    }
    Ok(found)
}

/// The same for one. Not as a list of one: PostgreSQL would plan that anew on every call, because the plan
/// for lists of any length looks dearer to it, and planning takes longer than all the rest of reading an
/// appointment.
async fn conflicts_of_one(mut conn: &AsyncPgConnection, of: &Appointment) -> QueryResult<Vec<AppointmentId>> {
    let (from, until) = (of.occupied_start_time, of.occupied_end_time);
    let others = appointment::table
        .filter(appointment::practitioner_id.eq(of.practitioner_id))
        .filter(appointment::occupied_start_time.lt(until))
        .filter(appointment::occupied_end_time.gt(from))
        .limit(TOLD)
        .select(appointment::id);
    if conflicting(of) {
        let holding = others
            .filter(appointment::status.eq_any([AppointmentStatus::Held, AppointmentStatus::Booked]))
            .filter(appointment::start_time.ge(from - LONGEST_SLOT))
            .filter(appointment::start_time.lt(until + LONGEST_SLOT))
            .order(appointment::start_time);
        holding.load(&mut conn).await
    } else {
        let waiting = others
            .filter(is(AppointmentStatus::Conflicting))
            .filter(appointment::occupied_start_time.ge(from - LONGEST_SLOT))
            .order(appointment::occupied_start_time);
        Cached(waiting).load(&mut conn).await
    }
}

/// What screens show beside an appointment, in one flight: when its source last gave a sign of life, and who
/// wants the same time.
pub async fn beside(
    tx: &mut TenantTx,
    of: &Appointment,
) -> Result<(Option<DateTime<Utc>>, Vec<AppointmentId>)> {
    let conn = tx.conn().shared().await?;
    let delivered = async {
        match of.integration_id {
            Some(id) => last_delivery(conn, id).await,
            None => Ok(None),
        }
    };
    let others = async {
        if of.occupies() || conflicting(of) { conflicts_of_one(conn, of).await } else { Ok(Vec::new()) }
    };
    Ok(try_join(delivered, others).await?)
}

fn conflicting(row: &Appointment) -> bool {
    row.status == AppointmentStatus::Conflicting
}
