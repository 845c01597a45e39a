//! When Cal.com is out, throws the key away, or was changed behind our back.

use stellwerk::{
    proto::{
        AppointmentStatus::*,
        GetIntegrationRequest, Integration, IntegrationState,
        ProviderSyncState::{Pending, Review, Synced},
        RescheduleAppointmentRequest, UpdateIntegrationRequest,
    },
    sandbox::calcom::{Fault, Operation, Point, Rule, Trigger},
};

use super::{open, shape, standing};
use crate::{calcom::practice::Practice, support::desk};

/// Trap 31. P7.
#[tokio::test]
async fn a_race_that_cal_com_tells_in_its_other_envelope_is_understood() {
    let practice = open().await;
    practice.calcom.add_fault(Rule::next(1, Fault::LostRace).on(Operation::CreateBooking));

    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;

    let told = booked.provider_sync.expect("a standing");
    assert_eq!(told.reason, "RACE_LOST", "{told:?}");
}

/// Trap 34. P1.
#[tokio::test]
async fn a_delivery_is_answered_before_anything_is_asked() {
    let practice = open().await;
    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;
    let mut gate = practice.calcom.pause_next(Point::AfterApplying, Operation::GetBooking);

    // Whoever asks for another time waits, inline, for whoever is told of it.
    practice.calcom.request_reschedule(&booked.external_id, "another time, please").await.unwrap();
    let told = super::delivered(&practice, Trigger::BookingCancelled);
    practice.app.hurry().await;
    gate.reached().await.expect("the booking is read afterwards");
    gate.open();
    practice.work_through().await;

    assert_eq!(told.outcome, stellwerk::sandbox::calcom::Outcome::Answered(200));
    assert_eq!(practice.appointment(&booked.appointment_id).await.status(), Cancelled);
}

/// Trap 35.
#[tokio::test]
async fn a_refusal_is_followed_by_a_look_at_what_can_be_booked_now() {
    let practice = open().await;
    let edit = |one: &mut stellwerk::sandbox::calcom::EventType| {
        one.options.required_fields = vec!["insurance".into()];
        one.length_minutes = 45;
    };
    practice.calcom.edit_event_type(practice.visit.event_type, edit).unwrap();

    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;

    assert_eq!(shape(&booked).2, Review);
    let id = practice.visit.event_type;
    let length = format!("SELECT length_minutes FROM event_type WHERE external_id = '{id}'");
    assert_eq!(practice.app.database.owner().await.value(&length).await, "45");
}

/// Trap 36. P12.
#[tokio::test]
async fn a_key_that_is_no_longer_taken_pauses_the_integration_until_there_is_another() {
    let practice = open().await;
    assert!(practice.calcom.revoke_key(&practice.host.api_key));
    let wish = practice.wish(&practice.visit, &practice.erika().await, practice.slot(0));
    let booked = desk::book(&practice.acme.admin, wish).await.expect("booked");
    crate::support::wait_until("the key is found out", crate::support::PATIENCE, async || {
        integration(&practice).await.state() == IntegrationState::NeedsReconnect
    })
    .await;
    let waiting = practice.appointment(&booked.appointment_id).await;

    let request = UpdateIntegrationRequest {
        integration_id: practice.integration_id.clone(),
        api_key: practice.calcom.add_key(practice.host.id).unwrap(),
        ..Default::default()
    };
    practice.acme.admin.integrations().update_integration(request).await.expect("taken");
    practice.work_through().await;

    assert_eq!(shape(&waiting).2, Pending, "no try was used up");
    assert_eq!(shape(&practice.appointment(&booked.appointment_id).await).2, Synced);
    assert!(practice.reviews().await.is_empty());
}

/// Trap 38. P8, P12.
#[tokio::test]
async fn an_outage_uses_up_no_try_and_what_waited_is_written_afterwards_in_order() {
    let practice = open().await;
    let patient = practice.erika().await;
    let moved = practice.booked(&patient, practice.slot(0)).await;
    practice.calcom.stop().await;

    let mut waiting = Vec::new();
    for slot in [10, 12, 14, 16] {
        let wish = practice.wish(&practice.visit, &patient, practice.slot(slot));
        waiting.push(desk::book(&practice.acme.admin, wish).await.expect("booked").appointment_id);
    }
    for slot in [1, 2, 3] {
        let request = RescheduleAppointmentRequest {
            appointment_id: moved.appointment_id.clone(),
            start_time: Some(desk::timestamp(practice.slot(slot))),
            ..Default::default()
        };
        practice.acme.admin.appointments().reschedule_appointment(request).await.expect("moved");
    }
    // Far more often than there are tries.
    let owner = practice.app.database.owner().await;
    let claims = "SELECT coalesce(sum(lease_epoch), 0) >= 40 FROM outbox WHERE kind = 'appointment_push'";
    crate::support::wait_until("all was tried many times", crate::support::PATIENCE, async || {
        practice.app.hurry().await;
        owner.value(claims).await == "t"
    })
    .await;
    let during = practice.reviews().await;
    practice.calcom.start_again().await.unwrap();
    practice.work_through().await;

    assert!(during.is_empty(), "{during:?}");
    waiting.push(moved.appointment_id);
    for id in &waiting {
        assert_eq!(shape(&practice.appointment(id).await).2, Synced);
    }
    let mut starts: Vec<_> = standing(&practice).into_iter().map(|(_, start)| start).collect();
    starts.sort_unstable();
    assert_eq!(starts, [3, 10, 12, 14, 16].map(|slot| practice.slot(slot)));
}

async fn integration(practice: &Practice) -> Integration {
    let request = GetIntegrationRequest { integration_id: practice.integration_id.clone() };
    let got = practice.acme.admin.integrations().get_integration(request).await.expect("an integration");
    got.into_inner().integration.expect("shown")
}
