//! What webhooks did not tell, found all the same, and what of it is a person's to decide.

use chrono::{SubsecRound, TimeDelta, Utc};
use stellwerk::{
    proto,
    sandbox::calcom::{Fault, NewBooking, Operation, Rule},
    words::{SyncKind, SyncState},
};

use crate::support::{
    calcom::{self, on_day},
    desk,
    link::{Linked, line},
};

#[tokio::test]
async fn a_booking_whose_webhook_was_lost_is_found_and_counted() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.add_fault(Rule::always(Fault::WebhookLost));
    linked.book_there(on_day(3, 10)).await;
    assert_eq!(linked.appointments().await, [""; 0]);

    linked.reconcile().await;

    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
    assert_eq!(linked.repaired().await, 1);
}

#[tokio::test]
async fn a_move_and_a_cancellation_whose_webhooks_were_lost_are_found() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let (moved, ended) = (linked.book_there(on_day(3, 10)).await, linked.book_there(on_day(3, 12)).await);
    linked.idle().await;
    double.add_fault(Rule::always(Fault::WebhookLost));
    double.reschedule_as_attendee(&moved.uid, on_day(4, 10)).await.expect("moved");
    double.cancel_as_attendee(&ended.uid, None).await.expect("cancelled");

    linked.reconcile().await;

    assert_eq!(
        linked.appointments().await,
        [line("cancelled", on_day(3, 12)), line("booked", on_day(4, 10))]
    );
}

#[tokio::test]
async fn what_a_webhook_told_is_no_repair() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.book_there(on_day(3, 10)).await;
    linked.idle().await;

    linked.reconcile().await;

    assert_eq!(linked.repaired().await, 0);
    let last = linked.runs().await.pop().expect("a run");
    assert_eq!((last.kind, last.state), (SyncKind::Incremental, SyncState::Succeeded));
    assert_eq!(last.counts["bookings"]["processed"], 1);
}

/// P9. Cal.com tells of an end once, by the clock, and shows it nowhere.
#[tokio::test]
async fn a_booking_whose_end_nobody_told_is_completed_by_a_sweep() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    for ended in [600, 400, 3] {
        let start = Utc::now().trunc_subsecs(0) - TimeDelta::minutes(ended + 30);
        let wish = NewBooking::new(linked.event_type, start, "Erika Muster", "erika@example.org");
        let booking = double.book_as_attendee(wish.without_checks()).await.expect("booked");
        if ended == 600 {
            double.mark_no_show(&booking.uid, "erika@example.org", true).await.expect("marked");
        }
    }
    linked.book_there(on_day(3, 10)).await;
    linked.idle().await;

    linked.reconcile().await;
    let before = linked.lines("status", "appointment ORDER BY start_time").await;
    linked.sweep().await;

    assert_eq!(before, ["no_show", "booked", "booked", "booked"]);
    let after = linked.lines("status", "appointment ORDER BY start_time").await;
    assert_eq!(after, ["no_show", "completed", "booked", "booked"]);
    let run = linked.runs().await.pop().expect("a run");
    assert_eq!(run.counts["appointments"]["repaired"], 1);
}

/// As if it did not count there as a change of the booking.
#[tokio::test]
async fn an_absence_that_nobody_told_is_found_when_its_booking_is_completed() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let wish = NewBooking::new(linked.event_type, on_day(-2, 9), "Erika Muster", "erika@example.org");
    let booking = double.book_as_attendee(wish.without_checks()).await.expect("booked");
    linked.idle().await;
    double.add_fault(Rule::always(Fault::WebhookLost));
    double.mark_no_show(&booking.uid, "erika@example.org", true).await.expect("marked");
    forget_changes(&linked).await;

    linked.sweep().await;

    assert_eq!(linked.lines("status", "appointment").await, ["no_show"]);
}

#[tokio::test]
async fn an_appointment_that_was_moved_here_is_not_over_when_its_old_time_is() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let wish = NewBooking::new(linked.event_type, on_day(-2, 9), "Erika Muster", "erika@example.org");
    double.book_as_attendee(wish.without_checks()).await.expect("booked");
    linked.idle().await;
    // As it stands where nothing is written to the provider.
    linked
        .owner
        .run(
            "UPDATE integration SET read_only = true; \
             UPDATE appointment SET start_time = start_time + interval '9 days', \
                 end_time = end_time + interval '9 days', \
                 occupied_start_time = occupied_start_time + interval '9 days', \
                 occupied_end_time = occupied_end_time + interval '9 days'",
        )
        .await;

    linked.sweep().await;

    assert_eq!(linked.lines("status", "appointment").await, ["booked"]);
}

#[tokio::test]
async fn a_booking_that_is_gone_there_is_found_by_a_sweep_though_nobody_tells_when() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let booking = linked.book_there(on_day(3, 10)).await;
    linked.idle().await;
    double.add_fault(Rule::always(Fault::WebhookLost));
    double.cancel_as_attendee(&booking.uid, None).await.expect("cancelled");
    // As if the change had been read by somebody who could not make anything of it.
    forget_changes(&linked).await;
    linked.reconcile().await;
    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);

    linked.sweep().await;

    assert_eq!(linked.appointments().await, [line("cancelled", on_day(3, 10))]);
}

