//! P12. What did not work by itself waits for a person, whose decision is carried out.

use chrono::Utc;
use stellwerk::{
    caller::Caller,
    domain::{idempotency::Key, review},
    error::{Error, Noun, Result},
    ids::{AppointmentId, ReviewItemId},
    page::Page,
    sandbox::calcom::Operation,
    store::review_item::{Filter, ReviewItem},
    words::{AppointmentStatus, IntegrationState, ProviderSync, Resolution, ReviewKind, ReviewState, Role},
};

use crate::support::{
    PATIENCE,
    app::TestApp,
    calcom::{Connected, app, connect_calcom, double, no_key, on_day},
    wait_until,
};

async fn practice() -> (TestApp, Connected) {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    (app, practice)
}

/// An appointment whose time somebody's own calendar had, so that Cal.com refused it;
/// by now the time is free there.
async fn refused(practice: &Connected) -> (AppointmentId, ReviewItem) {
    practice.calcom.block(practice.host.id, on_day(3, 9), on_day(3, 10));
    let id = practice.book(on_day(3, 9)).await;
    practice.until(id, ProviderSync::Review).await;
    practice.calcom.unblock(practice.host.id);
    (id, only_item(practice).await)
}

/// An appointment that was moved to noon here and to another day there, and the latter counted.
async fn overruled(app: &TestApp, practice: &Connected) -> (AppointmentId, ReviewItem) {
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    practice.calcom.reschedule_as_attendee(&practice.only_living().uid, on_day(4, 9)).await.unwrap();
    practice.reschedule(id, on_day(3, 12)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    (id, only_item(practice).await)
}

async fn only_item(practice: &Connected) -> ReviewItem {
    let mut items = practice.review_items().await;
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

async fn resolve(practice: &Connected, id: ReviewItemId, resolution: Resolution) -> Result<ReviewItem> {
    review::resolve(&practice.domain, &practice.admin(), &no_key(), id, resolution, Utc::now()).await
}

#[tokio::test]
async fn a_refused_booking_that_is_tried_again_has_its_time_and_reaches_the_provider() {
    let (app, practice) = practice().await;
    let (id, item) = refused(&practice).await;

    let resolved = resolve(&practice, item.id, Resolution::Retry).await.unwrap();
    let row = practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!((resolved.state, resolved.resolution), (ReviewState::Resolved, Some(Resolution::Retry)));
    assert_eq!(resolved.resolver.as_deref(), Some("api_key|desk"));
    assert_eq!((row.status, row.start_time), (AppointmentStatus::Booked, on_day(3, 9)));
    assert_eq!(practice.only_living().start, on_day(3, 9));
    assert_eq!(practice.review_items().await, []);
}

#[tokio::test]
async fn a_time_that_was_given_away_meanwhile_is_not_taken_back() {
    let (app, practice) = practice().await;
    let (id, item) = refused(&practice).await;
    let other = practice.book(on_day(3, 9)).await;
    practice.until_synced(other).await;
    app.work_until_idle().await;

    let outcome = resolve(&practice, item.id, Resolution::Retry).await;

    assert!(matches!(outcome, Err(Error::SlotTaken)), "{outcome:?}");
    let row = practice.appointment(id).await;
    assert_eq!((row.status, row.sync.provider_sync), (AppointmentStatus::Conflicting, ProviderSync::Review));
    assert_eq!(only_item(&practice).await, item);
}

#[tokio::test]
async fn what_is_here_wins_when_a_person_says_so() {
    let (app, practice) = practice().await;
    let (id, item) = overruled(&app, &practice).await;
    let before = practice.appointment(id).await.start_time;

    resolve(&practice, item.id, Resolution::AcceptOurs).await.unwrap();
    let row = practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!((item.kind, before), (ReviewKind::EditedOnBothSides, on_day(4, 9)));
    assert_eq!((row.start_time, practice.only_living().start), (on_day(3, 12), on_day(3, 12)));
    let restored = practice.history(id).await;
    assert!(restored.iter().any(|change| change.starts_with("moved pending")), "{restored:?}");
}

#[tokio::test]
async fn what_is_here_cannot_win_once_its_time_is_given_away() {
    let (app, practice) = practice().await;
    let (id, item) = overruled(&app, &practice).await;
    let other = practice.book(on_day(3, 12)).await;
    practice.until_synced(other).await;
    app.work_until_idle().await;

    let outcome = resolve(&practice, item.id, Resolution::AcceptOurs).await;

    assert!(matches!(outcome, Err(Error::SlotTaken)), "{outcome:?}");
    assert_eq!(practice.appointment(id).await.start_time, on_day(4, 9));
    assert_eq!(only_item(&practice).await, item);
}

#[tokio::test]
async fn what_is_there_wins_when_a_person_says_so_whatever_was_changed_here() {
    let (app, practice) = practice().await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    practice.calcom.block(practice.host.id, on_day(3, 11), on_day(3, 12));
    practice.reschedule(id, on_day(3, 11)).await;
    practice.until(id, ProviderSync::Review).await;
    let item = only_item(&practice).await;
    // As an edit that the provider was never told of.
    let owner = app.database.owner().await;
    owner
        .run(&format!(
            "UPDATE appointment SET start_time = start_time + interval '5 h', \
             end_time = end_time + interval '5 h', \
             occupied_start_time = occupied_start_time + interval '5 h', \
             occupied_end_time = occupied_end_time + interval '5 h' WHERE id = '{id}'"
        ))
        .await;

    resolve(&practice, item.id, Resolution::AcceptTheirs).await.unwrap();
    let row = practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!((row.start_time, practice.only_living().start), (on_day(3, 9), on_day(3, 9)));
    assert_eq!(practice.asked(Operation::RescheduleBooking), 1);
    assert_eq!(practice.review_items().await, []);
}

#[tokio::test]
async fn what_is_there_wins_when_the_pause_ends_during_which_a_person_said_so() {
    let (app, practice) = practice().await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    practice.calcom.block(practice.host.id, on_day(3, 11), on_day(3, 12));
    practice.reschedule(id, on_day(3, 11)).await;
    practice.until(id, ProviderSync::Review).await;
    app.work_until_idle().await;
    let item = only_item(&practice).await;
    practice.change_integration(|row| row.inbound_paused = true).await;

    resolve(&practice, item.id, Resolution::AcceptTheirs).await.unwrap();
    let owner = app.database.owner().await;
    let waits = "SELECT coalesce(reason, '') FROM outbox WHERE NOT is_leased";
    wait_until("the decision waits", PATIENCE, async || owner.lines(waits).await == ["INBOUND_PAUSED"]).await;
    practice.change_integration(|row| row.inbound_paused = false).await;
    app.hurry().await;
    let row = practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!((row.start_time, practice.only_living().start), (on_day(3, 9), on_day(3, 9)));
}

/// Whatever was decided would come to nothing.
#[tokio::test]
async fn deletions_cannot_be_accepted_while_nothing_is_read() {
    let (app, practice) = practice().await;
    let asked = format!(
        "INSERT INTO review_item (tenant_id, id, kind, reason, integration_id) \
         VALUES ('{}', gen_random_uuid(), 'deletions_over_guard', 'TOO_MANY_GONE', '{}')",
        practice.tenant, practice.integration
    );
    app.database.owner().await.run(&asked).await;
    let item = only_item(&practice).await;
    practice.change_integration(|row| row.inbound_paused = true).await;

    let outcome = resolve(&practice, item.id, Resolution::AcceptTheirs).await;

    let kind = ReviewKind::DeletionsOverGuard;
    assert!(matches!(outcome, Err(Error::ResolutionNotPossible(of)) if of == kind), "{outcome:?}");
    assert_eq!(only_item(&practice).await, item);
}

#[tokio::test]
async fn a_dismissed_item_ends_and_nothing_else_does() {
    let (_app, practice) = practice().await;
    let (id, item) = refused(&practice).await;
    let before = practice.appointment(id).await;

    let resolved = resolve(&practice, item.id, Resolution::Dismiss).await.unwrap();

    assert_eq!(resolved.resolution, Some(Resolution::Dismiss));
    assert!(resolved.resolve_time.is_some());
    assert_eq!(practice.appointment(id).await, before);
    assert_eq!((practice.review_items().await, practice.living()), (vec![], vec![]));
}

#[tokio::test]
async fn an_item_is_resolved_once_and_a_repeated_call_answers_as_the_first() {
    let (_app, practice) = practice().await;
    let (_, item) = refused(&practice).await;
    let key = Key::new("ResolveReviewItem", "k1", b"dismiss");
    let call = async |resolution, key: &Key| {
        review::resolve(&practice.domain, &practice.admin(), key, item.id, resolution, Utc::now()).await
    };

    let first = call(Resolution::Dismiss, &key).await.unwrap();
    let repeated = call(Resolution::Dismiss, &key).await.unwrap();
    let again = call(Resolution::Retry, &no_key()).await;

    assert_eq!(repeated, first);
    assert!(matches!(again, Err(Error::ReviewItemResolved(Resolution::Dismiss))), "{again:?}");
}

#[tokio::test]
async fn what_cannot_be_decided_like_that_is_refused_by_kind() {
    let (app, practice) = practice().await;
    let (_, item) = refused(&practice).await;
    let owner = app.database.owner().await;

    // Nothing was ever booked there that could be read.
    let theirs = resolve(&practice, item.id, Resolution::AcceptTheirs).await;
    let settled = resolve(&practice, item.id, Resolution::Settled).await;
    owner.run("UPDATE review_item SET kind = 'conflict'").await;
    let ours = resolve(&practice, item.id, Resolution::AcceptOurs).await;

    let refused = |outcome: &Result<ReviewItem>, kind| {
        let Err(Error::ResolutionNotPossible(of)) = outcome else { return false };
        *of == kind
    };
    assert!(refused(&theirs, ReviewKind::RequiresManualReview), "{theirs:?}");
    assert!(refused(&settled, ReviewKind::RequiresManualReview), "{settled:?}");
    assert!(refused(&ours, ReviewKind::Conflict), "{ours:?}");
    assert_eq!(only_item(&practice).await.state, ReviewState::Open);
}

#[tokio::test]
async fn nothing_is_queued_for_a_provider_that_is_not_asked_any_more() {
    let (app, practice) = practice().await;
    let (_, item) = overruled(&app, &practice).await;
    practice.change_integration(|row| row.state = IntegrationState::NeedsReconnect).await;

    for resolution in [Resolution::AcceptOurs, Resolution::AcceptTheirs] {
        let outcome = resolve(&practice, item.id, resolution).await;

        let state = IntegrationState::NeedsReconnect;
        assert!(matches!(outcome, Err(Error::IntegrationState(of)) if of == state), "{outcome:?}");
    }
    assert_eq!(app.database.owner().await.value("SELECT count(*) FROM outbox").await, "0");
}

/// P3.
#[tokio::test]
async fn another_tenants_items_are_unknown() {
    let (app, practice) = practice().await;
    let (_, item) = refused(&practice).await;
    let globex = app.tenant("globex").await;
    let stranger = Caller {
        role: Role::Admin,
        subject: "api_key|stranger".into(),
        ..Caller::system(stellwerk::ids::TenantId(globex.id))
    };
    let page = Page { size: 50, after: None };

    let seen = review::list(&practice.domain, &stranger, &Filter::default(), &page).await.unwrap();
    let outcome =
        review::resolve(&practice.domain, &stranger, &no_key(), item.id, Resolution::Dismiss, Utc::now())
            .await;

    assert_eq!(seen.rows, []);
    assert!(matches!(outcome, Err(Error::NotFound(Noun::ReviewItem))), "{outcome:?}");
    assert_eq!(only_item(&practice).await, item);
}

#[tokio::test]
async fn a_list_shows_what_its_filter_asks_for_page_by_page() {
    let (_app, practice) = practice().await;
    let (id, first) = refused(&practice).await;
    resolve(&practice, first.id, Resolution::Dismiss).await.unwrap();
    practice.calcom.block(practice.host.id, on_day(5, 9), on_day(5, 10));
    let other = practice.book(on_day(5, 9)).await;
    practice.until(other, ProviderSync::Review).await;
    let second = only_item(&practice).await;
    let list = async |filter: Filter, size: i64, after| {
        let page = Page { size, after };
        let paged = review::list(&practice.domain, &practice.admin(), &filter, &page).await.unwrap();
        (paged.rows.iter().map(|row| row.id).collect::<Vec<_>>(), paged.next)
    };

    let open = Filter { state: Some(ReviewState::Open), ..Filter::default() };
    let of_one = Filter { appointment: Some(id), ..Filter::default() };
    let of_kind = Filter { kind: Some(ReviewKind::Conflict), ..Filter::default() };

    let (page, next) = list(Filter::default(), 1, None).await;
    assert_eq!((page, list(Filter::default(), 1, next).await), (vec![first.id], (vec![second.id], None)));
    assert_eq!(list(open, 50, None).await.0, [second.id]);
    assert_eq!(list(of_one, 50, None).await.0, [first.id]);
    assert_eq!(list(of_kind, 50, None).await.0, []);
}
