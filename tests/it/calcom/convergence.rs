//! Random histories on both sides, over a Cal.com that loses, repeats, reorders and fails: in the end both
//! sides say the same.
//!
//! The same histories run every time, and `make soak` runs others. A run prints its seed, and
//! `STELLWERK_SEED=7 cargo test --test it one_history` runs that one again.

mod agreement;
mod history;

use std::env;

use rand::{Rng, SeedableRng, rngs::StdRng};
use stellwerk::sandbox::calcom::{Fault, Generation, Limits, Rule, Settings};

use self::{agreement::Sides, history::Actors};
use super::practice::Practice;
use crate::support::soak_rounds;

/// Reasons of reviews that say that the outcome was decided, so that no further try could end otherwise.
const DECIDED: [&str; 7] = [
    "BOOKED_ALREADY",
    "SLOT_TAKEN",
    "RACE_LOST",
    "OUTSIDE_BOOKING_WINDOW",
    "NOT_FOUND",
    "ALREADY_CANCELLED",
    "ALREADY_RESCHEDULED",
];

/// P4, P5, P7, P9.
#[tokio::test]
async fn histories_over_inline_webhooks_end_in_agreement() {
    for seed in [11, 12, 13] {
        live_through(seed, Generation::Inline, 50, Practitioners::One).await;
    }
}

/// P4, P5, P7, P9.
#[tokio::test]
async fn histories_over_queued_webhooks_end_in_agreement() {
    for seed in [21, 22, 23] {
        live_through(seed, Generation::Queued, 50, Practitioners::One).await;
    }
}

/// P4, P5, P7, P9. Each has a Cal.com account, and appointments move from one to the other.
#[tokio::test]
async fn histories_of_two_practitioners_end_in_agreement() {
    for (seed, generation) in [(31, Generation::Inline), (32, Generation::Queued), (33, Generation::Inline)] {
        live_through(seed, generation, 50, Practitioners::Two).await;
    }
}

/// P4, P5, P7, P9. The one that `STELLWERK_SEED` names; a quiet one without.
#[tokio::test]
async fn one_history_ends_in_agreement() {
    let seed = env::var("STELLWERK_SEED").ok().and_then(|seed| seed.parse().ok());
    let generation =
        if seed.unwrap_or(1_u64).is_multiple_of(2) { Generation::Queued } else { Generation::Inline };

    let steps = if seed.is_some() { 50 } else { 15 };
    live_through(seed.unwrap_or(1), generation, steps, Practitioners::One).await;
    live_through(seed.unwrap_or(1), generation, steps, Practitioners::Two).await;
}

/// P4, P5, P7, P9.
#[tokio::test]
async fn soak_histories_end_in_agreement() {
    for _ in 0..8 * soak_rounds() {
        let seed: u64 = rand::random::<u32>().into();
        let generation = if seed.is_multiple_of(2) { Generation::Queued } else { Generation::Inline };
        live_through(seed, generation, 50, Practitioners::One).await;
        live_through(seed, generation, 50, Practitioners::Two).await;
    }
}

/// Whose time is given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Practitioners {
    One,
    Two,
}

/// One history, from an empty calendar to agreement.
async fn live_through(seed: u64, generation: Generation, steps: u32, practitioners: Practitioners) {
    println!("seed {seed}, {generation:?}, {steps} steps, {practitioners:?}");
    let mut chance = StdRng::seed_from_u64(seed);
    let settings = Settings {
        generation,
        limits: Limits::none(),
        kept_requests: 100_000,
        kept_deliveries: 100_000,
        requests_name_predecessor: chance.random_bool(0.5),
        ..Settings::default()
    };
    let practice = match practitioners {
        Practitioners::One => Practice::open(settings).await,
        Practitioners::Two => Practice::open_for_two(settings).await,
    };
    let mut actors = Actors::new(&practice, chance.random()).await;
    for rule in misfortune(&mut chance) {
        practice.calcom.add_fault(rule);
    }

    for _ in 0..steps {
        actors.act().await;
    }
    let used_up = come_to_rest(&practice).await;

    let sides = Sides::of(&practice, &actors).await;
    assert_eq!(sides.disagreements(), [""; 0], "seed {seed}\n{}", sides.story());
    check_cost(seed, &sides, &actors);
    check_that_quiet_stays_quiet(&practice, &mut actors).await;
    practice.check_requests();
    println!("seed {seed}: {}; tries used up {used_up}", sides.summary(&actors));
    assert_eq!((sides.success(), sides.dead_letters), (1.0, 0), "seed {seed}");
    assert_eq!(practice.app.database.deadlocks().await, 0, "seed {seed}");
}

