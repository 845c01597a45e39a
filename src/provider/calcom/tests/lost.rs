//! Requests that come to nothing: what is certain about them.

use std::time::Duration;

use http::StatusCode;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::egress::EgressError;

/// A double that takes requests and never answers.
async fn silent() -> Double {
    let router = Router::new().fallback(std::future::pending::<StatusCode>);
    let hurried = |config| EgressConfig { request_timeout: Duration::from_millis(100), ..config };
    Double::serving(router, hurried).await
}

#[tokio::test]
async fn a_write_without_an_answer_is_unknown_and_a_read_may_be_repeated() {
    let double = silent().await;
    let calcom = Calcom { write_timeout: Duration::from_millis(100), ..double.calcom() };
    let start = at("2026-10-15T13:00:00Z");

    let unknown = CallError::Unknown(NoAnswer::Timeout);
    assert_eq!(calcom.create_booking(&new_booking()).await, Err(unknown.clone()));
    assert_eq!(calcom.reschedule_booking(UID, start, None, None).await, Err(unknown.clone()));
    assert_eq!(calcom.cancel_booking(UID, "closed").await, Err(unknown.clone()));
    assert_eq!(calcom.booking(UID).await, Err(CallError::Transient(NoAnswer::Timeout)));
    assert_eq!((unknown.class(), calcom.newest_exchange()), (Class::Unknown, None));
}

#[tokio::test]
async fn a_write_outlives_the_deadline_of_reads() {
    let (release, released) = tokio::sync::watch::channel(false);
    let body = json!({ "status": "success", "data": {
        "uid": UID, "status": "accepted", "start": "2026-10-14T07:30:00Z", "end": "2026-10-14T08:00:00Z",
    } });
    let slow = move || {
        let (mut released, body) = (released.clone(), body.to_string());
        async move {
            released.wait_for(|released| *released).await.unwrap();
            body
        }
    };
    let hurried = |config| EgressConfig { request_timeout: Duration::from_millis(100), ..config };
    let double = Double::serving(Router::new().fallback(slow), hurried).await;

    let (calcom, booking) = (double.calcom(), new_booking());
    let (created, ()) = tokio::join!(calcom.create_booking(&booking), async {
        // When a read has run into its deadline, the write is past that one, too.
        assert_eq!(double.calcom().booking(UID).await, Err(CallError::Transient(NoAnswer::Timeout)));
        release.send(true).unwrap();
    });

    assert_eq!(created.unwrap().bookings()[0].uid, UID);
    assert!(WRITE_TIMEOUT >= Duration::from_secs(30));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_a_write_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let breaking = tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = [0; 16];
            connection.read_exact(&mut head).await.unwrap();
        }
    });
    let allow_private = vec![at.to_string().parse().unwrap()];
    let egress = Egress::new(EgressConfig { allow_private, ..EgressConfig::default() }).unwrap();
    let (instance, key) = (format!("http://{at}/v2").parse().unwrap(), "cal_test_key".into());
    let calcom = Calcom::new(&egress, &instance, &key);

    let written = calcom.create_booking(&new_booking()).await;
    let read = calcom.booking(UID).await;

    breaking.abort();
    assert_eq!(written, Err(CallError::Unknown(NoAnswer::Broken)));
    assert_eq!(read, Err(CallError::Transient(NoAnswer::Broken)));
}

#[tokio::test]
async fn without_a_connection_nothing_was_done() {
    let vacant = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = vacant.local_addr().unwrap();
    drop(vacant);
    let allow_private = vec![at.to_string().parse().unwrap()];
    let egress = Egress::new(EgressConfig { allow_private, ..EgressConfig::default() }).unwrap();
    let (instance, key) = (format!("http://{at}/v2").parse().unwrap(), "cal_test_key".into());

    let error = Calcom::new(&egress, &instance, &key).create_booking(&new_booking()).await.unwrap_err();

    let refused = EgressError::Unreachable(std::io::ErrorKind::ConnectionRefused);
    assert_eq!((error.class(), error), (Class::Transient, CallError::NotSent(refused)));
}

#[tokio::test]
async fn a_private_address_is_not_called() {
    let egress = Egress::new(EgressConfig::default()).unwrap();
    let (instance, key) = ("https://127.0.0.1/v2".parse().unwrap(), "cal_test_key".into());

    let error = Calcom::new(&egress, &instance, &key).me().await.unwrap_err();

    assert_eq!(
        (error.class(), &error),
        (Class::Permanent, &CallError::AddressRefused(EgressError::AddressRefused))
    );
    assert_eq!(error.reason(), "ADDRESS_REFUSED");
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_no_key() {
    let double = Double::answering([]).await;
    let key = "cal_\nkey".into();

    let error = Calcom::new(&double.egress, &double.base, &key).me().await.unwrap_err();

    assert_eq!((error.class(), error), (Class::Credential, CallError::Credential));
    assert!(double.asked().is_empty());
}
