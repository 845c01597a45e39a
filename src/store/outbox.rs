//! Promised work: pushed in the transaction that caused it,
//! claimed and settled by workers that see no payload.

use std::{convert::Infallible, pin::pin, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryableByName,
    dsl::{exists, select},
    insert_into, sql_query,
    sql_types::{BigInt, Bool, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
    update,
};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, pooled_connection::deadpool::Object,
};
use futures::StreamExt;
use tokio::sync::Notify;

use super::{Cached, Store, TenantTx, WorkerTx, schema::outbox};
use crate::{
    error::{Error, Result},
    ids::{IntegrationId, MessageId, TenantId},
    telemetry,
    words::MessageKind,
};

/// Work to promise.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub kind: MessageKind,
    /// Messages of one lane run one at a time, oldest first.
    pub lane: String,
    pub payload: serde_json::Value,
    /// What made it: an event or a caller.
    pub cause: String,
    /// Not before.
    pub run_time: DateTime<Utc>,
    /// Whose provider it asks, if it asks any.
    pub integration: Option<IntegrationId>,
}

/// What a claim gave.
#[derive(Debug)]
pub struct Claims {
    pub messages: Vec<Claimed>,
    /// Behind which tenant the next claim goes on.
    pub turn: TenantId,
}

/// A message that is this worker's until its lease ends.
#[derive(Debug, Clone, Copy)]
pub struct Claimed {
    pub tenant_id: TenantId,
    pub id: MessageId,
    pub kind: MessageKind,
    /// The first one is 1.
    pub attempts: i32,
    pub lease_epoch: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Retry {
        after: Duration,
        reason: String,
    },
    /// Not tried after all, as when the provider asks for patience: later, and no attempt is used up.
    Release {
        after: Duration,
        reason: Option<String>,
    },
    Dead {
        reason: String,
    },
}

/// Messages of one kind and state.
#[derive(Debug, QueryableByName)]
pub struct Depth {
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// `pending` or `dead`.
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = BigInt)]
    pub messages: i64,
    /// Seconds since the oldest one was pushed.
    #[diesel(sql_type = Double)]
    pub oldest_age_s: f64,
}

#[derive(QueryableByName)]
struct ClaimedRow {
    #[diesel(sql_type = SqlUuid)]
    tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    id: MessageId,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = BigInt)]
    lease_epoch: i64,
    #[diesel(sql_type = SqlUuid)]
    turn: TenantId,
}

#[derive(QueryableByName)]
struct Merged {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<MessageId>,
}

#[derive(QueryableByName)]
struct Payload {
    #[diesel(sql_type = Nullable<Jsonb>)]
    payload: Option<serde_json::Value>,
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Bool)]
    held: bool,
}

#[derive(QueryableByName)]
struct NextRun {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    next_run: Option<DateTime<Utc>>,
}

/// How long a kind that only a newer version knows is left to that version.
const UNKNOWN_KIND_PAUSE: Duration = Duration::from_secs(60);
/// The pauses between attempts to listen double up to this.
const LISTEN_PAUSE_AT_MOST: Duration = Duration::from_secs(30);

/// Promises work; it wakes a worker when the transaction commits.
pub async fn push(tx: &mut TenantTx, message: NewMessage) -> Result<MessageId> {
    let id = MessageId::new();
    insert_into(outbox::table)
        .values((
            outbox::id.eq(id),
            outbox::kind.eq(message.kind),
            outbox::lane.eq(message.lane),
            outbox::payload.eq(message.payload),
            outbox::cause.eq(message.cause),
            outbox::run_time.eq(message.run_time),
            outbox::integration_id.eq(message.integration),
        ))
        .execute(tx.conn())
        .await?;
    Ok(id)
}

/// Promises work, unless a message that says the same waits in its lane and was never begun: whatever made the
/// new one is there before that one is.
pub async fn push_once(tx: &mut TenantTx, message: NewMessage) -> Result<()> {
    let query = sql_query("SELECT stellwerk_outbox_waits($1, $2, $3) AS held")
        .bind::<Text, _>(&message.lane)
        .bind::<Text, _>(message.kind.as_str())
        .bind::<Jsonb, _>(&message.payload);
    let row: Held = Cached(query).get_result(tx.conn()).await?;
    if !row.held {
        push(tx, message).await?;
    }
    Ok(())
}

/// Has a message of this lane and kind that waits for another try do for `message`, too, at its run time at
/// the latest and with as many tries as a new one. False: none waits.
pub async fn revive(tx: &mut TenantTx, message: &NewMessage) -> Result<bool> {
    let query = sql_query("SELECT stellwerk_outbox_revive($1, $2, $3, $4) AS id")
        .bind::<Text, _>(&message.lane)
        .bind::<Text, _>(message.kind.as_str())
        .bind::<Text, _>(&message.cause)
        .bind::<Timestamptz, _>(message.run_time);
    let row: Merged = Cached(query).get_result(tx.conn()).await?;
    Ok(row.id.is_some())
}

