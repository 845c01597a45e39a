//! Who has the worker's places.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::task;

use crate::ids::TenantId;

/// What to ask the queue for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub at_most: usize,
    /// The tenant that has its share.
    pub except: Option<TenantId>,
}

/// The messages under way. A quarter of the places stays free of the tenant that has the most: what hangs at
/// its providers holds up itself.
#[derive(Debug)]
pub(super) struct Places {
    all: usize,
    taken: HashMap<task::Id, TenantId>,
    /// Until then the queue has nothing for others than a tenant that has its share.
    nothing_until: Instant,
}

impl Places {
    pub(super) fn new(all: usize) -> Self {
        Self { all, taken: HashMap::new(), nothing_until: Instant::now() }
    }

    pub(super) fn are_free(&self) -> bool {
        self.taken.len() < self.all
    }

    /// Nothing while all are taken, or while the queue is known to have nothing for those who may have more.
    pub(super) fn ask(&self, now: Instant) -> Option<Ask> {
        let free = self.all.checked_sub(self.taken.len()).filter(|free| *free > 0)?;
        match self.full() {
            Ok(rest) => Some(Ask { at_most: free.min(rest), except: None }),
            Err(_) if now < self.nothing_until => None,
            Err(full) => Some(Ask { at_most: free, except: Some(full) }),
        }
    }

    pub(super) fn take(&mut self, task: task::Id, tenant: TenantId) {
        self.taken.insert(task, tenant);
    }

    pub(super) fn leave(&mut self, task: task::Id) {
        self.taken.remove(&task);
        // Somebody else's: the next message of that lane may have come to its head.
        if self.full().is_err() {
            self.look_at_once();
        }
    }

    /// The queue had nothing to give.
    pub(super) fn look_after(&mut self, pause: Duration) {
        self.nothing_until = Instant::now() + pause;
    }

    pub(super) fn look_at_once(&mut self) {
        self.nothing_until = Instant::now();
    }

    pub(super) fn next_look(&self) -> Instant {
        self.nothing_until
    }

    /// How many more each tenant may have at least, or who has its share; two cannot have it.
    fn full(&self) -> Result<usize, TenantId> {
        let mut counts = HashMap::<TenantId, usize>::new();
        for tenant in self.taken.values() {
            *counts.entry(*tenant).or_default() += 1;
        }
        let share = self.all - self.all / 4;
        match counts.into_iter().max_by_key(|(_, count)| *count) {
            Some((tenant, most)) if most >= share => Err(tenant),
            most => Ok(share - most.map_or(0, |(_, most)| most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> task::Id {
        tokio::spawn(async {}).id()
    }

    /// With so many messages of each tenant under way.
    fn places(all: usize, taken: &[(TenantId, usize)]) -> Places {
        let mut places = Places::new(all);
        for (tenant, messages) in taken {
            for _ in 0..*messages {
                places.take(task(), *tenant);
            }
        }
        places
    }

    #[tokio::test]
    async fn a_tenant_gets_three_quarters_of_the_places_and_the_others_the_rest() {
        let (busy, other) = (TenantId::new(), TenantId::new());
        let asked = |taken: &[(TenantId, usize)]| {
            places(16, taken).ask(Instant::now()).map(|ask| (ask.at_most, ask.except))
        };

        assert_eq!(asked(&[]), Some((12, None)));
        assert_eq!(asked(&[(busy, 11)]), Some((1, None)));
        assert_eq!(asked(&[(busy, 12)]), Some((4, Some(busy))));
        assert_eq!(asked(&[(busy, 12), (other, 3)]), Some((1, Some(busy))));
        assert_eq!(asked(&[(busy, 12), (other, 4)]), None);
        assert_eq!(asked(&[(busy, 8), (other, 6)]), Some((2, None)));
    }

    #[tokio::test]
    async fn too_few_places_to_share_are_everybodys() {
        let tenant = TenantId::new();

        for all in 1..4 {
            let ask = places(all, &[(tenant, all - 1)]).ask(Instant::now());

            assert_eq!(ask, Some(Ask { at_most: 1, except: None }), "{all}");
        }
    }

    #[tokio::test]
    async fn the_queue_is_not_asked_again_and_again_for_others_while_there_is_nothing_of_theirs() {
        let (busy, other) = (TenantId::new(), TenantId::new());
        let mut places = places(4, &[(busy, 2)]);
        let (last, others) = (task(), task());
        places.take(last, busy);
        let except = Some(Ask { at_most: 1, except: Some(busy) });
        assert_eq!(places.ask(Instant::now()), except);

        places.look_after(Duration::from_secs(3600));

        assert_eq!(places.ask(Instant::now()), None);
        places.leave(last);
        assert_eq!(places.ask(Instant::now()), Some(Ask { at_most: 1, except: None }), "a place of its own");
        places.take(last, busy);
        assert_eq!(places.ask(Instant::now()), None);
        places.take(others, other);
        places.leave(others);
        assert_eq!(places.ask(Instant::now()), except, "another's lane goes on");
    }
}
