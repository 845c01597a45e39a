//! Holds P12 and P13: attempts are counted, and whatever is given up says why.

use proptest::prelude::*;

use super::*;

fn pause(attempt: i32, chance: f64) -> Option<Duration> {
    match after_failure(attempt, chance, "why".into()) {
        Outcome::Retry { after, .. } => Some(after),
        Outcome::Done | Outcome::Release { .. } | Outcome::Dead { .. } => None,
    }
}

#[test]
fn the_pauses_grow_and_the_sixth_failure_is_the_last() {
    let pauses: Vec<_> =
        (1..=7).map(|attempt| pause(attempt, 0.5).map(|pause| pause.as_secs_f64().round())).collect();

    assert_eq!(pauses, [Some(1.0), Some(5.0), Some(30.0), Some(120.0), Some(600.0), None, None]);
}

#[test]
fn a_dead_message_says_why() {
    let outcome = after_failure(6, 0.5, "the handler panicked".into());

    assert_eq!(outcome, Outcome::Dead { reason: "the handler panicked".into() });
}

#[test]
fn an_idle_worker_sleeps_until_the_next_message_is_due_but_never_longer_than_a_poll() {
    let (now, poll) = (Utc::now(), Duration::from_secs(5));
    let wait = |ahead_ms| until_next(Some(now + chrono::TimeDelta::milliseconds(ahead_ms)), now, poll);

    assert_eq!(wait(1_500), Duration::from_millis(1_500));
    assert_eq!(wait(60_000), poll);
    assert_eq!(until_next(None, now, poll), poll);
}

#[test]
fn a_message_behind_another_of_its_lane_does_not_keep_the_worker_spinning() {
    let (now, poll) = (Utc::now(), Duration::from_secs(5));

    assert_eq!(until_next(Some(now - chrono::TimeDelta::seconds(9)), now, poll), POLL_AT_LEAST);
    assert_eq!(until_next(Some(now), now, Duration::from_millis(50)), Duration::from_millis(50));
}

proptest! {
    #[test]
    fn a_pause_strays_by_a_fifth_at_most(attempt in i32::MIN..=5, chance in 0.0..=1.0) {
        let [mean, pause] = [0.5, chance].map(|chance| pause(attempt, chance).unwrap().as_secs_f64());

        prop_assert!((mean * 0.8 - 0.001..=mean * 1.2 + 0.001).contains(&pause), "{pause} for {mean}");
    }
}