/// What goes wrong while people act: each a little, on some days more than on others.
fn misfortune(chance: &mut StdRng) -> Vec<Rule> {
    let faults = [
        (0.06, Fault::AnswerLost { hold: false }),
        (0.04, Fault::Reset),
        (0.05, Fault::ErrorBefore { status: 502 }),
        (0.06, Fault::ErrorAfter { status: 500 }),
        (0.03, Fault::Throttled { retry_after_seconds: Some(1) }),
        (0.02, Fault::Throttled { retry_after_seconds: None }),
        (0.04, Fault::LostRace),
        (0.08, Fault::StaleRead),
        (0.10, Fault::AnswerDelayed { millis: 20 }),
        (0.12, Fault::WebhookLost),
        (0.10, Fault::WebhookTwice),
        (0.12, Fault::WebhookPassed),
        (0.15, Fault::WebhookDelayed { millis: 40 }),
        (0.06, Fault::WebhookHeld),
    ];
    let luck = [0.5, 1.0, 1.0, 2.0][chance.random_range(0..4)];
    let rules = faults.into_iter().map(|(probability, fault)| (probability * luck, fault));
    rules.map(|(probability, fault)| Rule::chance(probability, chance.random(), fault)).collect()
}

/// The faults end and everything that is under way arrives; then what was missed is looked for, and what no
/// try was left for is tried again by a person. The number of those.
async fn come_to_rest(practice: &Practice) -> usize {
    practice.calcom.clear_faults();
    practice.calcom.release_webhooks().await;
    practice.work_through().await;
    practice.sync().await;
    let reviews = practice.reviews().await;
    let of_writes = reviews.values().flatten().filter(|item| item.kind == "requires_manual_review");
    let used_up: Vec<_> = of_writes.filter(|item| !DECIDED.contains(&&*item.reason)).collect();
    for item in &used_up {
        practice.try_again(item).await;
        practice.work_through().await;
    }
    practice.sync().await;
    used_up.len()
}

/// P5, P7: nothing was written twice, and what others did there cost one write each at most.
fn check_cost(seed: u64, sides: &Sides<'_>, actors: &Actors<'_>) {
    assert_eq!(sides.made_twice(), [""; 0], "seed {seed}\n{}", sides.story());
    let changes = actors.there.changes + sides.rivals();
    let ours = sides.writes_of_ours();
    assert!(ours <= changes, "seed {seed}: {ours} writes nobody asked for after {changes} changes there");
    let edits = actors.here.edits + changes;
    let writes = sides.writes();
    assert!(writes <= edits, "seed {seed}: {writes} writes after {edits} edits on either side");
}

/// P5: when only the outside moves, and nothing fails, each change costs one write at most, and then writing
/// stops.
async fn check_that_quiet_stays_quiet(practice: &Practice, actors: &mut Actors<'_>) {
    let (written, changed) = (practice.writes().len(), actors.there.changes);
    for _ in 0..8 {
        actors.there.act().await;
    }
    practice.work_through().await;
    let changes = actors.there.changes - changed;
    let cost = practice.writes().len() - written;
    assert!(cost <= changes, "{cost} writes after {changes} changes outside");

    practice.sync().await;
    assert_eq!(practice.writes().len() - written, cost, "a run over sides that agree writes nothing");
    let sides = Sides::of(practice, actors).await;
    assert_eq!(sides.disagreements(), [""; 0], "{}", sides.story());
}
