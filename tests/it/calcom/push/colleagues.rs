//! Moves from one practitioner's calendar into another's.

use std::time::Duration;

use chrono::{DateTime, Utc};
use stellwerk::{
    domain::{
        appointment::{self, Move, Shown},
        engine::lineage::Certainty,
    },
    error::Error,
    ids::{AppointmentId, PractitionerId},
    sandbox::calcom::{EventTypeOptions, Operation, Point, User},
    words::{AppointmentStatus, ProviderSync},
};

use crate::support::{
    PATIENCE,
    app::TestApp,
    calcom::{Connected, app, connect_calcom, double, no_key, on_day},
};

/// Mara Vogt's practice, and her colleague.
struct Scene {
    app: TestApp,
    practice: Connected,
    jan: PractitionerId,
    jans_host: User,
    jans_event_type: i64,
}

impl Scene {
    async fn open() -> Self {
        let app = app().start().await;
        let acme = app.tenant("acme").await;
        let practice = connect_calcom(&app, &acme, &double().await).await;
        let jans_host =
            practice.calcom.add_user("Jan Kern", "jan.kern@example.com", chrono_tz::Europe::Berlin);
        let jan = PractitionerId(acme.put_practitioner("Jan Kern").await.parse().unwrap());
        let jans_event_type = practice.offer(&jans_host, jan, EventTypeOptions::default()).await;
        Self { app, practice, jan, jans_host, jans_event_type }
    }

    /// At nine, Mara's.
    async fn booked(&self) -> AppointmentId {
        let id = self.practice.book(on_day(3, 9)).await;
        self.practice.until_synced(id).await;
        self.app.work_until_idle().await;
        id
    }

    async fn to_jan(
        &self,
        appointment: AppointmentId,
        start: DateTime<Utc>,
        wait: Option<Duration>,
    ) -> Result<Shown, Error> {
        let to = Move { appointment, start, duration: None, practitioner: Some(self.jan), wait };
        let Connected { domain, .. } = &self.practice;
        appointment::reschedule(domain, &self.practice.admin(), &no_key(), to, Utc::now()).await
    }

    /// Where it was: booked at nine, at Mara's, here and there.
    async fn check_that_it_is_back(&self, id: AppointmentId) {
        let row = self.practice.appointment(id).await;
        let is_whose = row.practitioner_id;
        assert_eq!((row.status, is_whose), (AppointmentStatus::Booked, Some(self.practice.practitioner)));
        let there = self.practice.only_living();
        assert_eq!((there.event_type_id, there.start), (self.practice.event_type, row.start_time));
        assert_eq!(row.start_time, on_day(3, 9));
    }

    async fn reasons(&self) -> Vec<String> {
        self.practice.review_items().await.into_iter().map(|item| item.reason).collect()
    }
}

/// P4.
#[tokio::test]
async fn whoever_waits_for_a_colleagues_time_that_is_taken_there_has_the_old_one_again() {
    let scene = Scene::open().await;
    let id = scene.booked().await;
    scene.practice.calcom.block(scene.jans_host.id, on_day(3, 10), on_day(3, 11));

    let refused = scene.to_jan(id, on_day(3, 10), Some(PATIENCE)).await.unwrap_err();
    scene.app.work_until_idle().await;

    assert!(matches!(refused, Error::SlotTakenOffering { .. }), "{refused}");
    scene.check_that_it_is_back(id).await;
    assert_eq!(scene.practice.standing(id).await, ProviderSync::Synced);
    assert_eq!(scene.reasons().await, [""; 0]);
}

