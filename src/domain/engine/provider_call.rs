//! Asking a provider: whether it may be asked now, with whose key, and what its answer says about how it is.
//!
//! Budget, pause and breaker are rows that all instances share. What is found out here is about the provider;
//! what to do about the
//! piece of work is its handler's.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use secrecy::SecretString;
use url::Url;

use crate::{
    domain::{Domain, consent},
    egress::Egress,
    error::{Error, Result},
    ids::{CredentialId, IntegrationId, TenantId},
    provider::calcom::{Calcom, CallError, Class, DEFAULT_INSTANCE},
    store::{self, TenantTx, credential::Credential, integration::Integration, integration_flow::Permit},
    telemetry::{self, metrics as names},
    words::IntegrationState,
};

/// Who waits for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody at a desk or on the phone.
    Person,
    /// Nobody; leaves a part of the budget to those above.
    Background,
}

/// Why there is no answer to work with.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// Nothing was sent, or the provider asked for patience: later, and no attempt is used up.
    #[error("the provider is not to be asked for the next {} s: {reason}", .after.as_secs())]
    NotNow { after: Duration, reason: &'static str },
    /// The integration has no credential that the provider takes.
    #[error("the provider does not accept the credential")]
    Credential,
    /// Nothing was sent: the integration needs a consent, and none lives.
    #[error("no consent lets data flow")]
    Consent,
    #[error("{0}")]
    Call(CallError),
    /// Ours, not the provider's.
    #[error("{0}")]
    Own(Error),
}

/// A provider that may be asked once, for as long as a call takes.
pub struct Way {
    egress: Arc<Egress>,
    instance: Url,
    secret: SecretString,
    credential: (CredentialId, i32),
}

/// The part of a budget that only people get.
const RESERVED_PART: f64 = 0.2;
/// For how long a failure that opened the breaker puts its own work off; what comes after asks the breaker.
const OUT: Duration = Duration::from_secs(5);

impl Way {
    pub fn calcom(&self) -> Calcom<'_> {
        Calcom::new(&self.egress, &self.instance, &self.secret)
    }
}

/// Asks Cal.com once. The answer is looked at for what it says about the provider: the breaker counts it, a
/// limit pauses the
/// integration, a refused credential is remembered until somebody brings another.
pub async fn calcom<T, F: Future<Output = Result<T, CallError>>>(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    urgency: Urgency,
    call: impl FnOnce(Arc<Way>) -> F,
) -> Result<T, CallFailure> {
    let way = Arc::new(permit(domain, tenant, integration, urgency).await?);
    let result = call(way.clone()).await;
    let status = match &result {
        Ok(_) => "OK",
        Err(error) => error.reason(),
    };
    counter!(names::PROVIDER_CALLS, "provider" => "calcom", "status" => status).increment(1);
    let is_out = match note(domain, tenant, integration, way.credential, result.as_ref().err()).await {
        Ok(is_out) => is_out,
        // The answer counts all the same: it may be of a write.
        Err(error) => {
            telemetry::log_error("how a provider answered could not be written down", &error);
            false
        }
    };
    result.map_err(|error| match error {
        CallError::Throttled { retry_after } => {
            CallFailure::NotNow { after: retry_after, reason: "THROTTLED" }
        }
        CallError::Credential => CallFailure::Credential,
        error if is_out && error.class() == Class::Transient => {
            CallFailure::NotNow { after: OUT, reason: "PROVIDER_OUT" }
        }
        error => CallFailure::Call(error),
    })
}

/// The way to an integration's provider, whatever its budget; for questions about the way itself. Errors:
/// `CredentialRefused`.
pub async fn open(domain: &Domain, tenant: TenantId, integration: IntegrationId) -> Result<Way> {
    let mut tx = domain.store.tenant(tenant).await?;
    let row = store::integration::find(&mut tx, integration).await?;
    let credential = store::credential::find(&mut tx, integration).await?;
    tx.commit().await?;
    way(domain, tenant, &row, &credential.ok_or(Error::CredentialRefused)?).await
}

