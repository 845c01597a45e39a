//! One instance: its state, and its verbs from look to webhook.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Error;
use super::api::Operation;
use super::booking::{NewBooking, Source, new_uid};
use super::courier::Courier;
use super::engine::{Cancelling, Moving, Shown};
use super::faults::Script;
use super::limit::Throttle;
use super::record::Recorded;
use super::refusal::Refusal;
use super::settings::{Clock, Generation, Settings};
use super::world::World;
use crate::sandbox::gate::{Gates, Point};
use crate::sandbox::keeper::{Changing, Keeper};
use crate::sandbox::ring::Ring;

pub(crate) struct Inner {
    pub(super) address: SocketAddr,
    pub(super) keeper: Keeper,
    world: Mutex<World>,
    pub(super) settings: Settings,
    generation: Mutex<Generation>,
    pub(super) clock: Clock,
    pub(super) throttle: Throttle,
    pub(super) script: Script,
    pub(super) gates: Gates<Operation>,
    pub(super) requests: Ring<Recorded>,
    pub(super) courier: Courier,
    /// Requests and deliveries under way.
    under_way: watch::Sender<usize>,
}

/// One thing under way; dropping it says that it is done.
pub(crate) struct Busy(watch::Sender<usize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// What a request of the API meets between the look and the change.
#[derive(Clone, Copy, Default)]
pub(crate) struct Passage {
    operation: Option<Operation>,
    /// Another attendee is faster.
    races: bool,
}

impl Passage {
    pub(crate) fn of(operation: Operation, races: bool) -> Self {
        Self { operation: Some(operation), races }
    }
}

impl Inner {
    pub(crate) fn new(settings: Settings, address: SocketAddr) -> Result<Self, Error> {
        let (keeper, kept) = Keeper::open(settings.kept_in.as_deref())?;
        let world = kept.unwrap_or_else(|| World::new(settings.id_offset));
        Ok(Self {
            address,
            keeper,
            world: Mutex::new(world),
            generation: Mutex::new(settings.generation),
            clock: settings.clock.clone(),
            throttle: Throttle::new(settings.limits),
            script: Script::default(),
            gates: Gates::default(),
            requests: Ring::new(settings.kept_requests),
            courier: Courier::new(settings.kept_deliveries, settings.webhook_timeout)?,
            under_way: watch::Sender::default(),
            settings,
        })
    }

    pub(crate) async fn quiet(&self) {
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    /// A panic elsewhere leaves a world that is still whole: each verb changes it after its last refusal.
    pub(crate) fn world(&self) -> Changing<'_, MutexGuard<'_, World>> {
        Changing::new(self.world.lock().unwrap_or_else(PoisonError::into_inner), &self.keeper)
    }

    pub(crate) fn generation(&self) -> Generation {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_generation(&self, generation: Generation) {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) = generation;
    }

    pub(crate) fn busy(&self) -> Busy {
        self.under_way.send_modify(|count| *count += 1);
        Busy(self.under_way.clone())
    }

    /// Books, one after the other where the event type recurs: what fails midway leaves the earlier ones.
    pub(crate) async fn create(
        self: &Arc<Self>,
        wish: NewBooking,
        source: Source,
        passage: Passage,
    ) -> Result<Shown, Refusal> {
        let starts = self.world().occurrences(&wish)?;
        let recurs = starts.len() > 1 || wish.occurrences.is_some();
        let series = recurs.then(new_uid);
        let mut made = Vec::new();
        for (nth, start) in starts.into_iter().enumerate() {
            let wish = NewBooking { start, ..wish.clone() };
            let passage = if nth == 0 { passage } else { Passage::default() };
            let look = |world: &World, now| world.plan(&wish, source, series.as_deref(), now);
            let rival = || NewBooking {
                length_minutes: wish.length_minutes,
                ..NewBooking::new(wish.event_type_id, start, "Rita Rival", "rita.rival@example.org")
                    .without_checks()
            };
            let change = if self.parts(passage) {
                let plan = look(&self.world(), self.clock.now())?;
                self.between(passage, rival).await?;
                self.world().book(&plan, self.clock.now())?
            } else {
                let (mut world, now) = (self.world(), self.clock.now());
                let plan = look(&world, now)?;
                world.book(&plan, now)?
            };
            self.tell(change.events).await;
            match (change.shown, recurs) {
                (Shown::One(booking) | Shown::Seat(booking, _), true) => made.push(booking),
                (shown, _) => return Ok(shown),
            }
        }
        Ok(Shown::Series(made))
    }

    pub(crate) async fn reschedule(
        self: &Arc<Self>,
        moving: Moving,
        passage: Passage,
    ) -> Result<Shown, Refusal> {
        let change = if self.parts(passage) {
            let event_type_id = {
                let (world, now) = (self.world(), self.clock.now());
                world.plan_move(&moving, now)?;
                world.known(&moving.uid)?.event_type_id
            };
            let rival = || {
                NewBooking::new(event_type_id, moving.start, "Rita Rival", "rita.rival@example.org")
                    .without_checks()
            };
            self.between(passage, rival).await?;
            self.world().reschedule(&moving, self.clock.now())?
        } else {
            let (mut world, now) = (self.world(), self.clock.now());
            world.plan_move(&moving, now)?;
            world.reschedule(&moving, now)?
        };
        self.tell(change.events).await;
        Ok(change.shown)
    }

    /// Inline, the subscribers hear of it before it is done.
    pub(crate) async fn cancel(
        self: &Arc<Self>,
        cancelling: Cancelling,
        passage: Passage,
    ) -> Result<Shown, Refusal> {
        let ending = self.world().plan_cancel(&cancelling, self.clock.now())?;
        self.before_applying(passage).await;
        if self.generation() == Generation::Inline {
            self.tell(vec![ending.event.clone()]).await;
            return Ok(self.world().end(&ending, self.clock.now()));
        }
        let shown = self.world().end(&ending, self.clock.now());
        self.tell(vec![ending.event]).await;
        Ok(shown)
    }

    pub(crate) async fn before_applying(&self, passage: Passage) {
        if let Some(operation) = passage.operation {
            self.gates.pass(Point::BeforeApplying, operation).await;
        }
    }

    /// Whether look and insert are apart; otherwise nobody gets between them.
    fn parts(&self, passage: Passage) -> bool {
        let is_stopped = |operation| self.gates.is_armed(Point::BeforeApplying, operation);
        passage.races || passage.operation.is_some_and(is_stopped)
    }

    async fn between(
        self: &Arc<Self>,
        passage: Passage,
        rival: impl FnOnce() -> NewBooking,
    ) -> Result<(), Refusal> {
        self.before_applying(passage).await;
        if passage.races {
            let change = {
                let (mut world, now) = (self.world(), self.clock.now());
                let plan = world.plan(&rival(), Source::Webapp, None, now)?;
                world.book(&plan, now)?
            };
            self.tell(change.events).await;
        }
        Ok(())
    }
}
