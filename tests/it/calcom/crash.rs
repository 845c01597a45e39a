//! The real program, killed while it writes to Cal.com: whatever the moment, another one finds out what came
//! of the write and ends it, once.

mod instances;
mod scene;

use chrono::{DateTime, Utc};
use stellwerk::{
    proto::{AppointmentStatus, ProviderSyncState},
    sandbox::calcom::{Booking, Fault, Operation, Point, Rule, Status},
};

use self::scene::Scene;
use crate::support::{PATIENCE, database::Session, wait_until};

/// When the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The write is recorded and nothing has left yet.
    Sending,
    /// Cal.com has the request; it changes its bookings only after the process is dead and another one has
    /// looked.
    Applying,
    /// Cal.com has done it and not said so.
    Answering,
    /// The answer is there and not written down.
    Settling,
}

/// P6, P7.
#[tokio::test]
async fn a_write_whose_sender_died_before_sending_it_is_sent_once() {
    live_through(Moment::Sending, false).await;
}

/// P6, P7.
#[tokio::test]
async fn a_write_that_takes_effect_after_its_sender_died_takes_effect_once() {
    live_through(Moment::Applying, false).await;
}

/// P6, P7.
#[tokio::test]
async fn a_write_whose_sender_died_before_the_answer_is_found_and_not_repeated() {
    live_through(Moment::Answering, false).await;
}

/// P5, P6, P7.
#[tokio::test]
async fn a_write_whose_echo_came_before_its_sender_died_is_found_and_not_repeated() {
    live_through(Moment::Answering, true).await;
}

/// P6, P7.
#[tokio::test]
async fn a_write_whose_sender_died_with_the_answer_in_its_hands_is_found_and_not_repeated() {
    live_through(Moment::Settling, false).await;
}

/// A booking is made, moved and cancelled; the process dies each time.
async fn live_through(moment: Moment, hears_of_it: bool) {
    let mut scene = Scene::open().await;
    if !hears_of_it {
        scene.calcom.add_fault(Rule::always(Fault::WebhookLost));
    }
    let patient = scene.patient().await;
    let (first, second) = (scene.slot(0), scene.slot(1));

    let mut death = Death::prepare(&scene, moment, Operation::CreateBooking).await;
    let id = scene.book(&patient, first).await;
    death.strike(&mut scene).await;
    scene.until_synced(&id).await;
    assert_eq!(standing(&scene), [(Status::Accepted, first)], "made");
    assert_eq!(scene.calcom.bookings().len(), 1, "made once");

    let mut death = Death::prepare(&scene, moment, Operation::RescheduleBooking).await;
    scene.reschedule(&id, second).await;
    death.strike(&mut scene).await;
    scene.until_synced(&id).await;
    assert_eq!(standing(&scene), [(Status::Accepted, second)], "moved");
    assert_eq!(scene.calcom.bookings().len(), 2, "moved once");

    let mut death = Death::prepare(&scene, moment, Operation::CancelBooking).await;
    scene.cancel(&id).await;
    death.strike(&mut scene).await;
    scene.until_synced(&id).await;
    assert_eq!(standing(&scene), [], "cancelled");
    let appointment = scene.appointment(&id).await;
    assert_eq!(appointment.status(), AppointmentStatus::Cancelled);
    assert_eq!(appointment.provider_sync.unwrap_or_default().state(), ProviderSyncState::Synced);

    scene.close().await;
}

fn standing(scene: &Scene) -> Vec<(Status, DateTime<Utc>)> {
    let standing = scene.calcom.bookings().into_iter().filter(Booking::is_active);
    standing.map(|one| (one.status, one.start)).collect()
}

/// What holds the process at its moment.
struct Death {
    moment: Moment,
    operation: Operation,
    gate: Option<stellwerk::sandbox::calcom::Gate>,
    /// Has what whoever asks Cal.com, or has asked, must write to.
    flow: Session,
    owner: Session,
    /// Writes of this kind that Cal.com had seen before.
    seen: usize,
}

const HOLD_FLOW: &str = "BEGIN; SELECT FROM integration_flow FOR UPDATE";
const SENT: &str = "SELECT count(*) FROM intent WHERE state = 'sent'";
const STUCK: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
    AND query LIKE '%intent%' AND datname = current_database()";
/// What is learned of a write is written into its record.
const HOLD_INTENTS: &str = "BEGIN; SELECT FROM intent FOR UPDATE";

impl Death {
    async fn prepare(scene: &Scene, moment: Moment, operation: Operation) -> Self {
        let flow = scene.installation.owner().await;
        let gate = match moment {
            Moment::Sending => {
                flow.run(HOLD_FLOW).await;
                None
            }
            Moment::Applying => Some(scene.calcom.pause_next(Point::BeforeApplying, operation)),
            Moment::Answering | Moment::Settling => {
                Some(scene.calcom.pause_next(Point::AfterApplying, operation))
            }
        };
        let owner = scene.installation.owner().await;
        Self { moment, operation, gate, flow, owner, seen: scene.asked(operation) }
    }

    /// Waits for the moment, kills the process, and starts another.
    async fn strike(&mut self, scene: &mut Scene) {
        if let Some(gate) = &mut self.gate {
            gate.reached().await.expect("the write arrives");
        }
        match self.moment {
            Moment::Sending => {
                let count = async || self.owner.value(SENT).await;
                wait_until("the write is recorded as sent", PATIENCE, async || count().await == "1").await;
                assert_eq!(scene.asked(self.operation), self.seen, "nothing has left");
            }
            Moment::Applying | Moment::Answering => {}
            Moment::Settling => {
                self.flow.run(HOLD_INTENTS).await;
                self.gate.take().expect("armed").open();
                let count = async || self.owner.value(STUCK).await;
                wait_until("the answer is being written down", PATIENCE, async || count().await == "1").await;
            }
        }
        scene.kill();
        if matches!(self.moment, Moment::Sending | Moment::Settling) {
            self.flow.run("ROLLBACK").await;
        }
        if self.moment == Moment::Applying {
            // The successor looks, finds nothing, and must not repeat it at once.
            let looks = scene.looks();
            scene.restart().await;
            wait_until("the successor has looked", PATIENCE, async || scene.looks() > looks).await;
        }
        if let Some(gate) = self.gate.take() {
            gate.open();
        }
        if self.moment != Moment::Applying {
            scene.restart().await;
        }
    }
}