async fn permit(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    urgency: Urgency,
) -> Result<Way, CallFailure> {
    let mut tx = domain.store.tenant(tenant).await?;
    let row = store::integration::find(&mut tx, integration).await?;
    // What is being disconnected still takes its webhooks back.
    if !matches!(row.state, IntegrationState::Connected | IntegrationState::Disconnecting) {
        return Err(CallFailure::Credential);
    }
    // Nor does it need leave for that.
    if row.state == IntegrationState::Connected && !consent::opens(&mut tx, &row).await? {
        return Err(CallFailure::Consent);
    }
    let credential = store::credential::find(&mut tx, integration).await?.ok_or(CallFailure::Credential)?;
    let permit = take(&mut tx, integration, urgency).await?;
    tx.commit().await?;
    match permit {
        Permit::Go => Ok(way(domain, tenant, &row, &credential).await?),
        Permit::Wait(after) => Err(CallFailure::NotNow { after, reason: "THROTTLED" }),
        Permit::Open(after) => Err(CallFailure::NotNow { after, reason: "PROVIDER_OUT" }),
    }
}

async fn take(tx: &mut TenantTx, integration: IntegrationId, urgency: Urgency) -> Result<Permit> {
    let reserve = match urgency {
        Urgency::Person => 0.0,
        Urgency::Background => {
            let flow = store::integration_flow::find(tx, integration).await?;
            flow.map_or(0.0, |flow| flow.capacity * RESERVED_PART)
        }
    };
    store::integration_flow::take(tx, integration, reserve).await
}

async fn way(
    domain: &Domain,
    tenant: TenantId,
    integration: &Integration,
    credential: &Credential,
) -> Result<Way> {
    let key = domain.tenant_key(tenant).await?;
    let secret = key
        .open(store::credential::place(credential.id), &credential.sealed_secret)
        .map_err(Error::internal)?;
    let secret = String::from_utf8(secret).map_err(|_| Error::internal("a credential that is no text"))?;
    let instance = integration.instance_url.as_deref().unwrap_or(DEFAULT_INSTANCE);
    Ok(Way {
        egress: domain.egress.clone(),
        instance: instance.parse().map_err(Error::internal)?,
        secret: secret.into(),
        credential: (credential.id, credential.version),
    })
}

/// Says whether the provider counts as out now.
async fn note(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    used: (CredentialId, i32),
    error: Option<&CallError>,
) -> Result<bool> {
    let mut tx = domain.store.tenant(tenant).await?;
    let is_out = match error {
        None | Some(CallError::Refused(_)) => {
            store::integration_flow::note_success(&mut tx, integration).await?;
            false
        }
        Some(CallError::Throttled { retry_after }) => {
            store::integration_flow::note_success(&mut tx, integration).await?;
            store::integration_flow::pause(&mut tx, integration, *retry_after).await?;
            false
        }
        Some(CallError::Credential) => {
            store::integration_flow::note_success(&mut tx, integration).await?;
            ask_to_reconnect(&mut tx, integration, used).await?;
            false
        }
        Some(
            error @ (CallError::Transient(_)
            | CallError::Unknown(_)
            | CallError::NotSent(_)
            | CallError::UnexpectedShape { .. }
            | CallError::AddressRefused(_)),
        ) => store::integration_flow::note_failure(&mut tx, integration, error.reason()).await?,
    };
    tx.commit().await?;
    Ok(is_out)
}

/// Unless somebody brought another credential while the old one was being refused.
async fn ask_to_reconnect(
    tx: &mut TenantTx,
    integration: IntegrationId,
    used: (CredentialId, i32),
) -> Result<()> {
    let mut row = store::integration::find_for_update(tx, integration).await?;
    let current = store::credential::find(tx, integration).await?;
    let is_current = current.is_some_and(|credential| (credential.id, credential.version) == used);
    if row.state == IntegrationState::Connected && is_current {
        row.state = IntegrationState::NeedsReconnect;
        row.state_reason = Some("CREDENTIAL_REFUSED".into());
        row.update_time = chrono::Utc::now();
        store::integration::save(tx, &row).await?;
        tracing::warn!(integration.id = %integration, "the provider no longer accepts the credential");
    }
    Ok(())
}

impl From<Error> for CallFailure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

/// For callers who are told at once.
impl From<CallFailure> for Error {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::NotNow { after, .. } => Self::ProviderUnavailable(after),
            CallFailure::Credential => Self::IntegrationState(IntegrationState::NeedsReconnect),
            CallFailure::Consent => Self::ConsentMissing,
            CallFailure::Call(CallError::Refused(refusal)) => {
                Self::ProviderRefused { provider: "calcom", reason: refusal.reason() }
            }
            CallFailure::Call(_) => Self::ProviderUnavailable(OUT),
            CallFailure::Own(error) => error,
        }
    }
}
