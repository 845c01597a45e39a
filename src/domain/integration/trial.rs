//! Whether a credential works, asked of the provider itself.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{
    Domain, Error, Integration, IntegrationId, IntegrationState, Result, catch_up, changeable, credential,
    micros, provider_call,
};
use crate::{
    caller::Caller,
    ids::{CredentialId, TenantId},
    provider::{
        call::{CallError, Refuses},
        catalog::{self, Adapter},
    },
    store,
};

/// What came of trying an integration's credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// How it stands after the trial.
    pub integration: Integration,
    /// A code that says what went wrong; absent when nothing did.
    pub reason: Option<&'static str>,
    pub duration: Duration,
}

/// What the provider says.
enum Answer {
    Known,
    OtherAccount,
    /// To what was shown, if anything was.
    Refused(Option<(CredentialId, i32)>),
    /// Nothing that would tell about the credential.
    Nothing(&'static str),
}

/// Asks the provider whose credential it is. One that works ends `needs_reconnect`, one that is refused
/// begins it; a token that is refused is replaced once.
///
/// Errors: `NotFound`, `IntegrationState` (it is being ended, or was).
pub async fn test(domain: &Domain, caller: &Caller, id: IntegrationId, now: DateTime<Utc>) -> Result<Trial> {
    let (seen, now) = (changeable(domain, caller, id).await?, micros(now));
    if matches!(seen.state, IntegrationState::Disconnecting | IntegrationState::Disconnected) {
        return Err(Error::IntegrationState(seen.state));
    }
    let began = Instant::now();
    let mut answer = ask(domain, caller.tenant, &seen).await?;
    if let Answer::Refused(Some(used)) = answer
        && credential::refused(domain, caller.tenant, id, used).await.is_ok()
    {
        answer = ask(domain, caller.tenant, &seen).await?;
    }
    let duration = began.elapsed();
    let (reason, state) = match answer {
        Answer::Known => (None, Some(IntegrationState::Connected)),
        Answer::OtherAccount => (Some("OTHER_ACCOUNT"), None),
        Answer::Refused(_) => (Some("CREDENTIAL_REFUSED"), Some(IntegrationState::NeedsReconnect)),
        Answer::Nothing(reason) => (Some(reason), None),
    };

    let mut tx = domain.store.tenant(caller.tenant).await?;
    let before = store::integration::find_for_update(&mut tx, id).await?;
    let mut row = before.clone();
    let may_change = matches!(row.state, IntegrationState::Connected | IntegrationState::NeedsReconnect);
    if let Some(state) = state.filter(|state| may_change && *state != before.state) {
        row.state = state;
        row.state_reason = reason.map(Into::into);
        row.update_time = now;
        store::integration::save(&mut tx, &row).await?;
        catch_up(&mut tx, &before, &row, &caller.subject, now).await?;
    }
    tx.commit().await?;
    Ok(Trial { integration: row, reason, duration })
}

async fn ask(domain: &Domain, tenant: TenantId, seen: &Integration) -> Result<Answer> {
    let adapter = catalog::adapter(&seen.provider);
    if !adapter.asks() {
        return Ok(Answer::Nothing("NO_ADAPTER"));
    }
    let way = match provider_call::open(domain, tenant, seen.id).await {
        Ok(way) => way,
        Err(Error::CredentialRefused) => return Ok(Answer::Refused(None)),
        Err(Error::ProviderUnavailable(_)) => return Ok(Answer::Nothing("PROVIDER_UNAVAILABLE")),
        Err(error) => return Err(error),
    };
    let used = way.used();
    Ok(match adapter {
        Adapter::Asana => read(seen, used, way.asana().me().await.map(|me| me.gid)),
        Adapter::Calcom => read(seen, used, way.calcom().me().await.map(|me| me.id.to_string())),
        Adapter::Booking | Adapter::None => Answer::Nothing("NO_ADAPTER"),
    })
}

fn read<R: Refuses>(
    seen: &Integration,
    used: (CredentialId, i32),
    account: Result<String, CallError<R>>,
) -> Answer {
    match account {
        Ok(account) if seen.account_id.as_ref() == Some(&account) => Answer::Known,
        Ok(_) => Answer::OtherAccount,
        Err(CallError::Credential) => Answer::Refused(Some(used)),
        Err(error) => Answer::Nothing(error.reason()),
    }
}