/// Promises work that may wait for more of its kind: while a message of this lane and kind waits that nobody
/// has begun, that one does for both, `quiet` after the last push and at most `cap` after the first. Of its
/// payload stays what the new one does not say.
pub async fn push_debounced(
    tx: &mut TenantTx,
    message: NewMessage,
    quiet: TimeDelta,
    cap: TimeDelta,
    now: DateTime<Utc>,
) -> Result<MessageId> {
    let query = sql_query("SELECT stellwerk_outbox_merge($1, $2, $3, $4, $5, $6) AS id")
        .bind::<Text, _>(&message.lane)
        .bind::<Text, _>(message.kind.as_str())
        .bind::<Jsonb, _>(&message.payload)
        .bind::<Text, _>(&message.cause)
        .bind::<Timestamptz, _>(now + quiet)
        .bind::<Double, _>(cap.as_seconds_f64());
    let row: Merged = Cached(query).get_result(tx.conn()).await?;
    match row.id {
        Some(id) => Ok(id),
        None => push(tx, NewMessage { run_time: now + quiet, ..message }).await,
    }
}

/// What a message is about. `None`: it is somebody else's by now.
/// Only for the server's own transactions and admins.
///
/// Asked again in the transaction that records a write to a provider,
/// it keeps a worker from sending what another one is about to.
pub async fn payload(tx: &mut TenantTx, message: &Claimed) -> Result<Option<serde_json::Value>> {
    let query = sql_query("SELECT stellwerk_outbox_payload($1, $2) AS payload")
        .bind::<SqlUuid, _>(message.id)
        .bind::<BigInt, _>(message.lease_epoch);
    let row: Payload = Cached(query).get_result(tx.conn()).await?;
    Ok(row.payload)
}

/// Makes what waits for an integration's provider due at once: what it waited for is over.
pub async fn hurry(tx: &mut TenantTx, integration: IntegrationId, now: DateTime<Utc>) -> Result<()> {
    let waiting = outbox::table
        .filter(outbox::integration_id.eq(integration))
        .filter(outbox::state.eq("pending"))
        .filter(outbox::is_leased.eq(false))
        .filter(outbox::run_time.gt(now));
    let hurried = Cached(update(waiting).set(outbox::run_time.eq(now))).execute(tx.conn()).await?;
    if hurried > 0 {
        Cached(sql_query("SELECT pg_notify('stellwerk_outbox', '')")).execute(tx.conn()).await?;
    }
    Ok(())
}

/// What made a message. Only for admins and the server's own transactions.
pub async fn cause(tx: &mut TenantTx, id: MessageId) -> Result<String> {
    let found =
        outbox::table.filter(outbox::id.eq(id)).select(outbox::cause).first(tx.conn()).await.optional()?;
    found.ok_or_else(|| Error::internal("the message was settled by somebody else"))
}

/// Whether a message other than this one waits in a lane and says any of this. Only for admins and the
/// server's own transactions.
pub async fn is_another_waiting(
    tx: &mut TenantTx,
    than: MessageId,
    kind: MessageKind,
    lane: &str,
    said: &[serde_json::Value],
) -> Result<bool> {
    let others = outbox::table
        .filter(outbox::state.eq("pending"))
        .filter(outbox::lane.eq(lane))
        .filter(outbox::kind.eq(kind))
        .filter(outbox::id.ne(than))
        .filter(outbox::payload.eq_any(said));
    Ok(select(exists(others)).get_result(tx.conn()).await?)
}

/// Leases messages that are due, at most `at_most`, one after the other of the tenants behind `after`, so
/// that none of them waits for another's thousands; none of the tenant `except`.
pub async fn claim(
    store: &Store,
    after: TenantId,
    at_most: i32,
    lease_s: i32,
    except: Option<TenantId>,
) -> Result<Claims> {
    let mut tx = store.worker().await?;
    let query = sql_query("SELECT * FROM stellwerk_outbox_claim($1, $2, $3, $4)")
        .bind::<SqlUuid, _>(after)
        .bind::<Integer, _>(at_most)
        .bind::<Integer, _>(lease_s)
        .bind::<Nullable<SqlUuid>, _>(except);
    let rows: Vec<ClaimedRow> = Cached(query).load(tx.conn()).await?;
    let mut claims = Claims { messages: Vec::with_capacity(rows.len()), turn: after };
    for ClaimedRow { tenant_id, id, kind, attempts, lease_epoch, turn } in rows {
        claims.turn = turn;
        match kind.parse() {
            Ok(kind) => claims.messages.push(Claimed { tenant_id, id, kind, attempts, lease_epoch }),
            // A rolling update: an error here would stop this worker at the head of the queue.
            Err(_) => {
                let reason = "a newer version knows this kind".into();
                let outcome = Outcome::Release { after: UNKNOWN_KIND_PAUSE, reason: Some(reason) };
                settle_in(&mut tx, (tenant_id, id, lease_epoch), &outcome).await?;
            }
        }
    }
    tx.commit().await?;
    Ok(claims)
}

