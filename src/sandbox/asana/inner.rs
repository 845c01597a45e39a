//! One instance: its state, and what every verb goes through.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::Error;
use super::api::Operation;
use super::courier::Courier;
use super::faults::Script;
use super::limit::Throttle;
use super::oauth::Consent;
use super::record::Recorded;
use super::refusal::Refusal;
use super::settings::{Clock, Settings};
use super::world::World;
use crate::sandbox::gate::Gates;
use crate::sandbox::keeper::{Changing, Keeper};
use crate::sandbox::ring::Ring;

pub(crate) struct Inner {
    pub(super) address: SocketAddr,
    pub(super) keeper: Keeper,
    world: RwLock<World>,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) throttle: Throttle,
    pub(super) script: Script,
    pub(super) gates: Gates<Operation>,
    pub(super) requests: Ring<Recorded>,
    counts: Vec<AtomicU64>,
    pub(super) courier: Courier,
    consent: RwLock<Consent>,
    rotates_refresh_tokens: AtomicBool,
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

impl Inner {
    pub(crate) fn new(settings: Settings, address: SocketAddr) -> Result<Self, Error> {
        let (keeper, kept) = Keeper::open(settings.kept_in.as_deref())?;
        let world = kept.unwrap_or_else(|| World::new(&settings));
        Ok(Self {
            address,
            keeper,
            world: RwLock::new(world),
            clock: settings.clock.clone(),
            throttle: Throttle::new(settings.limits),
            script: Script::default(),
            gates: Gates::default(),
            requests: Ring::new(settings.kept_requests),
            counts: Operation::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            courier: Courier::new(settings.kept_deliveries, settings.webhook_timeout)?,
            consent: RwLock::new(settings.consent),
            rotates_refresh_tokens: AtomicBool::new(settings.rotates_refresh_tokens),
            under_way: watch::Sender::default(),
            settings,
        })
    }

    pub(crate) async fn quiet(&self) {
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    /// A panic elsewhere leaves a world that is still whole: each verb changes it after its last refusal.
    pub(crate) fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn world_mut(&self) -> Changing<'_, RwLockWriteGuard<'_, World>> {
        Changing::new(self.world.write().unwrap_or_else(PoisonError::into_inner), &self.keeper)
    }

    /// That of the courier.
    pub(crate) fn client(&self) -> &reqwest::Client {
        self.courier.client()
    }

    pub(crate) fn consent(&self) -> Consent {
        *self.consent.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_consent(&self, consent: Consent) {
        *self.consent.write().unwrap_or_else(PoisonError::into_inner) = consent;
    }

    pub(crate) fn rotates_refresh_tokens(&self) -> bool {
        self.rotates_refresh_tokens.load(Ordering::Relaxed)
    }

    pub(crate) fn rotate_refresh_tokens(&self, rotates: bool) {
        self.rotates_refresh_tokens.store(rotates, Ordering::Relaxed);
    }

    pub(crate) fn busy(&self) -> Busy {
        self.under_way.send_modify(|count| *count += 1);
        Busy(self.under_way.clone())
    }

    /// Changes the world, and tells the webhooks what came of it.
    pub(crate) fn change<T>(
        self: &Arc<Self>,
        verb: impl FnOnce(&mut World, DateTime<Utc>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let (done, events) = {
            let mut world = self.world_mut();
            let before = world.log.count();
            let done = verb(&mut world, self.clock.now());
            (done, world.log.since(before))
        };
        self.tell(&events);
        done
    }

    /// Changes the world as if it had always been so: nobody is told.
    pub(crate) fn set_up<T>(&self, verb: impl FnOnce(&mut World, DateTime<Utc>) -> T) -> T {
        let mut world = self.world_mut();
        let before = world.log.count();
        let done = verb(&mut world, self.clock.now());
        world.log.forget_since(before);
        done
    }

    pub(crate) fn count(&self, operation: Operation) {
        if let Some(count) = self.counts.get(operation as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Of those that were asked for at all.
    pub(crate) fn counts(&self) -> Vec<(Operation, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Operation::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    pub(crate) fn forget_counts(&self) {
        for count in &self.counts {
            count.store(0, Ordering::Relaxed);
        }
    }
}
