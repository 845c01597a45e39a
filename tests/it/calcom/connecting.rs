//! Linking an account: what is tried, what is taken over, what is refused.

use stellwerk::{
    caller::Caller,
    domain::{
        integration::{self, Changes, NewIntegration},
        sync_log,
    },
    error::{Error, Noun},
    sandbox::calcom::{EventTypeOptions, Frequency, NewBooking, Operation, Recurrence},
    words::{IntegrationState, Role, SyncKind, SyncState},
};

use crate::support::{
    app::TestApp,
    calcom::{self, on_day},
    desk,
    link::{Linked, field, key, line},
};

#[tokio::test]
async fn connecting_takes_over_event_types_practitioners_and_bookings_to_come() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.book_there(on_day(3, 10)).await;
    let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
    let house_visit =
        double.add_event_type(linked.host.id, "house-visit", "House visit", 60, options).expect("a kind");
    let asked = NewBooking::new(house_visit, on_day(4, 10), "Max Beispiel", "max@example.org");
    double.book_as_attendee(asked).await.expect("asked for");

    let row = linked.link().await;
    linked.idle().await;

    assert_eq!(row.account_id, Some(linked.host.id.to_string()));
    assert_eq!(row.account_name.as_deref(), Some("Mara Vogt"));
    assert_eq!(linked.state().await, IntegrationState::Connected);
    assert_eq!(
        linked
            .lines(
                "title || ', ' || (SELECT name FROM service WHERE id = service_id) || ', ' \
                     || (SELECT name FROM practitioner WHERE id = practitioner_id)",
                "event_type ORDER BY 1"
            )
            .await,
        ["House visit, House visit, Mara Vogt", "Visit, Visit, Mara Vogt"]
    );
    assert_eq!(
        linked.appointments().await,
        [line("booked", on_day(3, 10)), line("requested", on_day(4, 10))]
    );
    let run = linked.first_run().await;
    assert_eq!((run.kind, run.state, run.error_count), (SyncKind::Full, SyncState::Succeeded, 0));
    assert_eq!(
        (&run.counts["event_types"]["total"], &run.counts["bookings"]["total"]),
        (&2.into(), &2.into())
    );
}

#[tokio::test]
async fn an_event_type_is_the_service_of_its_name_that_is_there() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let service = tenant.put_service("VISIT").await;

    let linked = Linked::new(&app, &tenant, &double).await;

    assert_eq!(linked.lines("service_id", "event_type").await, [service]);
    assert_eq!(linked.lines("name", "service").await, ["VISIT"]);
}

#[tokio::test]
async fn a_service_that_an_admin_chose_stays_whatever_the_provider_calls_it() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let chosen = linked.lines("service_id", "event_type").await;

    double.edit_event_type(linked.event_type, |one| one.title = "Consultation".into()).expect("edited");
    linked.sync().await;

    assert_eq!(linked.lines("title", "event_type").await, ["Consultation"]);
    assert_eq!(linked.lines("service_id", "event_type").await, chosen);
}

#[tokio::test]
async fn what_cannot_be_booked_from_here_says_why() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    let weekly = Recurrence { frequency: Frequency::Weekly, interval: 1, occurrences: 4 };
    let kinds = [
        ("group", EventTypeOptions { seats: Some(5), ..Default::default() }),
        ("series", EventTypeOptions { recurrence: Some(weekly), ..Default::default() }),
        ("paid", EventTypeOptions { price_cents: 4_900, ..Default::default() }),
        ("asking", EventTypeOptions { required_fields: vec!["insurance".into()], ..Default::default() }),
        ("verified", EventTypeOptions { verifies_email: true, ..Default::default() }),
    ];
    for (slug, options) in kinds {
        double.add_event_type(linked.host.id, slug, slug, 30, options).expect("a kind");
    }

    linked.link().await;
    linked.idle().await;

    assert_eq!(
        linked.lines("slug || ' ' || coalesce(unsupported_reason, '-')", "event_type ORDER BY slug").await,
        [
            "asking REQUIRED_FIELDS",
            "group SEATS",
            "paid PAYMENT",
            "series RECURRENCE",
            "verified EMAIL_VERIFICATION",
            "visit -"
        ]
    );
}

/// As long as it is nobody's it keeps no time, so that somebody must know.
#[tokio::test]
async fn a_booking_that_is_nobodys_here_is_shown_to_a_person_until_it_is_somebodys() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    // As where several take turns, of whom one is new.
    linked.owner.run("UPDATE event_type SET practitioner_id = NULL; DELETE FROM practitioner_name").await;
    let items = async || linked.lines("kind || ' ' || reason || ' ' || state", "review_item").await;

    linked.book_there(on_day(3, 10)).await;
    double.quiet().await;
    linked.idle().await;
    let told = items().await;
    desk::add_practitioner(&tenant.admin, "Mara Vogt", &[]).await;

    assert_eq!(told, ["unmatched PRACTITIONER_UNKNOWN open"]);
    assert_eq!(items().await, ["unmatched PRACTITIONER_UNKNOWN resolved"]);
}

