//! Where keys come from over time: a file that changes, a key server that rotates, fails and recovers.

use axum::http::StatusCode;

use super::*;

#[tokio::test]
async fn a_changed_file_is_read_again_and_a_broken_one_leaves_the_old_keys() {
    let file = KeyFile::of(&jwt::jwks(&[ES256]));
    let issuers = issuers(config(file.source()));
    let (old, new) = (ES256.sign(&claims()), ES256_NEXT.sign(&claims()));
    assert!(issuers.verify(&old, now()).await.is_ok());

    file.write(&json!("half a fi"));
    assert!(issuers.verify(&old, after(2)).await.is_ok());
    assert_eq!(issuers.verify(&new, after(2)).await, Err(TokenRefusal::KeysUnavailable));

    file.write(&jwt::jwks(&[EDDSA, ES256_NEXT]));
    assert!(issuers.verify(&new, after(8)).await.is_ok());
    assert_eq!(issuers.verify(&old, after(8)).await, Err(TokenRefusal::UnknownKey));
}

#[tokio::test]
async fn fetched_keys_are_kept_until_they_are_due() {
    let server = KeyServer::start(&[ES256]).await;
    let issuers = issuers_at(&server);
    let token = ES256.sign(&with("exp", json!(after(3600).timestamp())));

    for seconds in [0, 1, 599] {
        assert!(issuers.verify(&token, after(seconds)).await.is_ok());
    }
    assert_eq!(server.calls(), 1);

    server.rotate_to(&[ES256_NEXT]);
    assert_eq!(issuers.verify(&token, after(600)).await, Err(TokenRefusal::UnknownKey), "withdrawn");
    assert_eq!(server.calls(), 3, "once for the age, once for the unknown key");
}

#[tokio::test]
async fn a_rotated_key_is_fetched_once_and_strangers_cannot_cause_more() {
    let server = KeyServer::start(&[ES256]).await;
    let issuers = issuers_at(&server);
    assert!(issuers.verify(&ES256.sign(&claims()), now()).await.is_ok());

    server.rotate_to(&[ES256, ES256_NEXT]);
    assert!(issuers.verify(&ES256_NEXT.sign(&claims()), after(5)).await.is_ok());
    assert_eq!(server.calls(), 2);

    for (kid, seconds) in [("a", 6), ("b", 20), ("c", 34)] {
        let told = issuers.verify(&invented(kid), after(seconds)).await;
        assert_eq!(told, Err(TokenRefusal::KeysUnavailable), "nobody was asked");
    }
    assert_eq!(server.calls(), 2);
    assert_eq!(issuers.verify(&invented("d"), after(35)).await, Err(TokenRefusal::UnknownKey));
    assert_eq!(server.calls(), 3);
}

#[tokio::test]
async fn a_nameless_key_that_was_replaced_is_fetched_once_and_strangers_cannot_cause_more() {
    let nameless = |key: TestKey| {
        let mut keys = jwt::jwks(&[key]);
        keys["keys"][0].as_object_mut().expect("a key").remove("kid");
        keys.to_string()
    };
    let signed = |key: TestKey| key.sign_with_header(&json!({ "alg": "ES256" }), &claims());
    let server = KeyServer::start(&[ES256]).await;
    server.answer_with(StatusCode::OK, &nameless(ES256));
    let issuers = issuers_at(&server);
    assert!(issuers.verify(&signed(ES256), now()).await.is_ok());

    server.answer_with(StatusCode::OK, &nameless(ES256_NEXT));
    assert!(issuers.verify(&signed(ES256_NEXT), after(5)).await.is_ok());
    assert_eq!(server.calls(), 2);

    for seconds in [6, 20, 34] {
        assert_eq!(issuers.verify(&signed(ES256), after(seconds)).await, Err(TokenRefusal::BadSignature));
    }
    assert_eq!(server.calls(), 2);
}

fn invented(kid: &str) -> String {
    ES256.sign_with_header(&json!({ "alg": "ES256", "kid": kid }), &claims())
}

#[tokio::test]
async fn a_new_key_right_after_an_invented_one_is_not_called_unknown() {
    let server = KeyServer::start(&[ES256]).await;
    let issuers = issuers_at(&server);
    assert_eq!(issuers.verify(&invented("a"), after(1)).await, Err(TokenRefusal::UnknownKey));
    server.rotate_to(&[ES256, ES256_NEXT]);
    let rotated = ES256_NEXT.sign(&claims());

    assert_eq!(issuers.verify(&rotated, after(2)).await, Err(TokenRefusal::KeysUnavailable), "come back");
    assert!(issuers.verify(&rotated, after(31)).await.is_ok());
}

