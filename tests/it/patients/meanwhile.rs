//! Appointments that come while their patient is merged, taken apart or forgotten.

use stellwerk::proto::{self, LinkDecision, SignatureScheme, link_subject_request::Person};
use tonic::Status;

use super::{
    erika,
    links::{booking, twin, twins, unlink},
};
use crate::support::{
    app::TestApp,
    caller::TestCaller,
    database::{Session, until_waiting},
    desk::{self, book, person, slot},
    reason,
    said::said,
};

/// Appointments are written, and then whoever writes one waits.
const STOP_BEHIND_APPOINTMENTS: &str = "BEGIN; LOCK TABLE appointment_change IN SHARE MODE";
/// Everything of a merge is done but its commit.
const STOP_MERGES_AT_THE_END: &str = "BEGIN; SELECT FROM link_candidate FOR UPDATE";

async fn delete(by: &TestCaller, patient: &str) -> Result<(), Status> {
    let request = proto::DeletePatientRequest { patient_id: patient.into(), ..Default::default() };
    by.patients().delete_patient(request).await.map(drop)
}

async fn owners(by: &TestCaller) -> Vec<String> {
    desk::appointments(by).await.into_iter().map(|row| row.patient_id).collect()
}

/// Somebody with an appointment, and a practitioner with whom they have none.
async fn booked(by: &TestCaller) -> (String, String) {
    let patient = desk::add_patient(by, person("Erika", "Muster")).await.patient_id;
    let practitioner = desk::add_practitioner(by, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    let other = desk::add_practitioner(by, "Dr. Bert Beispiel", &[]).await.practitioner_id;
    book(by, slot(&patient, &practitioner, desk::in_days(7))).await.unwrap();
    (patient, other)
}

/// Ends what the others wait for, once so many do.
async fn let_go(blocker: &Session, owner: &Session, waiting: usize) {
    until_waiting(owner, waiting).await;
    blocker.run("ROLLBACK").await;
}

/// P1, P6.
#[tokio::test]
async fn what_is_being_booked_when_its_patient_is_merged_goes_to_the_survivor() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (tool, known, candidate) = twins(&acme).await;
    let merged = candidate.patient.unwrap().patient_id;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    blocker.run(STOP_BEHIND_APPOINTMENTS).await;

    let told = said("appointment.created", booking("a-1", desk::in_days(8)));
    let (booked, told, _, ()) = tokio::join!(
        book(&acme.admin, slot(&merged, &practitioner, desk::in_days(7))),
        tool.tell(&told),
        async {
            until_waiting(&owner, 2).await;
            desk::decide(&acme.admin, &candidate.link_candidate_id, LinkDecision::Merge).await
        },
        let_go(&blocker, &owner, 3),
    );

    assert_eq!((booked.unwrap().patient_id, told.kept()), (merged, "success"));
    assert_eq!(owners(&acme.admin).await, [known.patient_id.clone(), known.patient_id]);
    assert_eq!(app.database.deadlocks().await, 0);
}

/// P1, P6.
#[tokio::test]
async fn what_is_booked_while_its_patient_is_being_merged_waits_and_is_the_survivors() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (tool, known, candidate) = twins(&acme).await;
    let merged = candidate.patient.unwrap().patient_id;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    blocker.run(STOP_MERGES_AT_THE_END).await;

    let told = said("appointment.created", booking("a-1", desk::in_days(8)));
    let (_, (booked, told), ()) = tokio::join!(
        desk::decide(&acme.admin, &candidate.link_candidate_id, LinkDecision::Merge),
        async {
            until_waiting(&owner, 1).await;
            tokio::join!(book(&acme.admin, slot(&merged, &practitioner, desk::in_days(7))), tool.tell(&told),)
        },
        let_go(&blocker, &owner, 3),
    );

    assert_eq!((&booked.unwrap().patient_id, told.kept()), (&known.patient_id, "success"));
    assert_eq!(owners(&acme.admin).await, [known.patient_id.clone(), known.patient_id]);
    assert_eq!(app.database.deadlocks().await, 0);
}

/// P1, P6.
#[tokio::test]
async fn what_the_tool_books_for_a_record_that_is_being_taken_off_goes_with_it() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let known =
        proto::CreatePatientRequest { email: "privat@example.org".into(), ..person("Erik", "Müller") };
    let known = desk::add_patient(&acme.admin, known).await.patient_id;
    tool.tell(&said("patient.created", twin("Müller"))).await.kept();
    let link = desk::only_patient(&acme.admin).await.links.remove(0).patient_link_id;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    blocker.run(STOP_BEHIND_APPOINTMENTS).await;

    let told = said("appointment.created", booking("a-1", desk::in_days(7)));
    let (told, apart, ()) = tokio::join!(
        tool.tell(&told),
        async {
            until_waiting(&owner, 1).await;
            unlink(&acme.admin, &known, &link).await
        },
        let_go(&blocker, &owner, 2),
    );

    assert_eq!(told.kept(), "success");
    assert_eq!(owners(&acme.admin).await, [apart.unlinked_patient.unwrap().patient_id]);
}

