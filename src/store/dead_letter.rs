//! Messages that were given up.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, Selectable, SelectableHelper, delete,
    dsl::{now as db_now, sql},
    expression::SqlLiteral,
    prelude::Queryable,
    sql_query,
    sql_types::{Array, Bool, Timestamptz, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cached, TenantTx, schema::outbox};
use crate::{
    error::Result,
    ids::{IntegrationId, MessageId},
    page::{Page, Paged},
    words::MessageKind,
};

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = outbox, check_for_backend(diesel::pg::Pg))]
pub struct DeadLetter {
    pub id: MessageId,
    pub kind: MessageKind,
    /// May name a provider's record, so it is for admins and not for logs.
    pub lane: String,
    pub reason: Option<String>,
    pub attempts: i32,
    /// Who or what had asked for it.
    pub cause: String,
    pub integration_id: Option<IntegrationId>,
    pub create_time: DateTime<Utc>,
    /// When it was given up.
    #[diesel(column_name = update_time)]
    pub dead_time: DateTime<Utc>,
}

/// Which ones are meant; what is not set excludes none.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub kind: Option<MessageKind>,
    pub integration: Option<IntegrationId>,
    /// Word for word.
    pub reason: Option<String>,
    /// Given up at or after this instant.
    pub dead_time_from: Option<DateTime<Utc>>,
    /// Given up before this instant.
    pub dead_time_until: Option<DateTime<Utc>>,
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    dead_time: DateTime<Utc>,
    id: MessageId,
}

type Query<'a> = diesel::helper_types::IntoBoxed<'a, outbox::table, diesel::pg::Pg>;

/// The state stands in the statement as a word: a bound one would hide the index from generic plans.
fn is_dead() -> SqlLiteral<Bool> {
    sql("state = 'dead'")
}

fn matching(filter: &Filter) -> Query<'static> {
    let mut query = outbox::table.filter(is_dead()).into_boxed();
    if let Some(kind) = filter.kind {
        query = query.filter(outbox::kind.eq(kind));
    }
    if let Some(integration) = filter.integration {
        query = query.filter(outbox::integration_id.eq(integration));
    }
    if let Some(reason) = &filter.reason {
        query = query.filter(outbox::reason.eq(reason.clone()));
    }
    if let Some(from) = filter.dead_time_from {
        query = query.filter(outbox::update_time.ge(from));
    }
    if let Some(until) = filter.dead_time_until {
        query = query.filter(outbox::update_time.lt(until));
    }
    query
}

/// A page, those first that were given up first.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<Cursor>,
) -> Result<Paged<DeadLetter, Cursor>> {
    let mut query = matching(filter);
    if let Some(Cursor { dead_time, id }) = page.after {
        query = query.filter(
            outbox::update_time.gt(dead_time).or(outbox::update_time.eq(dead_time).and(outbox::id.gt(id))),
        );
    }
    let query =
        query.order((outbox::update_time, outbox::id)).limit(page.limit()).select(DeadLetter::as_select());
    let cursor = |row: &DeadLetter| Cursor { dead_time: row.dead_time, id: row.id };
    Ok(page.cut(query.load(tx.conn()).await?, cursor))
}

/// Locks those that match until the transaction ends, at most `limit`, the first ones first; lane by lane, so
/// that two callers take the lanes' locks in one order.
pub async fn lock_matching(tx: &mut TenantTx, filter: &Filter, limit: i64) -> Result<Vec<MessageId>> {
    let ids: Vec<MessageId> = matching(filter)
        .order((outbox::update_time, outbox::id))
        .limit(limit)
        .select(outbox::id)
        .load(tx.conn())
        .await?;
    lock(tx, &ids).await
}

/// The same for those with these ids; what is not dead is left out.
pub async fn lock(tx: &mut TenantTx, ids: &[MessageId]) -> Result<Vec<MessageId>> {
    let query = outbox::table
        .filter(outbox::id.eq_any(ids))
        .filter(outbox::state.eq("dead"))
        .order((outbox::lane, outbox::position))
        .select(outbox::id)
        .for_update();
    Ok(query.load(tx.conn()).await?)
}

/// Lets a dead message run again as if for the first time, behind what waits in its lane.
pub async fn requeue(tx: &mut TenantTx, id: MessageId) -> Result<()> {
    let dead = outbox::table.filter(outbox::id.eq(id)).filter(outbox::state.eq("dead"));
    let again = (outbox::state.eq("pending"), outbox::attempts.eq(0), outbox::run_time.eq(db_now));
    Cached(update(dead).set(again)).execute(tx.conn()).await?;
    Ok(())
}

/// Lets appointments wait for the provider again that these messages left to a person: their handler goes by
/// what stands in the row. One whose row has a younger message is left as it is.
pub async fn reopen_pushes(tx: &mut TenantTx, ids: &[MessageId], now: DateTime<Utc>) -> Result<()> {
    let query = sql_query(
        "UPDATE appointment a SET provider_sync = 'pending', provider_sync_attempts = 0, \
             provider_sync_time = $2, provider_sync_reason = NULL, provider_sync_review_time = NULL \
         FROM outbox o \
         WHERE o.id = ANY($1) AND o.kind = 'appointment_push' AND a.provider_sync = 'review' \
             AND a.id = (o.payload ->> 'appointment_id')::uuid AND a.provider_sync_message_id = o.id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<Timestamptz, _>(now);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

/// Takes those of a lane away that asked for any of this: somebody has done it since. Only for the server's
/// own transactions.
pub async fn settle(tx: &mut TenantTx, kind: MessageKind, lane: &str, asked: &[Value]) -> Result<()> {
    let overtaken = outbox::table
        .filter(is_dead())
        .filter(outbox::lane.eq(lane))
        .filter(outbox::kind.eq(kind))
        .filter(outbox::payload.eq_any(asked));
    Cached(delete(overtaken)).execute(tx.conn()).await?;
    Ok(())
}