/// Its bearer is to sign in again, whatever strangers invent meanwhile.
#[tokio::test]
async fn a_withdrawn_key_is_called_unknown_though_nobody_may_be_asked() {
    let server = KeyServer::start(&[ES256]).await;
    let issuers = issuers_at(&server);
    let mut old = with("exp", json!(after(3600).timestamp()));
    old["iat"] = json!(after(-120).timestamp());
    let old = ES256_NEXT.sign(&old);

    assert_eq!(issuers.verify(&invented("a"), after(1)).await, Err(TokenRefusal::UnknownKey));
    let calls = server.calls();

    assert_eq!(issuers.verify(&old, after(2)).await, Err(TokenRefusal::UnknownKey));
    assert_eq!(server.calls(), calls);
}

#[tokio::test]
async fn many_callers_share_one_fetch() {
    let server = KeyServer::start(&[ES256]).await;
    let issuers = issuers_at(&server);
    let (known, rotated) = (ES256.sign(&claims()), ES256_NEXT.sign(&claims()));

    let first = futures::future::join_all((0..20).map(|_| issuers.verify(&known, now()))).await;
    assert!(first.iter().all(Result::is_ok));
    assert_eq!(server.calls(), 1);

    server.rotate_to(&[ES256_NEXT]);
    let second = futures::future::join_all((0..20).map(|_| issuers.verify(&rotated, after(1)))).await;
    assert!(second.iter().all(Result::is_ok));
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_end_the_fetch() {
    let server = KeyServer::start(&[ES256]).await;
    let issuers = issuers_at(&server);
    let token = ES256.sign(&claims());

    // Polled once: the fetch has begun, its caller is gone.
    assert!(futures::FutureExt::now_or_never(issuers.verify(&token, now())).is_none());

    assert!(issuers.verify(&token, now()).await.is_ok());
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn old_keys_serve_for_a_day_while_the_key_server_is_out_of_reach() {
    let server = KeyServer::start(&[ES256]).await;
    let issuers = issuers_at(&server);
    let token = ES256.sign(&with("exp", json!(after(48 * 3600).timestamp())));
    assert!(issuers.verify(&token, now()).await.is_ok());

    server.stop().await;

    assert!(issuers.verify(&token, after(601)).await.is_ok());
    assert_eq!(
        issuers.verify(&ES256_NEXT.sign(&claims()), after(20)).await,
        Err(TokenRefusal::KeysUnavailable)
    );
    assert!(issuers.verify(&token, after(24 * 3600 - 1)).await.is_ok());
    assert_eq!(issuers.verify(&token, after(24 * 3600)).await, Err(TokenRefusal::KeysUnavailable));
}

#[tokio::test]
async fn a_key_server_that_recovers_is_asked_again_soon() {
    let server = KeyServer::start(&[ES256]).await;
    let issuers = issuers_at(&server);
    let token = ES256.sign(&claims());

    server.answer_with(StatusCode::SERVICE_UNAVAILABLE, "");
    assert_eq!(issuers.verify(&token, now()).await, Err(TokenRefusal::KeysUnavailable));
    server.rotate_to(&[ES256]);
    assert_eq!(issuers.verify(&token, after(4)).await, Err(TokenRefusal::KeysUnavailable), "too soon");
    assert!(issuers.verify(&token, after(5)).await.is_ok());

    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn an_answer_that_is_no_bounded_key_set_is_not_taken() {
    let server = KeyServer::start(&[ES256]).await;
    let issuers = issuers_at(&server);
    let token = ES256.sign(&with("exp", json!(after(36_000).timestamp())));
    assert!(issuers.verify(&token, now()).await.is_ok());
    let (mut crowd, mut bulk) = (jwt::jwks(&[ES256; 101]), jwt::jwks(&[ES256_NEXT]));
    crowd["keys"][0]["kid"] = json!("crowd");
    bulk["padding"] = json!("x".repeat(1024 * 1024));

    for (round, body) in
        (1..).zip(["<html>".to_owned(), "[]".to_owned(), crowd.to_string(), bulk.to_string()])
    {
        server.answer_with(StatusCode::OK, &body);
        assert!(issuers.verify(&token, after(round * 1000)).await.is_ok(), "old keys, round {round}");
        assert_eq!(server.calls(), 1 + usize::try_from(round).expect("small"));
    }
    server.answer_with(StatusCode::OK, r#"{ "keys": [] }"#);
    assert_eq!(
        issuers.verify(&token, after(9000)).await,
        Err(TokenRefusal::UnknownKey),
        "all keys withdrawn"
    );
}

#[tokio::test]
async fn a_key_server_on_a_private_network_needs_the_operators_permission() {
    let server = KeyServer::start(&[ES256]).await;
    let source = KeySource::jwks_url(server.url().parse().expect("a URL"));
    let issuers = issuers(config(source));

    assert_eq!(refusal(&issuers, &ES256.sign(&claims())).await, TokenRefusal::KeysUnavailable);
    assert_eq!(server.calls(), 0);
}
