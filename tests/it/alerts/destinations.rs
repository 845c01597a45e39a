//! Where alerts go: kept sealed, checked before they are kept.

use super::*;

fn fields(refused: Result<AlertDestination>) -> Vec<String> {
    match refused {
        Err(Error::Invalid(violations)) => violations.into_iter().map(|violation| violation.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_destination_shows_its_host_and_none_of_its_secrets() {
    let watched = Watched::new().await;
    let headers = [("Authorization", "Bearer hidden")];

    let made = watched
        .put(AlertDestinationKind::Webhook, "https://hooks.example.org/hidden?key=hidden", &headers)
        .await;
    let listed = watched.destination(made.id).await;

    assert_eq!((listed.url_host.as_str(), listed.name.as_str()), ("hooks.example.org", "Desk"));
    assert_eq!(listed, made);
    assert!(!format!("{listed:?}").contains("hidden"));
    let kept = watched.owner.value("SELECT d::text FROM alert_destination d").await;
    assert!(!kept.contains("hidden"), "{kept}");
}

/// A header that was given for one URL never goes to another.
#[tokio::test]
async fn a_replaced_destination_keeps_nothing_of_what_it_was() {
    let watched = Watched::new().await;
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    let id = watched.put(AlertDestinationKind::Webhook, &old.url("/"), &[("X-Key", "hidden")]).await.id;

    let replaced = destination(AlertDestinationKind::Webhook, &new.url("/"), &[]);
    let row = watched.try_put(Some(id), &replaced).await.unwrap();
    alert::test(&watched.domain, &watched.admin(), id, watched.begin).await.unwrap();

    assert_eq!(row.id, id);
    assert_eq!((old.received().len(), new.received().len()), (0, 1));
    assert!(!new.received()[0].headers.contains_key("x-key"));
}

#[tokio::test]
async fn addresses_that_may_not_be_called_and_headers_of_the_connection_are_refused() {
    let watched = Watched::new().await;
    let webhook =
        |url: &str, headers: &[(&str, &str)]| destination(AlertDestinationKind::Webhook, url, headers);
    let hooks = "https://hooks.example.org/";

    for (new, field) in [
        (webhook("http://hooks.example.org/", &[]), "url"),
        (webhook("https://10.0.0.1/", &[]), "url"),
        (webhook("https://169.254.169.254/", &[]), "url"),
        (webhook("ftp://hooks.example.org/", &[]), "url"),
        (webhook(hooks, &[("Host", "other.example.org")]), "headers[0].name"),
        (webhook(hooks, &[("X-A", "1"), ("Content-Length", "5")]), "headers[1].name"),
        (webhook(hooks, &[("Transfer-Encoding", "chunked")]), "headers[0].name"),
        (webhook(hooks, &[("X-A", "a\r\nX-B: b")]), "headers[0].value"),
        (destination(AlertDestinationKind::Slack, hooks, &[("X-A", "1")]), "headers"),
    ] {
        assert_eq!(fields(watched.try_put(None, &new).await), [field], "{new:?}");
    }
    assert_eq!(watched.owner.value("SELECT count(*) FROM alert_destination").await, "0");
}

/// P13.
#[tokio::test]
async fn a_tenant_has_twenty_destinations_at_most() {
    let watched = Watched::new().await;
    let new = destination(AlertDestinationKind::Webhook, "https://hooks.example.org/", &[]);
    for _ in 0..20 {
        watched.try_put(None, &new).await.unwrap();
    }

    let refused = watched.try_put(None, &new).await;

    assert!(matches!(refused, Err(Error::LimitReached(_))), "{refused:?}");
}

#[tokio::test]
async fn a_repeated_call_makes_no_second_destination_and_deletes_none_twice() {
    let watched = Watched::new().await;
    let new = destination(AlertDestinationKind::Webhook, "https://hooks.example.org/", &[]);
    let put =
        async |key: &Key| alert::put(&watched.domain, &watched.admin(), key, None, &new, watched.begin).await;
    let (one, two) =
        (Key::new("PutAlertDestination", "k1", b"a"), Key::new("DeleteAlertDestination", "k2", b"a"));

    let first = put(&one).await.unwrap();
    let repeated = put(&one).await.unwrap();
    let delete = async |key: &Key| alert::delete(&watched.domain, &watched.admin(), key, first.id).await;
    delete(&two).await.unwrap();
    delete(&two).await.unwrap();
    let again = delete(&no_key()).await;

    assert_eq!(repeated.id, first.id);
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    assert_eq!(watched.owner.value("SELECT count(*) FROM alert_destination").await, "0");
}

/// P3.
#[tokio::test]
async fn another_tenants_destinations_are_unknown() {
    let watched = Watched::new().await;
    let id = watched.put(AlertDestinationKind::Webhook, "https://hooks.example.org/", &[]).await.id;
    let other = TenantId::new();
    watched
        .owner
        .run(&format!("INSERT INTO tenant (tenant_id, name) VALUES ('{other}', 'Praxis Beispiel')"))
        .await;
    let stranger = Caller { role: Role::Admin, subject: "api_key|x".into(), ..Caller::system(other) };
    let new = destination(AlertDestinationKind::Webhook, "https://hooks.example.org/", &[]);

    let put = alert::put(&watched.domain, &stranger, &no_key(), Some(id), &new, watched.begin).await;
    let test = alert::test(&watched.domain, &stranger, id, watched.begin).await;
    let delete = alert::delete(&watched.domain, &stranger, &no_key(), id).await;
    let page = Page { size: 50, after: None };
    let seen = alert::list_destinations(&watched.domain, &stranger, &page).await.unwrap();

    assert!(matches!(put, Err(Error::NotFound(_))), "{put:?}");
    assert!(matches!(test, Err(Error::NotFound(_))), "{test:?}");
    assert!(matches!(delete, Err(Error::NotFound(_))), "{delete:?}");
    assert_eq!(seen.rows, []);
}