#[tokio::test]
async fn nobody_is_asked_any_more_whose_a_booking_is_when_it_is_over() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.owner.run("UPDATE event_type SET practitioner_id = NULL; DELETE FROM practitioner_name").await;
    let booking = linked.book_there(on_day(3, 10)).await;
    double.quiet().await;
    linked.idle().await;
    let asked = linked.lines("state", "review_item").await;
    let passed = "UPDATE appointment SET start_time = start_time - interval '9 days', \
        end_time = end_time - interval '9 days', \
        occupied_start_time = occupied_start_time - interval '9 days', \
        occupied_end_time = occupied_end_time - interval '9 days'; \
        UPDATE booking SET start_time = start_time - interval '9 days', \
        end_time = end_time - interval '9 days'";
    linked.owner.run(passed).await;

    double.end_meeting(&booking.uid).await.expect("ended");
    double.quiet().await;
    linked.idle().await;

    assert_eq!(linked.lines("status", "appointment").await, ["completed"]);
    assert_eq!(
        (asked, linked.lines("state", "review_item").await),
        (vec!["open".into()], vec!["resolved".into()])
    );
}

#[tokio::test]
async fn a_key_that_the_provider_does_not_take_links_nothing() {
    let app = calcom::app().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::prepare(&app, &tenant, &double).await;

    let wrong = NewIntegration { api_key: "cal_wrong".into(), ..linked.wish() };
    let refused = linked.try_link(wrong).await;

    assert!(matches!(refused, Err(Error::CredentialRefused)), "{refused:?}");
    assert_eq!(linked.lines("count(*)", "integration").await, ["0"]);
    assert_eq!(linked.lines("count(*)", "outbox").await, ["0"]);
}

#[tokio::test]
async fn an_instance_on_a_private_network_is_asked_only_if_the_operator_allows_it() {
    let app = TestApp::start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::prepare(&app, &tenant, &double).await;

    let refused = linked.try_link(linked.wish()).await;

    assert_eq!(field(refused), "instance_url");
    assert_eq!(double.requests().len(), 0);
}

#[tokio::test]
async fn an_address_that_is_no_instance_is_told_as_such() {
    let app = calcom::app().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::prepare(&app, &tenant, &double).await;

    for address in
        ["", "calendar", "https://user@example.org/v2", &format!("{}/v2?x=1", double.url()), &double.url()]
    {
        let wish = NewIntegration { instance_url: Some(address.into()), ..linked.wish() };

        assert_eq!(field(linked.try_link(wish).await), "instance_url", "{address}");
    }
}

#[tokio::test]
async fn a_provider_that_is_out_asks_for_another_try() {
    let app = calcom::app().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::prepare(&app, &tenant, &double).await;
    double.stop().await;

    let refused = linked.try_link(linked.wish()).await;

    assert!(matches!(refused, Err(Error::ProviderUnavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn only_providers_that_are_known_can_be_linked() {
    let app = calcom::app().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::prepare(&app, &tenant, &double).await;

    let wish = NewIntegration { provider: "horoscope".into(), ..linked.wish() };
    let refused = linked.try_link(wish).await;

    assert!(matches!(refused, Err(Error::NotFound(Noun::Provider))), "{refused:?}");
}

#[tokio::test]
async fn an_account_is_linked_once() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let another_key = double.add_key(linked.host.id).expect("a key");

    let again = NewIntegration { api_key: another_key.into(), ..linked.wish() };
    let refused = linked.try_link(again).await;

    assert!(matches!(refused, Err(Error::AccountTaken)), "{refused:?}");
}

#[tokio::test]
async fn a_repeated_call_finds_what_the_first_one_linked_and_asks_nobody() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::prepare(&app, &tenant, &double).await;
    let now = chrono::Utc::now();
    let create = async || {
        integration::create(&linked.domain, &linked.admin(), &key("once"), linked.wish(), now).await.unwrap()
    };
    let first = create().await;
    linked.idle().await;
    double.forget_requests();

    let again = create().await;

    assert_eq!(again.id, first.id);
    assert_eq!(double.requests().len(), 0);
}

#[tokio::test]
async fn another_tenants_event_type_stays_theirs() {
    let app = calcom::app().reachable().start().await;
    let double = calcom::double().await;
    let first = Linked::new(&app, &app.tenant("Praxis am Wall").await, &double).await;
    let stranger = app.tenant("Praxis am Tor").await;
    let mut second = Linked::prepare(&app, &stranger, &double).await;
    second.host = first.host.clone();
    double.delete_event_type(second.event_type);

    second.link().await;
    second.idle().await;

    let run = second.first_run().await;
    let subject = format!("event_type/{}", first.event_type);
    assert_eq!(run.state, SyncState::Partial);
    assert_eq!(run.errors, serde_json::json!([{ "subject": subject, "reason": "EVENT_TYPE_TAKEN" }]));
    assert_eq!(second.lines("count(*)", "event_type").await, ["0"]);
    // Nothing of what the refused one would have been is kept.
    assert_eq!(second.lines("count(*)", "service").await, ["0"]);
    assert_eq!(first.webhooks_of(first.event_type).len(), 1);
}

#[tokio::test]
async fn another_tenants_bookings_are_not_taken_in() {
    let app = calcom::app().reachable().start().await;
    let double = calcom::double().await;
    let first = Linked::new(&app, &app.tenant("Praxis am Wall").await, &double).await;
    let stranger = app.tenant("Praxis am Tor").await;
    let mut second = Linked::prepare(&app, &stranger, &double).await;
    second.host = first.host.clone();
    first.book_there(on_day(3, 10)).await;
    first.idle().await;

    second.link().await;
    second.idle().await;

    assert_eq!(first.appointments().await, [line("booked", on_day(3, 10))]);
    assert_eq!(second.appointments().await, [""; 0]);
}

#[tokio::test]
async fn an_event_type_that_goes_is_archived_and_one_that_comes_is_taken_over() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;

    double.delete_event_type(linked.event_type);
    double.add_event_type(linked.host.id, "talk", "Talk", 20, EventTypeOptions::default()).expect("a kind");
    linked.sync().await;

    assert_eq!(
        linked.lines("slug || ' ' || archived", "event_type ORDER BY slug").await,
        ["talk false", "visit true"]
    );
}

#[tokio::test]
async fn a_key_is_kept_sealed_and_shown_to_nobody() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);

    let linked = Linked::new(&app, &tenant, &double).await;

    let sealed = linked.lines("encode(sealed_secret, 'escape')", "credential").await;
    assert_eq!(sealed.len(), 1);
    assert!(!sealed[0].contains(&linked.host.api_key));
    let mut tx = linked.domain.store.caller(&linked.admin()).await.unwrap();
    assert!(stellwerk::store::credential::find(&mut tx, linked.integration).await.unwrap().is_none());
    assert!(linked.asked(Operation::GetMe) >= 1);
}

