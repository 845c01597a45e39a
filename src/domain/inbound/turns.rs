//! Deliveries wait for their turn before they take a connection. Those of one endpoint apply one by one, and
//! what they wait for may be locked for seconds: a connection that waits for it is one that nobody else gets.
//!
//! This bounds what waits in one process, and decides nothing: what is counted, kept and applied, and in
//! which order, the database says.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    error::Result,
    ids::TenantId,
    line::{Line, Place},
};

/// Connections of one receiver's deliveries: for the one that applies, and for the next, so that no time is
/// lost between the two.
const PLACES_OF_A_RECEIVER: usize = 2;
/// Deliveries to one receiver at once, those that wait included: each holds its body, and one of the places
/// of all requests.
const OF_A_RECEIVER_AT_MOST: usize = 128;
/// As long as a connection waits for a lock.
const WAIT: Duration = Duration::from_secs(10);

/// The turns of all deliveries in a process.
pub struct Turns {
    receivers: Line<Uuid>,
    tenants: Line<TenantId>,
}

/// The right to take a connection, until it is dropped.
pub(super) struct Turn {
    _receiver: Place<Uuid>,
    _tenant: Place<TenantId>,
}

impl Turns {
    /// Deliveries of one tenant take a quarter of so many connections, and with those that wait a quarter of
    /// so many requests.
    pub fn new(connections: usize, requests: usize) -> Self {
        Self {
            receivers: Line::new(PLACES_OF_A_RECEIVER, OF_A_RECEIVER_AT_MOST),
            tenants: Line::new((connections / 4).max(1), (requests / 4).max(1)),
        }
    }

    /// Waits for the turn of a delivery to a tenant's endpoint, or to another receiver of its own.
    /// Errors: `Overloaded`.
    pub(super) async fn wait(&self, tenant: TenantId, receiver: Uuid) -> Result<Turn> {
        let until = Instant::now() + WAIT;
        let tenant = self.tenants.enter(tenant)?;
        let receiver = self.receivers.enter(receiver)?.wait(until).await?;
        Ok(Turn { _receiver: receiver, _tenant: tenant.wait(until).await? })
    }
}

#[cfg(test)]
mod tests {
    use futures::{future::join_all, poll};

    use super::*;
    use crate::error::Error;

    fn tenant() -> TenantId {
        TenantId(Uuid::now_v7())
    }

    #[tokio::test]
    async fn the_third_delivery_of_an_endpoint_waits_until_one_has_ended_and_no_other_endpoint_does() {
        let (turns, acme, tool) = (Turns::new(16, 1024), tenant(), Uuid::now_v7());
        let first = turns.wait(acme, tool).await.unwrap();
        let _second = turns.wait(acme, tool).await.unwrap();

        let mut third = Box::pin(turns.wait(acme, tool));
        assert!(poll!(&mut third).is_pending());
        assert!(turns.wait(acme, Uuid::now_v7()).await.is_ok());
        drop(first);

        assert!(third.await.is_ok());
    }

    #[tokio::test]
    async fn a_tenants_endpoints_together_take_a_quarter_of_the_connections() {
        let (turns, acme) = (Turns::new(16, 1024), tenant());
        let busy = join_all((0..4).map(|_| turns.wait(acme, Uuid::now_v7()))).await;
        assert!(busy.iter().all(Result::is_ok));

        let mut fifth = Box::pin(turns.wait(acme, Uuid::now_v7()));
        assert!(poll!(&mut fifth).is_pending());
        let others = turns.wait(tenant(), Uuid::now_v7()).await;
        drop(busy);

        assert!(others.is_ok() && fifth.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_or_behind_too_many_is_told_that_it_is_full() {
        let (turns, acme, tool) = (Turns::new(16, 1024), tenant(), Uuid::now_v7());
        let _busy = (turns.wait(acme, tool).await.unwrap(), turns.wait(acme, tool).await.unwrap());
        let begin = Instant::now();

        let waiting = join_all((2..OF_A_RECEIVER_AT_MOST + 1).map(|_| async {
            let refused = turns.wait(acme, tool).await.err();
            (matches!(refused, Some(Error::Overloaded)), begin.elapsed())
        }))
        .await;

        assert!(waiting.iter().all(|(is_refused, _)| *is_refused));
        let at_once = waiting.iter().filter(|(_, after)| after.is_zero()).count();
        assert_eq!((at_once, waiting[0].1), (1, WAIT));
    }

    #[tokio::test]
    async fn a_tenants_endpoints_together_take_a_quarter_of_the_requests() {
        let (turns, acme) = (Turns::new(16, 40), tenant());
        let tools = [(); 3].map(|()| Uuid::now_v7());
        let busy = [turns.wait(acme, tools[0]).await.unwrap(), turns.wait(acme, tools[0]).await.unwrap()];
        let mut waiting: Vec<_> = (0..8).map(|_| Box::pin(turns.wait(acme, tools[0]))).collect();
        for one in &mut waiting {
            assert!(poll!(one).is_pending());
        }

        let beyond = turns.wait(acme, tools[1]).await.err();
        let others = turns.wait(tenant(), tools[2]).await;

        assert!(matches!(beyond, Some(Error::Overloaded)) && others.is_ok());
        drop(waiting.pop());
        assert!(turns.wait(acme, tools[1]).await.is_ok());
        drop(busy);
    }

    #[tokio::test]
    async fn whoever_hangs_up_leaves_nothing_behind() {
        let (turns, acme, tool) = (Turns::new(16, 1024), tenant(), Uuid::now_v7());
        let busy = (turns.wait(acme, tool).await.unwrap(), turns.wait(acme, tool).await.unwrap());
        let mut third = Box::pin(turns.wait(acme, tool));
        assert!(poll!(&mut third).is_pending());

        drop((third, busy));

        assert!(turns.receivers.is_empty() && turns.tenants.is_empty());
    }
}
