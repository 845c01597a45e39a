//! All that is to come, compared both ways: what lives here but not there is looked at on its own, what
//! should be there and is not is written again.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{NOUN, Record, Result, Stop, count_unreadable, page, refresh, take_in};
use crate::{
    domain::engine::{pages::Pager, push, record::Ground},
    ids::ReviewItemId,
    store::{self, booking::Booking, review_item::ReviewItem},
    words::{ReviewKind, ReviewState},
};

/// How far each sweep is that did not end.
const CURSORS: &str = "sweep/";
/// Fewer than this are looked at without asking anybody.
const FEW: usize = 10;
/// Appointments that one sweep writes again, at most; the next one goes on.
const WRITTEN_AT_MOST: i64 = 500;
const TOO_MANY_GONE: &str = "TOO_MANY_GONE";

/// Compares. An attempt that ended early is gone on with by the next one of the same `round`.
pub(in crate::domain::engine) async fn sweep(
    ground: &Ground<'_>,
    record: &mut Record,
    round: Uuid,
    accept_deletions: bool,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let cursor = format!("{CURSORS}{round}");
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let reached = store::sync_log::watermark(&mut tx, ground.id(), &cursor).await?;
    tx.commit().await?;
    // A cursor in the past is one of a sweep whose rest has become history.
    let mut pager = Pager::living(reached.filter(|reached| *reached > now).unwrap_or(now));
    loop {
        let asked_time = Utc::now();
        let from = pager.reached();
        let page = page(ground, pager.query()).await?;
        count_unreadable(record, &page);
        if let Some(total) = page.total.filter(|_| record.count(NOUN).total.is_none()) {
            record.count(NOUN).total = Some(total);
        }
        let turned = pager.turn(page);
        take_in(ground, record, &turned.fresh, NOUN).await?;
        let until = Some(pager.reached()).filter(|_| !turned.is_last);
        let known = living(ground, from, until, asked_time).await?;
        let gone: Vec<&Booking> =
            known.iter().filter(|one| !turned.uids.contains(&one.external_id)).collect();
        look_at(ground, record, &gone, known.len(), accept_deletions).await?;
        match until {
            Some(reached) => set_cursor(ground, &cursor, reached).await?,
            None => forget_cursors(ground).await?,
        }
        record.save(ground).await?;
        if turned.is_last {
            break;
        }
    }
    // What an attempt before this one met is not in the record of every run.
    if reached.is_none() && !record.may_have_met(TOO_MANY_GONE) {
        settle(ground, now).await?;
    }
    write_again(ground, record).await
}

async fn living(
    ground: &Ground<'_>,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    asked_time: DateTime<Utc>,
) -> Result<Vec<Booking>> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let known = store::booking::living(&mut tx, ground.id(), from, until, asked_time).await?;
    tx.end_reading();
    Ok(known)
}

/// Reads each one that the list left out, unless so many are gone at once that a person should look first:
/// then something else is wrong more often than not.
async fn look_at(
    ground: &Ground<'_>,
    record: &mut Record,
    gone: &[&Booking],
    known: usize,
    accept_deletions: bool,
) -> Result<()> {
    let (now, cause) = (Utc::now(), record.cause());
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    if !accept_deletions && are_too_many(gone.len(), known) {
        record.add_error(NOUN.into(), TOO_MANY_GONE);
        if !store::review_item::is_open(&mut tx, ground.id(), ReviewKind::DeletionsOverGuard).await? {
            let item = ReviewItem {
                id: ReviewItemId::new(),
                kind: ReviewKind::DeletionsOverGuard,
                state: ReviewState::Open,
                integration_id: Some(ground.id()),
                appointment_id: None,
                intent_id: None,
                reason: TOO_MANY_GONE.into(),
                resolution: None,
                resolver: None,
                open_time: now,
                resolve_time: None,
            };
            store::review_item::open(&mut tx, &item).await?;
        }
    } else {
        for booking in gone {
            refresh::queue(&mut tx, ground.id(), &booking.external_id, &cause, now).await?;
        }
    }
    tx.commit().await
}

/// What a person was asked about has come back, or was seen to be gone.
async fn settle(ground: &Ground<'_>, now: DateTime<Utc>) -> Result<()> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let kind = ReviewKind::DeletionsOverGuard;
    store::review_item::settle_of_integration(&mut tx, ground.id(), kind, now).await?;
    tx.commit().await
}

/// More than a third of a page, and more than a few.
fn are_too_many(gone: usize, known: usize) -> bool {
    gone >= FEW && gone * 3 > known
}

async fn set_cursor(ground: &Ground<'_>, cursor: &str, reached: DateTime<Utc>) -> Result<()> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    store::sync_log::set_watermark(&mut tx, ground.id(), cursor, Some(reached), Utc::now()).await?;
    tx.commit().await
}

/// This round's, and those of rounds that were called off: there is one at a time.
async fn forget_cursors(ground: &Ground<'_>) -> Result<()> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    store::sync_log::forget_watermarks(&mut tx, ground.id(), CURSORS).await?;
    tx.commit().await
}

/// Queues a write of every appointment to come that the provider should have, or should have otherwise.
async fn write_again(ground: &Ground<'_>, record: &mut Record) -> Result<(), Stop> {
    if ground.integration.read_only {
        return Ok(());
    }
    let (now, cause) = (Utc::now(), record.cause());
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let differing =
        store::appointment::differing_at_provider(&mut tx, ground.id(), now, WRITTEN_AT_MOST).await?;
    tx.commit().await?;
    for id in differing {
        let mut tx = ground.domain.store.tenant(ground.tenant).await?;
        let is_written = push::queue_again(&mut tx, &cause, id, now).await?;
        tx.commit().await?;
        let count = record.count("appointments");
        count.processed += 1;
        count.repaired += u64::from(is_written);
    }
    record.save(ground).await
}

#[cfg(test)]
mod tests {
    use super::are_too_many;

    #[test]
    fn a_few_gone_bookings_need_nobodys_consent_and_a_third_of_many_does() {
        assert!(!are_too_many(9, 9));
        assert!(!are_too_many(10, 30));
        assert!(are_too_many(11, 30));
        assert!(are_too_many(10, 10));
    }
}
