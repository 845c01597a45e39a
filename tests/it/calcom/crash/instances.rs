//! Two processes over one database, and one of them dies.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use stellwerk::{
    proto::{AppointmentStatus, StartSyncRequest},
    sandbox::calcom::{Booking, NewBooking, Operation, Point},
};

use super::scene::{LEASE_S, Scene};
use crate::support::{PATIENCE, desk, soak_rounds, wait_until};

/// P6, P14.
#[tokio::test]
async fn what_a_killed_instance_was_at_goes_on_elsewhere_when_its_lease_ends() {
    let mut scene = Scene::open().await;
    let patient = scene.patient().await;
    let mut gate = scene.calcom.pause_next(Point::AfterApplying, Operation::CreateBooking);
    let id = scene.book(&patient, scene.slot(0)).await;
    gate.reached().await.expect("the write arrives");
    // Behind the write in its lane.
    scene.reschedule(&id, scene.slot(1)).await;
    scene.restart().await;
    let looks = scene.looks();

    scene.kill();
    let killed = Instant::now();
    wait_until("the other instance goes on", PATIENCE, async || scene.looks() > looks).await;
    let waited = killed.elapsed();
    gate.open();
    scene.until_synced(&id).await;

    // Its lease had been prolonged just before, at worst; the rest is what a busy machine takes.
    assert!(waited < Duration::from_secs(LEASE_S + 3), "{waited:?}");
    let standing: Vec<_> = scene.calcom.bookings().into_iter().filter(Booking::is_active).collect();
    assert_eq!(standing.iter().map(|one| one.start).collect::<Vec<_>>(), [scene.slot(1)]);
    assert_eq!(scene.asked(Operation::CreateBooking), 1);
    scene.close().await;
}

/// P6, P7, P9, P14.
#[tokio::test]
async fn two_instances_of_which_one_is_killed_lose_nothing_and_double_nothing() {
    kill_one_of_two(31, 30).await;
}

/// P6, P7, P9, P14.
#[tokio::test]
async fn soak_two_instances_of_which_one_is_killed_lose_nothing_and_double_nothing() {
    for _ in 0..2 * soak_rounds() {
        kill_one_of_two(rand::random(), 80).await;
    }
}

async fn kill_one_of_two(seed: u64, appointments: i64) {
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let mut scene = Scene::open().await;
    scene.restart().await;
    let patient = scene.patient().await;
    let writes = chance.random_range(1..appointments as usize);

    let mut booked = Vec::new();
    for number in 0..appointments {
        booked.push(scene.book(&patient, scene.slot(2 * number)).await);
        if chance.random_bool(0.3) {
            let id = &booked[chance.random_range(0..booked.len())];
            scene.cancel(id).await;
        }
        if chance.random_bool(0.3) {
            let (event_type, start) = (scene.premises.visit.event_type, scene.slot(2 * number + 1));
            let wish = NewBooking::new(event_type, start, "Max Beispiel", "max@example.org");
            scene.calcom.book_as_attendee(wish).await.expect("free");
        }
    }
    wait_until("some writes have arrived", PATIENCE, async || {
        scene.asked(Operation::CreateBooking) >= writes
    })
    .await;
    scene.kill();
    scene.until_idle().await;
    // What Cal.com told the dead one is lost.
    let request = StartSyncRequest { integration_id: scene.integration_id.clone(), ..Default::default() };
    scene.admin.sync_logs().start_sync(request).await.expect("a run");
    scene.until_idle().await;

    let mut here: BTreeMap<i64, usize> = BTreeMap::new();
    for appointment in desk::appointments(&scene.admin).await {
        match appointment.status() {
            AppointmentStatus::Booked => {
                *here.entry(appointment.start_time.expect("a begin").seconds).or_default() += 1;
            }
            status => assert_eq!(status, AppointmentStatus::Cancelled, "seed {seed}: {appointment:?}"),
        }
    }
    let mut there: BTreeMap<i64, usize> = BTreeMap::new();
    for booking in scene.calcom.bookings().iter().filter(|one| one.is_active()) {
        *there.entry(booking.start.timestamp()).or_default() += 1;
    }
    assert_eq!(here, there, "seed {seed}");
    assert!(here.values().all(|count| *count == 1), "seed {seed}: {here:?}");
    scene.close().await;
}