/// Nothing that changed so far is read again.
async fn forget_changes(linked: &Linked) {
    let later = format!(
        "UPDATE sync_cursor SET watermark = now() + interval '1 hour' WHERE tenant_id = '{}' \
         AND noun = 'bookings'",
        linked.tenant
    );
    linked.owner.run(&later).await;
}

/// Twelve bookings to come that the double does not have.
fn invented(linked: &Linked) -> String {
    format!(
        "INSERT INTO booking (tenant_id, id, integration_id, external_id, status, start_time, end_time, \
         is_current, update_time) \
         SELECT '{}', gen_random_uuid(), '{}', 'gone' || n, 'accepted', now() + n * interval '1 day', \
             now() + n * interval '1 day' + interval '30 min', true, now() - interval '1 day' \
             FROM generate_series(1, 12) n",
        linked.tenant, linked.integration
    )
}

#[tokio::test]
async fn so_many_gone_at_once_wait_for_a_person() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.owner.run(&invented(&linked)).await;

    linked.sweep().await;
    linked.sweep().await;

    assert_eq!(
        linked.lines("kind || ' ' || reason", "review_item").await,
        ["deletions_over_guard TOO_MANY_GONE"]
    );
    assert_eq!(linked.asked(Operation::GetBooking), 0);
    assert_eq!(linked.runs().await.pop().expect("a run").state, SyncState::Partial);
}

#[tokio::test]
async fn the_question_about_so_many_gone_ends_when_a_sweep_misses_them_no_more() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.owner.run(&invented(&linked)).await;
    linked.sweep().await;
    let asked = linked.lines("state", "review_item").await;

    linked.owner.run("DELETE FROM booking WHERE external_id LIKE 'gone%'").await;
    linked.sweep().await;

    let told = linked.lines("state || ' ' || resolution || ' ' || resolver", "review_item").await;
    assert_eq!((asked, told), (vec!["open".to_owned()], vec!["resolved settled system".to_owned()]));
}

#[tokio::test]
async fn an_appointment_that_was_here_before_is_booked_there_by_the_first_run() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let service = tenant.put_service("Visit").await;
    let practitioner = desk::add_practitioner(&tenant.admin, "Mara Vogt", &[]).await.practitioner_id;
    let erika =
        proto::CreatePatientRequest { email: "erika@example.org".into(), ..desk::person("Erika", "Muster") };
    let patient = desk::add_patient(&tenant.admin, erika).await.patient_id;
    let request = proto::BookAppointmentRequest {
        patient_id: patient,
        practitioner_id: practitioner,
        service_id: service,
        start_time: Some(desk::timestamp(on_day(5, 9))),
        ..Default::default()
    };
    tenant.admin.appointments().book_appointment(request).await.expect("booked");

    let linked = Linked::new(&app, &tenant, &double).await;

    let there: Vec<_> = double.bookings().into_iter().map(|booking| booking.start).collect();
    assert_eq!(there, [on_day(5, 9)]);
    assert_eq!(linked.lines("provider_sync", "appointment").await, ["synced"]);
}

#[tokio::test]
async fn the_age_of_a_change_that_was_found_late_counts_from_when_it_was_made() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.add_fault(Rule::next(1, Fault::WebhookLost));
    // The double's clock stands behind: what is made there now was made some minutes ago.
    double.clock().advance(-TimeDelta::minutes(5));
    linked.book_there(on_day(3, 10)).await;

    linked.reconcile().await;

    let age = linked.status().await.ages.last_s.expect("an age");
    assert!((290.0..360.0).contains(&age), "{age}");
}

/// P15. It was not late: nobody was there to see it.
#[tokio::test]
async fn what_was_there_before_the_first_run_is_no_change_that_came_late() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    double.clock().advance(-TimeDelta::minutes(5));
    linked.book_there(on_day(3, 10)).await;
    double.clock().advance(TimeDelta::minutes(5));

    linked.link().await;
    linked.idle().await;
    let at_first = linked.status().await.ages;
    linked.book_there(on_day(4, 10)).await;
    linked.idle().await;
    let then = linked.status().await.ages;

    assert_eq!(linked.appointments().await.len(), 2);
    assert_eq!((at_first.changes, at_first.p95_s), (0, None));
    assert_eq!(then.changes, 1);
    assert!(then.p95_s.is_some_and(|age| age < 60.0), "{then:?}");
}

#[tokio::test]
async fn a_sweep_that_was_called_off_does_not_shorten_the_next_one() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let left = format!(
        "INSERT INTO sync_cursor (tenant_id, integration_id, noun, watermark) \
         VALUES ('{}', '{}', 'sweep/{}', now() + interval '1 year')",
        linked.tenant, linked.integration, linked.integration
    );
    linked.owner.run(&left).await;
    double.add_fault(Rule::always(Fault::WebhookLost));
    linked.book_there(on_day(3, 10)).await;
    forget_changes(&linked).await;

    linked.sweep().await;

    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
    assert_eq!(linked.lines("count(*)", "sync_cursor AND noun LIKE 'sweep/%'").await, ["0"]);
}