/// P4.
#[tokio::test]
async fn whoever_waits_for_a_colleague_whom_the_provider_refuses_has_the_old_time_again() {
    let scene = Scene::open().await;
    let id = scene.booked().await;
    scene.practice.calcom.block_attendee("erika@example.org");

    let refused = scene.to_jan(id, on_day(3, 9), Some(PATIENCE)).await.unwrap_err();
    scene.app.work_until_idle().await;

    assert!(matches!(refused, Error::ProviderRefused { reason: "ATTENDEE_BLOCKED", .. }), "{refused}");
    scene.check_that_it_is_back(id).await;
    assert_eq!(scene.practice.standing(id).await, ProviderSync::Synced);
    assert_eq!(scene.reasons().await, [""; 0]);
}

/// P4, P12.
#[tokio::test]
async fn a_colleagues_time_that_is_taken_there_is_not_kept_and_a_person_is_told_until_something_changes() {
    let scene = Scene::open().await;
    let id = scene.booked().await;
    scene.practice.calcom.block(scene.jans_host.id, on_day(3, 10), on_day(3, 11));

    scene.to_jan(id, on_day(3, 10), None).await.unwrap();
    scene.practice.until(id, ProviderSync::Review).await;
    scene.app.work_until_idle().await;
    let there = scene.practice.only_living();
    scene.practice.learn(&there.uid, Certainty::Read).await;
    let read = (scene.practice.standing(id).await, scene.reasons().await);

    scene.check_that_it_is_back(id).await;
    assert_eq!(read, (ProviderSync::Review, vec!["SLOT_TAKEN".to_owned()]));
    // Somebody chose another time meanwhile.
    let moved = scene.practice.calcom.reschedule_as_attendee(&there.uid, on_day(3, 14)).await.unwrap();
    scene.practice.learn(&moved.uid, Certainty::Read).await;
    assert_eq!(scene.practice.standing(id).await, ProviderSync::Synced);
    assert_eq!(scene.reasons().await, [""; 0]);
}

/// P4.
#[tokio::test]
async fn a_read_of_the_old_calendar_does_not_settle_what_the_new_one_refused() {
    let scene = Scene::open().await;
    let id = scene.booked().await;
    scene.practice.calcom.block_attendee("erika@example.org");

    scene.to_jan(id, on_day(3, 9), None).await.unwrap();
    scene.practice.until(id, ProviderSync::Review).await;
    scene.app.work_until_idle().await;
    scene.practice.learn(&scene.practice.only_living().uid, Certainty::Read).await;

    assert_eq!(scene.practice.standing(id).await, ProviderSync::Review);
    assert_eq!(scene.reasons().await, ["ATTENDEE_BLOCKED"]);
}

/// P4.
#[tokio::test]
async fn a_read_of_the_old_calendar_is_no_answer_to_what_is_on_its_way_to_the_new_one() {
    let scene = Scene::open().await;
    let id = scene.booked().await;
    let old = scene.practice.only_living();
    let mut gate = scene.practice.calcom.pause_next(Point::BeforeApplying, Operation::CreateBooking);

    scene.to_jan(id, on_day(3, 9), None).await.unwrap();
    gate.reached().await.unwrap();
    scene.practice.learn(&old.uid, Certainty::Read).await;
    let meanwhile = scene.practice.standing(id).await;
    gate.open();
    scene.practice.until_synced(id).await;
    scene.app.work_until_idle().await;

    assert_eq!(meanwhile, ProviderSync::Pending);
    assert_eq!(scene.practice.only_living().event_type_id, scene.jans_event_type);
    assert_eq!(scene.practice.appointment(id).await.practitioner_id, Some(scene.jan));
}

/// P4, P9.
#[tokio::test]
async fn what_nobody_moved_here_is_the_practitioners_in_whose_calendar_it_is() {
    let scene = Scene::open().await;
    let id = scene.booked().await;
    let owner = scene.app.database.owner().await;
    let astray = format!("UPDATE appointment SET practitioner_id = '{}' WHERE id = '{id}'", scene.jan);
    owner.run(&astray).await;

    scene.practice.learn(&scene.practice.only_living().uid, Certainty::Read).await;

    scene.check_that_it_is_back(id).await;
}
