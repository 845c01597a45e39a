//! Making the planning tool's task what the phase is.
//!
//! A message says only which phase. Whoever works on it reads the task, compares the two sides, records what
//! it is about to write, writes that in one request, and compares again with the answer. So edits merge, a
//! repeat is harmless, and a write whose outcome nobody knows is looked up by the next reading.
//!
//! Nobody waits for it: whoever edits has gone on by the end of the debounce. So it leaves alone what of the
//! budget is kept for people.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    domain::Domain,
    error::{Error, Result},
    ids::PhaseId,
    store::{
        self, TenantTx,
        outbox::{Claimed, NewMessage, Outcome},
        planning::phase::{Phase, PhaseSync},
    },
    words::{MessageKind, ProviderSync},
};

mod attempt;
mod ending;
mod observe;
mod order;
mod send;

/// Changes that come so soon after each other are written together.
const QUIET: TimeDelta = TimeDelta::seconds(5);
/// However often it is changed, it is written so soon after the first time.
const AT_THE_LATEST: TimeDelta = TimeDelta::seconds(30);
/// The pauses between tries; a fifth more or less, so that what failed together does not come back together.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// What a message asks for.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    phase_id: PhaseId,
}

/// Promises that the planning tool will have what stands in the phase. The caller of this writes the row.
pub async fn queue(tx: &mut TenantTx, phase: &mut Phase, cause: &str, now: DateTime<Utc>) -> Result<()> {
    let message = NewMessage {
        kind: MessageKind::PhasePush,
        lane: lane(phase.id),
        payload: Work { phase_id: phase.id }.payload()?,
        cause: cause.into(),
        run_time: now + QUIET,
        integration: Some(phase.integration_id),
    };
    // What waits out the pause after a failed try must not keep a new edit waiting.
    if !store::outbox::revive(tx, &message).await? {
        store::outbox::push_debounced(tx, message, QUIET, AT_THE_LATEST, now).await?;
    }
    phase.sync = PhaseSync {
        provider_sync: ProviderSync::Pending,
        provider_sync_time: Some(now),
        provider_sync_cause: Some(cause.into()),
        ..PhaseSync::default()
    };
    Ok(())
}

/// Takes away what was given up of a phase's writes: a later look or try says how it stands now.
pub(super) async fn settle_dead(tx: &mut TenantTx, phase: PhaseId) -> Result<()> {
    let asked = Work { phase_id: phase }.payload()?;
    store::dead_letter::settle(tx, MessageKind::PhasePush, &lane(phase), &[asked]).await
}

/// What is about one phase happens one after the other.
fn lane(phase: PhaseId) -> String {
    format!("phase/{phase}")
}

impl Work {
    fn payload(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }
}

/// Works on a message.
pub async fn run(domain: &Domain, message: &Claimed, payload: &Value, now: DateTime<Utc>) -> Result<Outcome> {
    let Work { phase_id } = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    attempt::Attempt::new(domain, message, phase_id, now).run().await
}

/// No try is left, because of what is wrong here.
pub async fn give_up(domain: &Domain, message: &Claimed, payload: &Value, now: DateTime<Utc>) -> Result<()> {
    let Work { phase_id } = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    attempt::Attempt::new(domain, message, phase_id, now).leave("INTERNAL").await.map(drop)
}
