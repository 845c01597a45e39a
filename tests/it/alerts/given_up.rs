//! A write whose tries are used up, seen in the share of those that succeed.

use std::time::Duration;

use chrono::Utc;
use stellwerk::{
    domain::{
        alert::{self, Thresholds},
        review,
    },
    page::Page,
    sandbox::calcom::{Fault, Operation},
    store::{self, alert::Filter},
    words::{AlertRule, ProviderSync, Resolution},
};

use crate::support::{
    calcom::{Connected, app, connect_calcom, double, no_key, on_day},
    wait_until,
};

/// P15. Nobody refused it, and yet it is not there.
#[tokio::test]
async fn a_write_that_was_given_up_is_a_failure_until_it_is_tried_again() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(4, Operation::CreateBooking, Fault::ErrorBefore { status: 500 });

    let id = practice.book(on_day(3, 9)).await;
    wait_until("all tries are used up", Duration::from_secs(60), async || {
        app.hurry().await;
        practice.standing(id).await == ProviderSync::Review
    })
    .await;
    let given_up = (share(&practice).await, outcomes(&practice).await);
    let item = practice.review_items().await.remove(0);
    let by = practice.admin();
    review::resolve(&practice.domain, &by, &no_key(), item.id, Resolution::Retry, Utc::now()).await.unwrap();
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(given_up, (Some(0.0), vec![("failure".to_owned(), 1.0)]));
    assert_eq!(
        (share(&practice).await, outcomes(&practice).await),
        (None, vec![("success".to_owned(), 1.0)])
    );
}

/// What an alert says of it, if there is one.
async fn share(practice: &Connected) -> Option<f64> {
    let thresholds = Thresholds { sync_success_of: 1, ..Thresholds::default() };
    alert::check(&practice.domain, practice.tenant, &thresholds, Utc::now()).await.unwrap();
    let page = Page { size: 200, after: None };
    let paged = alert::list(&practice.domain, &practice.admin(), &Filter::default(), &page).await.unwrap();
    paged.rows.into_iter().find(|alert| alert.rule == AlertRule::SyncSuccess).map(|alert| alert.value)
}

/// What a metric says of it.
async fn outcomes(practice: &Connected) -> Vec<(String, f64)> {
    let measured = store::standing::measure(&practice.domain.store).await.unwrap();
    let of_writes = measured.into_iter().filter(|standing| standing.measure == "sync");
    of_writes.filter_map(|standing| Some((standing.label?, standing.value))).collect()
}
