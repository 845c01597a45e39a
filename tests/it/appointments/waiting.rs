//! What the booking tool tells of people whom nobody knows, and who hears of it.

use serde_json::json;
use stellwerk::{
    domain::upkeep,
    proto::{
        AppointmentChangeKind, DeletePatientRequest, ListReviewItemsRequest, Patient, Resolution,
        ResolveReviewItemRequest, ReviewItem, ReviewKind, ReviewState, SignatureScheme, SyncOrigin,
    },
};

use crate::support::{
    app::TestApp,
    booking_tool::TestBookingTool,
    desk,
    said::{said, written},
    tenant::TestTenant,
};

/// Everything here is an hour older than it was.
const AN_HOUR_PASSES: &str = "UPDATE appointment_link SET id = overlay(id::text PLACING left(\
        stellwerk_uuid_floor(stellwerk_uuid_time(id) - interval '61 min')::text, 13) FROM 1 FOR 13)::uuid, \
        wait_time = wait_time - interval '61 min'; \
    UPDATE review_item SET open_time = open_time - interval '61 min', \
        resolve_time = resolve_time - interval '61 min'";

struct Scene {
    app: TestApp,
    acme: TestTenant,
    tool: TestBookingTool,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::builder().without_worker().start().await;
        let acme = app.tenant("acme").await;
        let tool = acme.booking_tool(SignatureScheme::Standard).await;
        Self { app, acme, tool }
    }

    async fn books(&self, id: &str, patient: &str) {
        let at = written(desk::in_days(7));
        let visit = json!({ "id": id, "patient_id": patient, "scheduled_at": at, "duration_minutes": 30 });
        let answer = self.tool.tell(&said("appointment.created", visit)).await;
        assert_eq!((answer.kept(), answer.reason()), ("success", "PATIENT_UNKNOWN"));
    }

    /// Somebody has an appointment, and then it is somebody's whom nobody knows; its id.
    async fn gives_away(&self, id: &str) -> String {
        self.registers("p-1").await;
        assert_eq!(self.says_it_is_of(id, "p-1").await, "OK");
        let given = desk::only_appointment(&self.acme.admin).await;
        assert_eq!(given.patient_id, self.person("p-1").await);
        assert_eq!(self.says_it_is_of(id, "p-2").await, "PATIENT_UNKNOWN");
        given.appointment_id
    }

    /// What it is answered.
    async fn says_it_is_of(&self, id: &str, patient: &str) -> String {
        let at = written(desk::in_days(7));
        let visit = json!({ "id": id, "patient_id": patient, "scheduled_at": at, "duration_minutes": 30 });
        let answer = self.tool.tell(&said("appointment.updated", visit)).await;
        assert_eq!(answer.kept(), "success");
        answer.reason().to_owned()
    }

    /// Who the tool's person is here.
    async fn person(&self, external_id: &str) -> String {
        let all = desk::patients(&self.acme.admin).await;
        let is_theirs = |row: &Patient| row.links.iter().any(|link| link.external_id == external_id);
        all.into_iter().find(is_theirs).expect("a registered person").patient_id
    }

    async fn forgets(&self, patient: &str) {
        let request = DeletePatientRequest { patient_id: patient.into(), ..Default::default() };
        self.acme.admin.patients().delete_patient(request).await.expect("forgotten");
    }

    async fn registers(&self, patient: &str) {
        let person = json!({ "id": patient, "nachname": "Muster" });
        assert_eq!(self.tool.tell(&said("patient.created", person)).await.kept(), "success");
    }

    async fn an_hour_passes(&self) {
        self.app.database.owner().await.run(AN_HOUR_PASSES).await;
        upkeep::run(&self.app.domain).await;
    }

    /// What a person is asked, or was, oldest first.
    async fn asked(&self) -> Vec<ReviewItem> {
        let listed = self.acme.admin.reviews().list_review_items(ListReviewItemsRequest::default()).await;
        listed.expect("items").into_inner().review_items
    }

    async fn states(&self) -> Vec<(ReviewState, Resolution)> {
        self.asked().await.iter().map(|item| (item.state(), item.resolution())).collect()
    }
}

/// P12.
#[tokio::test]
async fn a_person_is_asked_about_appointments_that_wait_for_their_patients_until_the_last_one_came() {
    let scene = Scene::new().await;
    scene.books("a-1", "p-1").await;
    scene.books("a-2", "p-2").await;
    upkeep::run(&scene.app.domain).await;
    let at_once = scene.asked().await;

    scene.an_hour_passes().await;
    scene.an_hour_passes().await;
    let then = scene.asked().await;
    scene.registers("p-1").await;
    let with_one = scene.states().await;
    scene.registers("p-2").await;

    assert_eq!(at_once, []);
    let [item] = &then[..] else { panic!("{then:?}") };
    assert_eq!((item.kind(), item.reason.as_str()), (ReviewKind::Unmatched, "PATIENT_UNKNOWN"));
    assert_eq!(item.integration_id, scene.tool.endpoint.integration_id);
    assert_eq!(with_one, [(ReviewState::Open, Resolution::Unspecified)]);
    assert_eq!(scene.states().await, [(ReviewState::Resolved, Resolution::Settled)]);
    assert_eq!(desk::appointments(&scene.acme.admin).await.len(), 2);
}

