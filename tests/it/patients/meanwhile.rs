//! Appointments that come while their patient is merged or taken apart.

use stellwerk::proto::{self, LinkDecision, SignatureScheme};

use super::{
    erika,
    links::{booking, twin, twins, unlink},
};
use crate::support::{
    app::TestApp,
    caller::TestCaller,
    database::until_waiting,
    desk::{self, book, person, slot},
    said::said,
};

/// Appointments are written, and then whoever writes one waits.
const STOP_BEHIND_APPOINTMENTS: &str = "BEGIN; LOCK TABLE appointment_change IN SHARE MODE";
/// Everything of a merge is done but its commit.
const STOP_MERGES_AT_THE_END: &str = "BEGIN; SELECT FROM link_candidate FOR UPDATE";

async fn owners(by: &TestCaller) -> Vec<String> {
    desk::appointments(by).await.into_iter().map(|row| row.patient_id).collect()
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
        async {
            until_waiting(&owner, 3).await;
            blocker.run("ROLLBACK").await;
        },
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
        async {
            until_waiting(&owner, 3).await;
            blocker.run("ROLLBACK").await;
        },
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
        async {
            until_waiting(&owner, 2).await;
            blocker.run("ROLLBACK").await;
        },
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
        async {
            until_waiting(&owner, 2).await;
            blocker.run("ROLLBACK").await;
        },
    );

    assert_eq!((booked.unwrap().patient_id, told.kept()), (known.clone(), "success"));
    assert_eq!(owners(&acme.admin).await, [known.clone(), known]);
    assert_eq!(app.database.deadlocks().await, 0);
}
