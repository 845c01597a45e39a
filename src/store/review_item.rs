//! What a person must decide.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper,
    dsl::{exists, select},
    insert_into,
    prelude::{Insertable, Queryable},
    sql_query,
    sql_types::{Nullable, Timestamptz, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::review_item};
use crate::{
    error::{Error, Noun, Result},
    ids::{AppointmentId, IntegrationId, IntentId, PractitionerId, ReviewItemId},
    page::{Page, Paged},
    words::{Resolution, ReviewKind, ReviewState},
};

/// Something a person must decide.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = review_item, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_default_value = false)]
pub struct ReviewItem {
    pub id: ReviewItemId,
    pub kind: ReviewKind,
    pub state: ReviewState,
    pub integration_id: Option<IntegrationId>,
    pub appointment_id: Option<AppointmentId>,
    pub intent_id: Option<IntentId>,
    /// A code, as in `SLOT_TAKEN`.
    pub reason: String,
    pub resolution: Option<Resolution>,
    pub resolver: Option<String>,
    pub open_time: DateTime<Utc>,
    pub resolve_time: Option<DateTime<Utc>>,
}

/// Which items a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub kind: Option<ReviewKind>,
    pub state: Option<ReviewState>,
    pub integration: Option<IntegrationId>,
    pub appointment: Option<AppointmentId>,
}

/// Opens an item, unless one of its kind is open for the appointment. Returns whether it did.
pub async fn open(tx: &mut TenantTx, row: &ReviewItem) -> Result<bool> {
    let statement = insert_into(review_item::table).values(row).on_conflict_do_nothing();
    Ok(Cached(statement).execute(tx.conn()).await? == 1)
}

/// One item. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: ReviewItemId) -> Result<ReviewItem> {
    let query = review_item::table.filter(review_item::id.eq(id)).select(ReviewItem::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::ReviewItem))
}

/// Whether an item of this kind is open for an integration as a whole.
pub async fn is_open(tx: &mut TenantTx, integration: IntegrationId, kind: ReviewKind) -> Result<bool> {
    let query = review_item::table
        .filter(review_item::integration_id.eq(integration))
        .filter(review_item::appointment_id.is_null())
        .filter(review_item::kind.eq(kind))
        .filter(review_item::state.eq(ReviewState::Open));
    Ok(select(exists(query)).get_result(tx.conn()).await?)
}

/// One item, locked until the transaction ends. Errors: `NotFound`.
pub async fn find_for_update(tx: &mut TenantTx, id: ReviewItemId) -> Result<ReviewItem> {
    let query =
        review_item::table.filter(review_item::id.eq(id)).select(ReviewItem::as_select()).for_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::ReviewItem))
}

/// The open item of this kind of an appointment.
pub async fn open_of(
    tx: &mut TenantTx,
    appointment: AppointmentId,
    kind: ReviewKind,
) -> Result<Option<ReviewItem>> {
    let query = review_item::table
        .filter(review_item::appointment_id.eq(appointment))
        .filter(review_item::kind.eq(kind))
        .filter(review_item::state.eq(ReviewState::Open))
        .select(ReviewItem::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// How an item ends.
#[derive(AsChangeset)]
#[diesel(table_name = review_item)]
struct Ended<'a> {
    state: ReviewState,
    resolution: Resolution,
    resolver: &'a str,
    resolve_time: DateTime<Utc>,
}

/// Nothing is left to decide.
fn settled(now: DateTime<Utc>) -> Ended<'static> {
    Ended {
        state: ReviewState::Resolved,
        resolution: Resolution::Settled,
        resolver: "system",
        resolve_time: now,
    }
}

/// Ends an item.
pub async fn resolve(
    tx: &mut TenantTx,
    id: ReviewItemId,
    resolution: Resolution,
    resolver: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let ended = Ended { state: ReviewState::Resolved, resolution, resolver, resolve_time: now };
    let statement = update(review_item::table.filter(review_item::id.eq(id))).set(ended);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Ends the open items of this kind of an appointment because there is nothing left to decide.
pub async fn settle(
    tx: &mut TenantTx,
    appointment: AppointmentId,
    kind: ReviewKind,
    now: DateTime<Utc>,
) -> Result<()> {
    let open = review_item::table
        .filter(review_item::appointment_id.eq(appointment))
        .filter(review_item::kind.eq(kind))
        .filter(review_item::state.eq(ReviewState::Open));
    Cached(update(open).set(settled(now))).execute(tx.conn()).await?;
    Ok(())
}

/// The same of an integration as a whole.
pub async fn settle_of_integration(
    tx: &mut TenantTx,
    integration: IntegrationId,
    kind: ReviewKind,
    now: DateTime<Utc>,
) -> Result<()> {
    let open = review_item::table
        .filter(review_item::integration_id.eq(integration))
        .filter(review_item::appointment_id.is_null())
        .filter(review_item::kind.eq(kind))
        .filter(review_item::state.eq(ReviewState::Open));
    Cached(update(open).set(settled(now))).execute(tx.conn()).await?;
    Ok(())
}

/// Ends the open items of conflicts that are none any more: of this appointment, and of this practitioner's.
pub async fn settle_conflicts(
    tx: &mut TenantTx,
    appointment: AppointmentId,
    practitioner: Option<PractitionerId>,
    now: DateTime<Utc>,
) -> Result<()> {
    // No slot is longer than 48 hours, which bounds what the index is asked for.
    let query = sql_query(
        "UPDATE review_item r SET state = 'resolved', resolution = 'settled', resolver = 'system', \
             resolve_time = $3 \
         FROM appointment a \
         WHERE r.state = 'open' AND r.kind = 'conflict' AND a.id = r.appointment_id \
             AND (a.id = $1 OR a.practitioner_id = $2) \
             AND NOT EXISTS (SELECT FROM appointment o WHERE o.practitioner_id = a.practitioner_id \
                 AND o.id <> a.id \
                 AND o.start_time >= a.occupied_start_time - interval '48 hours' \
                 AND o.start_time < a.occupied_end_time + interval '48 hours' \
                 AND o.occupied_start_time < a.occupied_end_time \
                 AND o.occupied_end_time > a.occupied_start_time \
                 AND (a.status = 'conflicting' AND o.status IN ('held', 'booked') \
                     OR a.status IN ('held', 'booked') AND o.status = 'conflicting'))",
    )
    .bind::<SqlUuid, _>(appointment)
    .bind::<Nullable<SqlUuid>, _>(practitioner)
    .bind::<Timestamptz, _>(now);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

/// A page, oldest first.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<ReviewItemId>,
) -> Result<Paged<ReviewItem, ReviewItemId>> {
    let mut query = review_item::table
        .order(review_item::id)
        .limit(page.limit())
        .select(ReviewItem::as_select())
        .into_boxed();
    if let Some(kind) = filter.kind {
        query = query.filter(review_item::kind.eq(kind));
    }
    if let Some(state) = filter.state {
        query = query.filter(review_item::state.eq(state));
    }
    if let Some(integration) = filter.integration {
        query = query.filter(review_item::integration_id.eq(integration));
    }
    if let Some(appointment) = filter.appointment {
        query = query.filter(review_item::appointment_id.eq(appointment));
    }
    if let Some(after) = page.after {
        query = query.filter(review_item::id.gt(after));
    }
    Ok(page.cut(query.load(tx.conn()).await?, |row: &ReviewItem| row.id))
}
