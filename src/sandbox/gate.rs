//! Pauses: a test stops a request at a known point, looks around or kills somebody, and lets it go on.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

const DEADLINE: Duration = Duration::from_secs(30);

/// Where a request can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Found possible, nothing changed yet.
    BeforeApplying,
    /// Changed, inline webhooks delivered, nothing answered yet.
    AfterApplying,
}

#[derive(Debug, thiserror::Error)]
#[error("no request came to the gate in 30 s")]
pub struct NotReached;

/// Stops the next request of its kind, once. Dropping it lets the request go on.
#[derive(Debug)]
pub struct Gate {
    arrived: oneshot::Receiver<()>,
    open: Option<oneshot::Sender<()>>,
}

impl Gate {
    /// Waits until a request stands before the gate, for up to 30 s.
    pub async fn reached(&mut self) -> Result<(), NotReached> {
        match tokio::time::timeout(DEADLINE, &mut self.arrived).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotReached),
        }
    }

    pub fn open(mut self) {
        if let Some(open) = self.open.take() {
            let _ = open.send(());
        }
    }
}

/// Of a double whose requests have kinds `O`.
pub(crate) struct Gates<O> {
    armed: Mutex<Vec<Armed<O>>>,
}

impl<O> Default for Gates<O> {
    fn default() -> Self {
        Self { armed: Mutex::default() }
    }
}

struct Armed<O> {
    point: Point,
    operation: O,
    arrived: oneshot::Sender<()>,
    opened: oneshot::Receiver<()>,
}

impl<O: Copy + PartialEq> Gates<O> {
    pub(crate) fn arm(&self, point: Point, operation: O) -> Gate {
        let (arrived, arriving) = oneshot::channel();
        let (open, opened) = oneshot::channel();
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).push(Armed {
            point,
            operation,
            arrived,
            opened,
        });
        Gate { arrived: arriving, open: Some(open) }
    }

    pub(crate) fn is_armed(&self, point: Point, operation: O) -> bool {
        let armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.iter().any(|gate| gate.point == point && gate.operation == operation)
    }

    pub(crate) async fn pass(&self, point: Point, operation: O) {
        let gate = {
            let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
            let place = armed.iter().position(|gate| gate.point == point && gate.operation == operation);
            place.map(|place| armed.remove(place))
        };
        if let Some(gate) = gate {
            let _ = gate.arrived.send(());
            let _ = gate.opened.await;
        }
    }
}
