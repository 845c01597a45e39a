//! Going away and coming back.

use super::*;

#[tokio::test]
async fn during_an_outage_callers_are_refused_and_afterwards_everything_is_as_it_was() {
    let stage = Stage::start().await;
    let uid = stage.book("2026-10-14T07:30:00Z").await.uid;
    let url = format!("{}/v2/me", stage.calcom.url());

    stage.calcom.stop().await;
    stage.calcom.stop().await;
    let refused = stage.client.get(&url).send().await;
    stage.calcom.cancel_as_host(&uid, None).await.unwrap();
    stage.calcom.start_again().await.unwrap();
    stage.calcom.start_again().await.unwrap();

    assert!(refused.unwrap_err().is_connect());
    let shown = stage.get(&format!("/v2/bookings/{uid}")).await;
    assert_eq!(shown.data()["status"], "cancelled");
}

#[tokio::test]
async fn an_outage_cuts_those_who_wait_for_an_answer() {
    let stage = Stage::start().await;
    let mut gate = stage.calcom.pause_next(Point::AfterApplying, Operation::GetMe);

    let url = format!("{}/v2/me", stage.calcom.url());
    let waiting = stage.client.get(url).bearer_auth(&stage.host.api_key).send();
    let (answer, ()) = tokio::join!(waiting, async {
        gate.reached().await.unwrap();
        stage.calcom.stop().await;
    });

    assert!(answer.is_err());
}

#[tokio::test]
async fn with_its_last_handle_it_stops() {
    let stage = Stage::start().await;
    let (url, client) = (stage.calcom.url(), stage.client.clone());
    let second = stage.calcom.clone();
    drop(stage);
    let with_one_left = client.get(&url).send().await.unwrap().status();

    drop(second);

    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while client.get(&url).send().await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "still there");
        tokio::task::yield_now().await;
    }
    assert_eq!(with_one_left, 200);
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();

    let refused = Calcom::start_on(listener, Settings::default());

    assert!(matches!(refused, Err(Error::NotLoopback)));
}
