//! What is booked where nothing is written to.

use stellwerk::{
    domain::{appointment::Shown, engine::lineage::Certainty},
    sandbox::calcom::Operation,
    words::ProviderSync,
};

use crate::support::{
    PATIENCE,
    calcom::{app, connect_calcom, double, on_day},
};

fn told(shown: Shown) -> (ProviderSync, Option<String>) {
    let sync = shown.appointment.sync;
    (sync.provider_sync, sync.provider_sync_reason)
}

/// P12.
#[tokio::test]
async fn an_edit_that_is_never_written_is_not_told_as_there() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let there = practice.book_there(on_day(3, 9)).await;
    let id = practice.learn(&there.uid, Certainty::Told).await.appointment.unwrap();
    practice.change_integration(|row| row.read_only = true).await;

    let moved = practice.try_reschedule(id, on_day(3, 11), Some(PATIENCE)).await.unwrap();
    practice.learn(&there.uid, Certainty::Read).await;
    let read = practice.standing(id).await;
    let moved_back = practice.try_reschedule(id, on_day(3, 9), Some(PATIENCE)).await.unwrap();
    let cancelled = practice.try_cancel(id, Some(PATIENCE)).await.unwrap();
    app.work_until_idle().await;

    let unwritten = (ProviderSync::None, Some("READ_ONLY".to_owned()));
    assert_eq!((told(moved), read), (unwritten.clone(), ProviderSync::None));
    assert_eq!(told(moved_back), (ProviderSync::Synced, None));
    assert_eq!(told(cancelled), unwritten);
    assert_eq!(practice.only_living().uid, there.uid);
    assert_eq!(practice.asked(Operation::RescheduleBooking) + practice.asked(Operation::CancelBooking), 0);
}