/// Keeps a message for longer. False: the lease had gone to somebody else.
pub async fn extend(store: &Store, message: &Claimed, lease_s: i32) -> Result<bool> {
    let mut tx = store.worker().await?;
    let query = sql_query("SELECT stellwerk_outbox_extend($1, $2, $3, $4) AS held")
        .bind::<SqlUuid, _>(message.tenant_id)
        .bind::<SqlUuid, _>(message.id)
        .bind::<BigInt, _>(message.lease_epoch)
        .bind::<Integer, _>(lease_s);
    let row: Held = Cached(query).get_result(tx.conn()).await?;
    tx.commit().await?;
    Ok(row.held)
}

/// Ends an attempt. False: the lease had gone to somebody else, whose outcome counts.
pub async fn settle(store: &Store, message: &Claimed, outcome: &Outcome) -> Result<bool> {
    let mut tx = store.worker().await?;
    let held = settle_in(&mut tx, (message.tenant_id, message.id, message.lease_epoch), outcome).await?;
    tx.commit().await?;
    Ok(held)
}

async fn settle_in(tx: &mut WorkerTx, lease: (TenantId, MessageId, i64), outcome: &Outcome) -> Result<bool> {
    let (word, delay_s, reason) = match outcome {
        Outcome::Done => ("done", 0.0, None),
        Outcome::Retry { after, reason } => ("retry", after.as_secs_f64(), Some(reason)),
        Outcome::Release { after, reason } => ("release", after.as_secs_f64(), reason.as_ref()),
        Outcome::Dead { reason } => ("dead", 0.0, Some(reason)),
    };
    let query = sql_query("SELECT stellwerk_outbox_settle($1, $2, $3, $4, $5, $6) AS held")
        .bind::<SqlUuid, _>(lease.0)
        .bind::<SqlUuid, _>(lease.1)
        .bind::<BigInt, _>(lease.2)
        .bind::<Text, _>(word)
        .bind::<Double, _>(delay_s)
        .bind::<Nullable<Text>, _>(reason);
    let row: Held = Cached(query).get_result(tx.conn()).await?;
    Ok(row.held)
}

/// When the next message comes due.
pub async fn next_run(store: &Store) -> Result<Option<DateTime<Utc>>> {
    let mut tx = store.worker().await?;
    let query = sql_query("SELECT stellwerk_outbox_next_run() AS next_run");
    let row: NextRun = Cached(query).get_result(tx.conn()).await?;
    tx.commit().await?;
    Ok(row.next_run)
}

/// How many messages there are of each kind and state.
pub async fn depth(store: &Store) -> Result<Vec<Depth>> {
    let mut conn = store.connection().await?;
    Ok(Cached(sql_query("SELECT * FROM stellwerk_outbox_depth()")).load(&mut *conn).await?)
}

/// Notifies `wake` whenever a message was pushed, on any instance; never ends. Only a hint: some are missed
/// while the connection is down, so that each new one notifies, too.
pub async fn listen(store: Store, wake: &Notify) -> Infallible {
    let mut pause = Duration::ZERO;
    loop {
        tokio::time::sleep(pause).await;
        match listener(&store).await {
            Ok(mut conn) => {
                pause = Duration::ZERO;
                wake.notify_one();
                let mut notifications = pin!(conn.notifications_stream());
                while let Some(Ok(_)) = notifications.next().await {
                    wake.notify_one();
                }
            }
            // Once per outage; the poll goes on meanwhile.
            Err(error) if pause.is_zero() => {
                telemetry::log_error("pushed messages are only polled for", &error)
            }
            Err(_) => {}
        }
        pause = (pause * 2).clamp(Duration::from_secs(1), LISTEN_PAUSE_AT_MOST);
    }
}

/// Taken out of the pool for good: what listens must not be handed to a request.
async fn listener(store: &Store) -> Result<AsyncPgConnection> {
    let mut conn = Object::take(store.connection().await?);
    conn.batch_execute("LISTEN stellwerk_outbox").await?;
    Ok(conn)
}
