//! The one loop: claim, run, settle.
//!
//! A message runs at least once, so handlers are idempotent. While one runs no transaction of the queue's is
//! open; its lease is extended, and a worker that may have lost it stops at once,
//! because somebody else has begun.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures::{FutureExt, future::BoxFuture};
use metrics::counter;
use tokio::{
    sync::Notify,
    task::{self, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    domain::{Domain, alert, engine::schedule, upkeep},
    error::Result,
    ids::TenantId,
    store::outbox::{self, Claimed, Outcome},
    telemetry::{self, metrics as names},
};

mod places;
mod verbs;

use places::Places;

/// How the worker behaves.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Messages worked on at a time, per process; a quarter of the places is kept free of the busiest tenant.
    pub concurrency: usize,
    /// For how long a message is ours before it must be extended; counts in whole seconds.
    pub lease: Duration,
    /// How long to wait for a wake that may have been missed, at most.
    pub poll: Duration,
    /// How long work may go on after a stop before its lease is released.
    pub grace: Duration,
    /// When to raise an alarm.
    pub alerts: alert::Thresholds,
    /// Whether this process does what is due by the clock.
    pub schedules: bool,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            concurrency: 8,
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(5),
            grace: Duration::from_secs(10),
            alerts: alert::Thresholds::default(),
            schedules: true,
        }
    }
}

/// Works through the outbox. Any number of them, in any number of processes, share the work.
#[derive(Clone)]
pub struct Worker {
    domain: Domain,
    config: WorkerConfig,
    handlers: Arc<dyn Handlers>,
}

/// Does what messages ask for. The program's own are the domain's verbs;
/// who measures or tests the loop brings others.
pub trait Handlers: Send + Sync {
    /// One attempt. An error is a failed one.
    fn run<'a>(&'a self, domain: &'a Domain, message: &'a Claimed) -> BoxFuture<'a, Result<Outcome>>;

    /// What is left to do when no attempt is left.
    fn give_up<'a>(&'a self, domain: &'a Domain, message: &'a Claimed) -> BoxFuture<'a, Result<()>>;
}

/// The pauses after failed attempts.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
];
/// A message claimed this often without ever being settled takes its worker down each time.
const CLAIMS_AT_MOST: i32 = 25;
/// Between two looks at a queue whose next message is due but not to be had,
/// as behind another one of its lane.
const POLL_AT_LEAST: Duration = Duration::from_millis(200);
/// How long settling may take; after that the lease's end settles it.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);
/// The same for a worker that is told to stop, as while the database is away.
const SETTLE_AT_LAST: Duration = Duration::from_secs(2);

impl Worker {
    pub fn new(domain: Domain, config: WorkerConfig) -> Self {
        Self::with_handlers(domain, config, Arc::new(verbs::Verbs))
    }

    pub fn with_handlers(domain: Domain, config: WorkerConfig, handlers: Arc<dyn Handlers>) -> Self {
        Self { domain, config, handlers }
    }