/// P4. Whoever changes a person has them locked when a practitioner is asked for, and whoever books has the
/// practitioner when the person is referred to.
#[tokio::test]
async fn news_of_a_person_and_a_booking_for_them_do_not_wait_for_each_other_in_a_circle() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let known =
        proto::CreatePatientRequest { email: "erika@example.org".into(), ..person("Erika", "Muster") };
    let known = desk::add_patient(&acme.admin, known).await.patient_id;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    let mut waiting = booking("a-1", desk::in_days(8));
    waiting["therapist_name"] = "Dr. Anna Beispiel".into();
    tool.tell(&said("appointment.created", waiting)).await.kept();
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    // Whoever books stops behind the practitioner's lock.
    blocker.run("BEGIN; LOCK TABLE appointment IN SHARE MODE").await;

    let told = said("patient.created", erika());
    let (booked, told, ()) = tokio::join!(
        book(&acme.admin, slot(&known, &practitioner, desk::in_days(7))),
        async {
            until_waiting(&owner, 1).await;
            tool.tell(&told).await
        },
        let_go(&blocker, &owner, 2),
    );

    assert_eq!((booked.unwrap().patient_id, told.kept()), (known.clone(), "success"));
    assert_eq!(owners(&acme.admin).await, [known.clone(), known]);
    assert_eq!(app.database.deadlocks().await, 0);
}

/// P11.
#[tokio::test]
async fn what_is_being_booked_when_its_patient_is_forgotten_goes_too() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, other) = booked(&acme.admin).await;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    blocker.run(STOP_BEHIND_APPOINTMENTS).await;

    let (booked, deleted, ()) = tokio::join!(
        book(&acme.admin, slot(&patient, &other, desk::in_days(7))),
        async {
            until_waiting(&owner, 1).await;
            delete(&acme.admin, &patient).await
        },
        let_go(&blocker, &owner, 2),
    );

    assert_eq!((booked.is_ok(), deleted.map_err(|status| reason(&status))), (true, Ok(())));
    assert!(desk::patients(&acme.admin).await.is_empty());
    assert!(desk::appointments(&acme.admin).await.is_empty());
    assert_eq!(app.database.deadlocks().await, 0);
}

/// P11.
#[tokio::test]
async fn a_booking_for_somebody_who_is_being_forgotten_is_refused() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, other) = booked(&acme.admin).await;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    // Their appointments are deleted, and they are not yet.
    blocker.run("BEGIN; LOCK TABLE webhook_body_key IN SHARE MODE").await;

    let (deleted, booked, ()) = tokio::join!(
        delete(&acme.admin, &patient),
        async {
            until_waiting(&owner, 1).await;
            book(&acme.admin, slot(&patient, &other, desk::in_days(7))).await
        },
        let_go(&blocker, &owner, 2),
    );

    assert_eq!(deleted.map_err(|status| reason(&status)), Ok(()));
    assert_eq!(booked.map_err(|status| reason(&status)).unwrap_err(), "PATIENT_NOT_FOUND");
    assert!(desk::patients(&acme.admin).await.is_empty());
    assert_eq!(app.database.deadlocks().await, 0);
}

/// P11. Fit or not, nothing stays of what the tool says of somebody who is on the way out.
#[tokio::test]
async fn what_the_tool_says_of_somebody_who_is_being_forgotten_is_not_readable_afterwards() {
    let mut unfit = booking("a-1", desk::in_days(7));
    unfit["duration_minutes"] = 0.into();
    for (visit, answer) in
        [(booking("a-1", desk::in_days(7)), "PATIENT_DELETED"), (unfit, "FIELD_OUT_OF_RANGE")]
    {
        let app = TestApp::start().await;
        let acme = app.tenant("acme").await;
        let tool = acme.booking_tool(SignatureScheme::Standard).await;
        tool.tell(&said("patient.created", erika())).await.kept();
        let patient = desk::only_patient(&acme.admin).await.patient_id;
        acme.link_subject("https://id.example.org", "erika", Person::PatientId(patient.clone())).await;
        let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
        // The person is deleted, and what goes with them is not yet.
        blocker.run("BEGIN; SELECT FROM subject_link FOR UPDATE").await;

        let told = said("appointment.created", visit);
        let (deleted, told, ()) = tokio::join!(
            delete(&acme.admin, &patient),
            async {
                until_waiting(&owner, 1).await;
                tool.tell(&told).await
            },
            let_go(&blocker, &owner, 2),
        );

        assert_eq!(deleted.map_err(|status| reason(&status)), Ok(()));
        assert_eq!(told.reason(), answer, "{}", told.body);
        assert_eq!(owner.lines("SELECT 'key' FROM webhook_body_key").await, [""; 0], "{answer}");
    }
}

/// P11. As deletions left it that did not wait for what was on its way.
#[tokio::test]
async fn a_body_that_outlived_its_person_goes_when_it_is_applied_again() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&said("patient.created", erika())).await.kept();
    let visit = tool.tell(&said("appointment.created", booking("a-1", desk::in_days(7)))).await;
    let patient = desk::only_patient(&acme.admin).await.patient_id;
    let owner = app.database.owner().await;
    let theirs = format!("SELECT * FROM webhook_body_key WHERE webhook_event_id = '{}'", visit.event_id());
    owner.run(&format!("CREATE TEMP TABLE left_behind AS {theirs}")).await;
    delete(&acme.admin, &patient).await.unwrap();
    owner.run("INSERT INTO webhook_body_key SELECT * FROM left_behind").await;

    let request =
        proto::ReplayWebhookEventRequest { webhook_event_id: visit.event_id().into(), ..Default::default() };
    let replayed = acme.admin.webhooks().replay_webhook_event(request).await.unwrap().into_inner();

    assert_eq!(replayed.webhook_event.unwrap().reason, "PATIENT_DELETED");
    assert_eq!(owner.lines("SELECT 'key' FROM webhook_body_key").await, [""; 0]);
}
