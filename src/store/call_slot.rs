//! Calls to a provider that are under way, where it bounds how many may be at once: numbered slots that all
//! instances share, each held on a lease that ends by itself.

use std::time::Duration;

use diesel::{
    QueryableByName, sql_query,
    sql_types::{Bool, Double, Integer, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Cached, TenantTx};
use crate::{error::Result, ids::IntegrationId};

/// A slot that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSlot {
    integration_id: IntegrationId,
    is_write: bool,
    number: i32,
    holder: Uuid,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Integer)]
    number: i32,
}

/// Takes one of `at_once` slots until it is given back or `lease` is over; None while all are held. Commit at
/// once, because others wait for the row.
pub async fn take(
    tx: &mut TenantTx,
    id: IntegrationId,
    is_write: bool,
    at_once: u16,
    lease: Duration,
) -> Result<Option<CallSlot>> {
    let holder = Uuid::now_v7();
    let query = sql_query(
        "INSERT INTO call_slot AS c (integration_id, is_write, number, holder, lease_until) \
         SELECT $1, $2, s.number, $3, clock_timestamp() + make_interval(secs => $4) \
         FROM generate_series(1, $5) AS s (number) \
         WHERE NOT EXISTS (SELECT FROM call_slot h WHERE h.integration_id = $1 AND h.is_write = $2 \
             AND h.number = s.number AND h.lease_until > clock_timestamp()) \
         ORDER BY s.number LIMIT 1 \
         ON CONFLICT ON CONSTRAINT call_slot_pkey DO UPDATE \
             SET holder = excluded.holder, lease_until = excluded.lease_until \
             WHERE c.lease_until <= clock_timestamp() \
         RETURNING c.number",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Bool, _>(is_write)
    .bind::<SqlUuid, _>(holder)
    .bind::<Double, _>(lease.as_secs_f64())
    .bind::<Integer, _>(i32::from(at_once));
    let taken: Option<Number> = Cached(query).load(tx.conn()).await?.pop();
    Ok(taken.map(|Number { number }| CallSlot { integration_id: id, is_write, number, holder }))
}

/// Gives a slot back. One whose lease ended before may be another's by now, and stays that.
pub async fn give_back(tx: &mut TenantTx, slot: CallSlot) -> Result<()> {
    let query = sql_query(
        "UPDATE call_slot SET lease_until = clock_timestamp() \
         WHERE integration_id = $1 AND is_write = $2 AND number = $3 AND holder = $4",
    )
    .bind::<SqlUuid, _>(slot.integration_id)
    .bind::<Bool, _>(slot.is_write)
    .bind::<Integer, _>(slot.number)
    .bind::<SqlUuid, _>(slot.holder);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}
