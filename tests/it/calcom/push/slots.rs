//! What is free: Cal.com's slots, less what is taken here.

use chrono::{TimeDelta, Utc};
use stellwerk::{
    domain::appointment::{self, Booking, FreeSlot},
    error::Error,
};

use crate::support::calcom::{Connected, app, connect_calcom, double, on_day};

async fn free(practice: &Connected, from: i64, until: i64) -> Result<Vec<FreeSlot>, Error> {
    appointment::free_slots(
        &practice.domain,
        &practice.admin(),
        practice.service,
        practice.practitioner,
        on_day(3, from),
        on_day(3, until),
        Utc::now(),
    )
    .await
}

#[tokio::test]
async fn a_slot_is_free_when_it_is_free_at_calcom_and_here() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.calcom.block(practice.host.id, on_day(3, 9), on_day(3, 10));
    // Of this Cal.com knows nothing.
    let local =
        Booking { service: None, duration: Some(TimeDelta::minutes(45)), ..practice.visit(on_day(3, 11)) };
    practice.try_book(local).await.unwrap();

    let found = free(&practice, 9, 13).await.unwrap();

    let half = TimeDelta::minutes(30);
    let starts: Vec<_> = found.iter().map(|slot| slot.start).collect();
    assert_eq!(starts, [on_day(3, 10), on_day(3, 10) + half, on_day(3, 12), on_day(3, 12) + half]);
    assert_eq!(found[0].end - found[0].start, half);
}

#[tokio::test]
async fn slots_are_asked_for_in_bounds_and_only_where_there_are_any() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;

    let backwards = free(&practice, 12, 9).await.unwrap_err();
    practice.change_integration(|row| row.read_only = true).await;
    let unconnected = free(&practice, 9, 12).await.unwrap_err();
    practice.change_integration(|row| row.read_only = false).await;
    practice.calcom.stop().await.unwrap();
    let out = free(&practice, 9, 12).await.unwrap_err();

    assert!(matches!(backwards, Error::Invalid(_)), "{backwards}");
    assert!(matches!(unconnected, Error::ServiceNotConnected), "{unconnected}");
    assert!(matches!(out, Error::ProviderUnavailable(_)), "{out}");
}
