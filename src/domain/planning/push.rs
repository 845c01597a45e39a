//! Making the planning tool's task what the phase is.

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

/// Changes that come so soon after each other are written together.
const QUIET: TimeDelta = TimeDelta::seconds(5);
/// However often it is changed, it is written so soon after the first time.
const AT_THE_LATEST: TimeDelta = TimeDelta::seconds(30);

/// What a message asks for.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    phase_id: PhaseId,
}

/// Promises that the planning tool will have what stands in the phase. The caller of this writes the row.
pub async fn queue(tx: &mut TenantTx, phase: &mut Phase, cause: &str, now: DateTime<Utc>) -> Result<()> {
    let message = NewMessage {
        kind: MessageKind::PhasePush,
        // What is about one phase happens one after the other.
        lane: format!("phase/{}", phase.id),
        payload: serde_json::to_value(Work { phase_id: phase.id }).map_err(Error::internal)?,
        cause: cause.into(),
        run_time: now,
        integration: Some(phase.integration_id),
    };
    store::outbox::push_debounced(tx, message, QUIET, AT_THE_LATEST, now).await?;
    phase.sync = PhaseSync {
        provider_sync: ProviderSync::Pending,
        provider_sync_time: Some(now),
        provider_sync_cause: Some(cause.into()),
        ..PhaseSync::default()
    };
    Ok(())
}

/// Works on a message.
pub async fn run(
    _domain: &Domain,
    _message: &Claimed,
    payload: &Value,
    _now: DateTime<Utc>,
) -> Result<Outcome> {
    let work: Work = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    Err(Error::internal(format!("phase {} has no way to its planning tool yet", work.phase_id)))
}

/// No try is left.
pub async fn give_up(
    _domain: &Domain,
    _message: &Claimed,
    _payload: &Value,
    _now: DateTime<Utc>,
) -> Result<()> {
    Ok(())
}