#[tokio::test]
async fn what_a_person_has_seen_is_asked_again_only_when_more_waits() {
    let scene = Scene::new().await;
    scene.books("a-1", "p-1").await;
    scene.an_hour_passes().await;
    let mut request = ResolveReviewItemRequest {
        review_item_id: scene.asked().await.remove(0).review_item_id,
        ..Default::default()
    };
    request.set_resolution(Resolution::Dismiss);
    scene.acme.admin.reviews().resolve_review_item(request).await.expect("dismissed");

    // Not old enough when the first one was told of.
    scene.books("a-2", "p-2").await;
    upkeep::run(&scene.app.domain).await;
    let before = scene.states().await;
    scene.an_hour_passes().await;

    let (seen, open) =
        ((ReviewState::Resolved, Resolution::Dismiss), (ReviewState::Open, Resolution::Unspecified));
    assert_eq!((before, scene.states().await), (vec![seen], vec![seen, open]));
}

#[tokio::test]
async fn nobody_is_asked_any_more_about_what_was_called_off_or_is_past() {
    for end in ["cancelled", "past"] {
        let scene = Scene::new().await;
        scene.books("a-1", "p-1").await;
        scene.an_hour_passes().await;
        let asked = scene.states().await;

        if end == "past" {
            let past = "UPDATE appointment_link SET start_time = now() - interval '1 min'";
            scene.app.database.owner().await.run(past).await;
        } else {
            let cancelled = json!({ "id": "a-1", "patient_id": "p-1" });
            scene.tool.tell(&said("appointment.cancelled", cancelled)).await.kept();
        }
        upkeep::run(&scene.app.domain).await;

        assert_eq!(asked, [(ReviewState::Open, Resolution::Unspecified)], "{end}");
        assert_eq!(scene.states().await, [(ReviewState::Resolved, Resolution::Settled)], "{end}");
    }
}

/// P9.
#[tokio::test]
async fn what_the_tool_gives_to_somebody_unknown_is_nobodys_until_they_arrive_and_stays_as_the_desk_has_it() {
    let scene = Scene::new().await;
    let admin = &scene.acme.admin;
    let id = scene.gives_away("a-1").await;
    let waiting = desk::appointment(admin, &id).await;
    let later = desk::in_days(9);
    super::reschedule(admin, &id, later).await.unwrap();

    let again = scene.says_it_is_of("a-1", "p-2").await;
    scene.registers("p-2").await;

    assert_eq!((waiting.patient_id.as_str(), again.as_str()), ("", "PATIENT_UNKNOWN"));
    let arrived = desk::only_appointment(admin).await;
    assert_eq!(arrived.patient_id, scene.person("p-2").await);
    assert_eq!(arrived.start_time, Some(desk::timestamp(later)));
    let last = desk::history(admin, &id).await.pop().unwrap();
    assert_eq!((last.kind(), last.origin()), (AppointmentChangeKind::Patient, SyncOrigin::BookingTool));
}

/// P9.
#[tokio::test]
async fn what_the_tool_takes_back_from_somebody_unknown_is_not_theirs_when_they_arrive() {
    let scene = Scene::new().await;
    scene.gives_away("a-1").await;

    let back = scene.says_it_is_of("a-1", "p-1").await;
    scene.registers("p-2").await;

    assert_eq!(back, "OK");
    assert_eq!(desk::only_appointment(&scene.acme.admin).await.patient_id, scene.person("p-1").await);
}

/// P11. It is not theirs any more, and so it does not go with them.
#[tokio::test]
async fn what_the_tool_has_given_to_somebody_unknown_outlives_whose_it_was() {
    let scene = Scene::new().await;
    scene.gives_away("a-1").await;
    let first = scene.person("p-1").await;

    scene.forgets(&first).await;
    scene.registers("p-2").await;

    assert_eq!(desk::only_appointment(&scene.acme.admin).await.patient_id, scene.person("p-2").await);
}

/// P11.
#[tokio::test]
async fn what_the_tool_gives_to_somebody_it_tells_of_no_more_goes_with_them() {
    let scene = Scene::new().await;
    scene.registers("p-2").await;
    let second = scene.person("p-2").await;
    scene.tool.tell(&said("patient.deleted", json!({ "id": "p-2" }))).await.kept();
    scene.gives_away("a-1").await;

    scene.forgets(&second).await;

    assert_eq!(desk::appointments(&scene.acme.admin).await, []);
}

/// P12.
#[tokio::test]
async fn a_person_is_asked_about_appointments_that_were_given_to_somebody_unknown_an_hour_ago() {
    let scene = Scene::new().await;
    scene.registers("p-1").await;
    scene.says_it_is_of("a-1", "p-1").await;
    scene.an_hour_passes().await;

    scene.says_it_is_of("a-1", "p-2").await;
    upkeep::run(&scene.app.domain).await;
    let at_once = scene.asked().await;
    scene.an_hour_passes().await;
    let then = scene.states().await;
    scene.registers("p-2").await;

    assert_eq!(at_once, []);
    assert_eq!(then, [(ReviewState::Open, Resolution::Unspecified)]);
    assert_eq!(scene.states().await, [(ReviewState::Resolved, Resolution::Settled)]);
}