    /// Works until `stop`; then ends within `grace` and the time that settling takes.
    pub async fn run(self, stop: CancellationToken) {
        let wake = Arc::new(Notify::new());
        // All of them end when this set is dropped.
        let mut beside = JoinSet::new();
        beside.spawn(self.clone().listen(wake.clone()));
        beside.spawn(self.clone().keep_up());
        beside.spawn(self.clone().evaluate_alerts());
        beside.spawn(self.clone().keep_time());

        let mut running = JoinSet::new();
        let mut places = Places::new(self.config.concurrency);
        let mut reachable = true;
        // Whose turn it was last. Another process has its own, and is as fair.
        let mut turn = TenantId::HOUSE;
        while !stop.is_cancelled() {
            let asked = Instant::now();
            if let Some(ask) = places.ask(asked) {
                let (store, at_most) = (&self.domain.store, ask.at_most as i32);
                match outbox::claim(store, turn, at_most, self.lease_s(), ask.except).await {
                    Ok(claims) if !claims.messages.is_empty() => {
                        reachable = true;
                        turn = claims.turn;
                        for message in claims.messages {
                            let work = self.clone().work(message, asked, stop.clone());
                            let task = running.spawn(work.instrument(span(&message)));
                            places.take(task.id(), message.tenant_id);
                        }
                        continue;
                    }
                    Ok(_) => {
                        reachable = true;
                        places.look_after(self.pause().await);
                    }
                    Err(error) => {
                        // Once per outage.
                        if std::mem::replace(&mut reachable, false) {
                            telemetry::log_error("no work can be claimed", &error);
                        }
                        places.look_after(self.config.poll);
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                // A place is free, or the next message of a lane has become the first.
                Some(ended) = running.join_next_with_id() => places.leave(id(ended)),
                () = wake.notified(), if places.are_free() => places.look_at_once(),
                () = time::sleep_until(places.next_look().into()), if places.are_free() => {}
            }
            while let Some(ended) = running.try_join_next_with_id() {
                places.leave(id(ended));
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// One attempt, from its claim to its end.
    async fn work(self, message: Claimed, asked: Instant, stop: CancellationToken) {
        let outcome = tokio::select! {
            outcome = self.attempt(&message) => Some(outcome),
            () = self.outlive_lease(&message, asked) => None,
            () = self.outlast(&stop) => Some(Outcome::Release { after: Duration::ZERO, reason: None }),
        };
        // Whatever ran is dropped by now, its transaction undone.
        let told = match outcome {
            Some(outcome) => self.settle(&message, &outcome, &stop).await,
            None => "lease_lost",
        };
        counter!(names::OUTBOX_SETTLED, "kind" => message.kind.as_str(), "outcome" => told).increment(1);
    }

    /// Runs the handler; its errors and panics become an outcome.
    async fn attempt(&self, message: &Claimed) -> Outcome {
        if message.attempts > CLAIMS_AT_MOST {
            return self.bury(message, "no attempt came to an end".into()).await;
        }
        let failure = match AssertUnwindSafe(self.handlers.run(&self.domain, message)).catch_unwind().await {
            Ok(Ok(outcome)) => return outcome,
            Ok(Err(error)) => {
                telemetry::log_error("a message failed", &error);
                error.to_string()
            }
            // The panic hook has logged it.
            Err(_) => "the handler panicked".into(),
        };
        match after_failure(message.attempts, rand::random(), failure) {
            Outcome::Dead { reason } => self.bury(message, reason).await,
            outcome => outcome,
        }
    }

    /// No attempt is left: what the message was for learns of it first.
    async fn bury(&self, message: &Claimed, reason: String) -> Outcome {
        match self.handlers.give_up(&self.domain, message).await {
            Ok(()) => {
                tracing::error!(reason, "a message is dead");
                Outcome::Dead { reason }
            }
            Err(error) => {
                telemetry::log_error("a message can neither be done nor given up", &error);
                Outcome::Retry { after: PAUSES[PAUSES.len() - 1], reason }
            }
        }
    }

    /// Keeps the lease that was asked for at `asked`; ends when it may be somebody else's.
    async fn outlive_lease(&self, message: &Claimed, asked: Instant) {
        // Counted from the question, not from the answer, so that it ends here before it ends there.
        let mut ours_until = asked + self.config.lease;
        loop {
            time::sleep(self.config.lease / 3).await;
            let asked = Instant::now();
            let extension = outbox::extend(&self.domain.store, message, self.lease_s());
            match time::timeout_at(ours_until.into(), extension).await {
                Ok(Ok(true)) => ours_until = asked + self.config.lease,
                // Another third may do it.
                Ok(Err(_)) if Instant::now() < ours_until => {}
                Ok(Ok(false) | Err(_)) | Err(_) => {
                    tracing::warn!("the lease is lost; whoever has it now goes on");
                    return;
                }
            }
        }
    }

    /// Ends when the stop was so long ago that work must end, too.
    async fn outlast(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        time::sleep(self.config.grace).await;
    }

    /// Settles, a second time if need be. Returns the outcome's word for the metrics.
    async fn settle(&self, message: &Claimed, outcome: &Outcome, stop: &CancellationToken) -> &'static str {
        let word = match outcome {
            Outcome::Done => "done",
            Outcome::Retry { .. } => "retry",
            Outcome::Release { .. } => "release",
            Outcome::Dead { .. } => "dead",
        };
        let settle = async {
            match outbox::settle(&self.domain.store, message, outcome).await {
                Ok(held) => Ok(held),
                Err(_) => outbox::settle(&self.domain.store, message, outcome).await,
            }
        };
        let settled = tokio::select! {
            settled = settle => Some(settled),
            () = overdue(stop) => None,
        };
        match settled {
            Some(Ok(true)) => word,
            Some(Ok(false)) => "lease_lost",
            Some(Err(error)) => {
                telemetry::log_error("a message could not be settled and will run again", &error);
                "lease_lost"
            }
            None => {
                tracing::error!("a message could not be settled in time and will run again");
                "lease_lost"
            }
        }
    }

    /// How long there is nothing to claim.
    async fn pause(&self) -> Duration {
        let next_run = outbox::next_run(&self.domain.store).await.unwrap_or_default();
        until_next(next_run, Utc::now(), self.config.poll)
    }

    async fn listen(self, wake: Arc<Notify>) {
        match outbox::listen(self.domain.store, &wake).await {}
    }

    async fn keep_up(self) {
        let mut due = time::interval(upkeep::EVERY);
        loop {
            due.tick().await;
            upkeep::run(&self.domain).await;
        }
    }

    async fn keep_time(self) {
        let mut due = time::interval(schedule::EVERY);
        due.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut seen = schedule::Seen::default();
        loop {
            due.tick().await;
            if self.config.schedules {
                schedule::run(&self.domain, &mut seen, Utc::now()).await;
            }
            upkeep::release_holds(&self.domain, Utc::now()).await;
        }
    }

    async fn evaluate_alerts(self) {
        let mut due = time::interval(alert::EVERY);
        due.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            alert::evaluate(&self.domain, &self.config.alerts, Utc::now()).await;
        }
    }

    fn lease_s(&self) -> i32 {
        i32::try_from(self.config.lease.as_secs()).unwrap_or(i32::MAX).max(1)
    }
}

/// Ends when settling has taken too long.
async fn overdue(stop: &CancellationToken) {
    let at_last = async {
        stop.cancelled().await;
        time::sleep(SETTLE_AT_LAST).await;
    };
    tokio::select! {
        () = time::sleep(SETTLE_WITHIN) => {}
        () = at_last => {}
    }
}

/// Which task has ended.
fn id(ended: Result<(task::Id, ()), task::JoinError>) -> task::Id {
    ended.map_or_else(|panicked| panicked.id(), |(id, ())| id)
}

fn span(message: &Claimed) -> tracing::Span {
    tracing::info_span!(
        "message",
        tenant.id = %message.tenant_id,
        message.id = %message.id,
        message.kind = message.kind.as_str(),
        attempt = message.attempts,
    )
}

/// What follows the failed attempt number `attempt`; `chance` from 0 to 1 spreads the pauses by a fifth
/// either way, so that what failed together does not come back together.
pub fn after_failure(attempt: i32, chance: f64, reason: String) -> Outcome {
    let pause =
        usize::try_from(attempt.saturating_sub(1)).ok().map_or(Some(&PAUSES[0]), |index| PAUSES.get(index));
    match pause {
        Some(pause) => Outcome::Retry { after: pause.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0)), reason },
        None => Outcome::Dead { reason },
    }
}

fn until_next(next_run: Option<DateTime<Utc>>, now: DateTime<Utc>, poll: Duration) -> Duration {
    let wait = next_run.map_or(poll, |next| (next - now).to_std().unwrap_or_default());
    wait.clamp(POLL_AT_LEAST.min(poll), poll)
}

#[cfg(test)]
#[path = "worker/tests.rs"]
mod tests;