#[tokio::test]
async fn the_people_office_links_runs_looks_and_ends() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    let hr = Caller { role: Role::Hr, subject: "api_key|hr".into(), ..linked.admin() };
    let (domain, now) = (&app.domain, chrono::Utc::now());

    let row = integration::create(domain, &hr, &key("link"), linked.wish(), now).await.expect("linked");
    linked.integration = row.id;
    linked.idle().await;
    let run = sync_log::start(domain, &hr, &key("run"), row.id, now).await.expect("begun");
    linked.idle().await;
    let seen = sync_log::get(domain, &hr, run.id).await.expect("a run");
    let status = integration::status(domain, &hr, row.id, now).await.expect("a status");
    integration::disconnect(domain, &hr, &key("end"), row.id, now).await.expect("begun");
    linked.until(IntegrationState::Disconnected).await;

    assert_eq!(seen.state, SyncState::Succeeded);
    assert_eq!((status.runs.total, status.event_types.len(), status.subscriptions.len()), (2, 1, 1));
}

#[tokio::test]
async fn who_may_only_look_changes_nothing() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let practitioner = Caller { role: Role::Practitioner, ..linked.admin() };
    let (domain, id, now) = (&linked.domain, linked.integration, chrono::Utc::now());

    let made = integration::create(domain, &practitioner, &key(""), linked.wish(), now).await;
    let changes = Changes { read_only: Some(true), ..Changes::default() };
    let changed = integration::update(domain, &practitioner, &key(""), id, changes, now).await;
    let ended = integration::disconnect(domain, &practitioner, &key(""), id, now).await;

    assert!(matches!(made, Err(Error::RoleNotAllowed(Role::Practitioner))), "{made:?}");
    assert!(matches!(changed, Err(Error::NotFound(Noun::Integration))), "{changed:?}");
    assert!(matches!(ended, Err(Error::NotFound(Noun::Integration))), "{ended:?}");
    assert_eq!(linked.state().await, IntegrationState::Connected);
}

#[tokio::test]
async fn a_tenant_sees_nothing_of_anothers_link() {
    let app = calcom::app().reachable().start().await;
    let double = calcom::double().await;
    let linked = Linked::new(&app, &app.tenant("Praxis am Wall").await, &double).await;
    let stranger = Linked::prepare(&app, &app.tenant("Praxis am Tor").await, &double).await.admin();
    let (domain, now) = (&linked.domain, chrono::Utc::now());

    let seen = integration::status(domain, &stranger, linked.integration, now).await;
    let ended = integration::disconnect(domain, &stranger, &key(""), linked.integration, now).await;

    assert!(matches!(seen, Err(Error::NotFound(Noun::Integration))));
    assert!(matches!(ended, Err(Error::NotFound(Noun::Integration))));
    assert_eq!(linked.state().await, IntegrationState::Connected);
}
