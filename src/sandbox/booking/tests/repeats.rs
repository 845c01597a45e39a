//! What happens to an event that was not kept.

use super::*;

#[tokio::test]
async fn what_was_not_kept_is_repeated_unchanged_after_a_pause() {
    for scheme in [LEGACY, STANDARD] {
        let receiver = Receiver::start(scheme).await.answering(&[(503, "")]);
        let (pause, notes) = noted();

        let answers = receiver.tool().with_pause(pause).ping().await;

        let body = serde_json::json!({ "answer": 200 });
        assert_eq!(answers, [Delivered { status: Some(200), body, attempts: 2 }]);
        assert_eq!(*notes.lock().unwrap(), [1]);
        let seen = receiver.seen();
        assert_eq!(seen[0].body, seen[1].body);
        let id = |seen: &Seen| seen.signature.clone().unwrap().delivery_id;
        assert_eq!(id(&seen[0]), id(&seen[1]));
    }
}

#[tokio::test]
async fn anything_but_2xx_is_repeated_and_retry_after_is_honoured() {
    let script = [(429, "7"), (302, ""), (422, ""), (500, "soon"), (429, "0"), (204, "")];
    let receiver = Receiver::start(LEGACY).await.answering(&script);
    let (pause, notes) = noted();

    let answers = receiver.tool().with_pause(pause).ping().await;

    assert_eq!((answers[0].status, answers[0].attempts), (Some(204), 6));
    assert_eq!(*notes.lock().unwrap(), [7, 2, 4, 8, 1]);
}

#[tokio::test]
async fn after_a_day_of_pauses_the_tool_gives_up() {
    let receiver = Receiver::start(LEGACY).await.answering(&[(503, ""); 100]);
    let (pause, notes) = noted();

    let answers = receiver.tool().with_pause(pause).ping().await;

    let waited: u64 = notes.lock().unwrap().iter().sum();
    assert_eq!(statuses(&answers), [Some(503)]);
    assert_eq!(answers[0].attempts as usize, receiver.seen().len());
    assert!((23 * 3600..=24 * 3600).contains(&waited), "{waited}");
}

#[tokio::test]
async fn a_retry_after_beyond_a_day_is_not_waited_for() {
    let receiver = Receiver::start(LEGACY).await.answering(&[(429, "18446744073709551615")]);
    let (pause, notes) = noted();

    let answers = receiver.tool().with_pause(pause).ping().await;

    assert_eq!((statuses(&answers), notes.lock().unwrap().len()), (vec![Some(429)], 0));
}

#[tokio::test]
async fn an_event_nobody_takes_has_no_status() {
    let receiver = Receiver::start(LEGACY).await;
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let nobody = format!("http://{free}/hook").parse().unwrap();
    let (pause, notes) = noted();

    let tool = BookingTool::new(nobody, LEGACY, receiver.secret.clone()).unwrap().with_pause(pause);
    let answers = tool.ping().await;

    assert_eq!(statuses(&answers), [None]);
    assert!(notes.lock().unwrap().len() > 30);
}

#[tokio::test]
async fn a_wrong_secret_is_noticed_by_the_receiver() {
    let receiver = Receiver::start(STANDARD).await;
    let secret = signature::generate_secret(&STANDARD);
    let (pause, _) = noted();

    let tool = BookingTool::new(receiver.url.clone(), STANDARD, secret).unwrap().with_pause(pause);
    let answers = tool.ping().await;

    assert_eq!(statuses(&answers), [Some(401)]);
    assert_eq!(receiver.seen()[0].signature, Err(Refusal::Mismatch));
}
