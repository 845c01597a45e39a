//! Asking a provider: whether it may be asked now, with whose key, and what its answer says about how it is.
//!
//! Budget, pause, breaker and the calls under way are rows that all instances share. What is found out here
//! is about the provider; what to do about the piece of work is its handler's.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use secrecy::SecretString;
use url::Url;

use crate::{
    domain::{
        Domain, consent,
        credential::{self, Bearer, BearerError},
    },
    egress::Egress,
    error::{Error, Result},
    ids::{CredentialId, IntegrationId, TenantId},
    provider::{
        asana::{self, Asana},
        calcom::{self, Calcom},
        call::{CallError, Class, Refuses},
        catalog,
        oauth::{Placeholders, rebase},
    },
    store::{self, TenantTx, integration::Integration, integration_flow::Permit},
    telemetry::{self, metrics as names},
    words::IntegrationState,
};

mod asana_call;

pub use asana_call::{HeldPlace, asana, asana_write};

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
pub enum CallFailure<R: Refuses = calcom::Refusal> {
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
    Call(CallError<R>),
    /// Ours, not the provider's.
    #[error("{0}")]
    Own(Error),
}

/// Why Asana gave no answer to work with.
pub type AsanaFailure = CallFailure<asana::Refusal>;

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
/// With a credential that was just changed the work can go on at once.
const CHANGED: Duration = Duration::from_millis(100);

impl Way {
    pub fn calcom(&self) -> Calcom<'_> {
        Calcom::new(&self.egress, &self.instance, &self.secret)
    }

    /// What it is gone with.
    pub fn used(&self) -> (CredentialId, i32) {
        self.credential
    }

    pub fn asana(&self) -> Asana<'_> {
        Asana::new(&self.egress, &self.instance, &self.secret)
    }
}

/// Asks Cal.com once. The answer is looked at for what it says about the provider: the breaker counts it, a
/// limit pauses the integration, a refused credential is remembered until somebody brings another.
pub async fn calcom<T, F: Future<Output = Result<T, calcom::CallError>>>(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    urgency: Urgency,
    call: impl FnOnce(Arc<Way>) -> F,
) -> Result<T, CallFailure> {
    let bearer = credential::bearer(domain, tenant, integration).await?;
    let mut tx = domain.store.tenant(tenant).await?;
    let row = find(&mut tx, integration).await?;
    let permit = store::integration_flow::take(&mut tx, integration, reserve(urgency)).await?;
    tx.commit().await?;
    may_go(permit.unwrap_or(Permit::Go))?;
    let way = Arc::new(way(domain, &row, bearer)?);
    let result = call(way.clone()).await;
    count(&result);
    let note = note(domain, tenant, integration, result.as_ref().err()).await;
    let is_out = written(note);
    match result {
        Err(CallError::Credential) => {
            // One that somebody brought meanwhile, or a fresh token.
            credential::refused(domain, tenant, integration, way.credential).await?;
            Err(CallFailure::NotNow { after: CHANGED, reason: "CREDENTIAL_CHANGED" })
        }
        result => result.map_err(|error| failure(error, is_out)),
    }
}

/// Whether Cal.com does not even say whose credential this is: asked when something else was not answered
/// again and again.
pub async fn is_calcom_out(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    urgency: Urgency,
) -> Result<bool> {
    match calcom(domain, tenant, integration, urgency, |way| async move { way.calcom().me().await }).await {
        Ok(_) => Ok(false),
        Err(CallFailure::NotNow { .. } | CallFailure::Credential | CallFailure::Consent) => Ok(true),
        Err(CallFailure::Call(error)) => Ok(error.class() == Class::Transient),
        Err(CallFailure::Own(error)) => Err(error),
    }
}

/// The way to an integration's provider, whatever its budget; for questions about the way itself. Errors:
/// `CredentialRefused`, `ProviderUnavailable`.
pub async fn open(domain: &Domain, tenant: TenantId, integration: IntegrationId) -> Result<Way> {
    let bearer = credential::bearer(domain, tenant, integration).await.map_err(|error| match error {
        BearerError::Missing => Error::CredentialRefused,
        BearerError::NotNow { after, .. } => Error::ProviderUnavailable(after),
        BearerError::Own(error) => error,
    })?;
    let mut tx = domain.store.tenant(tenant).await?;
    let row = store::integration::find(&mut tx, integration).await?;
    tx.end_reading();
    way(domain, &row, bearer)
}

/// The integration, if its provider may be asked at all.
async fn find<R: Refuses>(tx: &mut TenantTx, id: IntegrationId) -> Result<Integration, CallFailure<R>> {
    let row = store::integration::find(tx, id).await?;
    match row.state {
        IntegrationState::Connected if consent::opens(tx, &row).await? => Ok(row),
        IntegrationState::Connected => Err(CallFailure::Consent),
        // What is being disconnected still takes its webhooks back, and needs no leave for that.
        IntegrationState::Disconnecting => Ok(row),
        _ => Err(CallFailure::Credential),
    }
}

fn reserve(urgency: Urgency) -> f64 {
    match urgency {
        Urgency::Person => 0.0,
        Urgency::Background => RESERVED_PART,
    }
}

fn may_go<R: Refuses>(permit: Permit) -> Result<(), CallFailure<R>> {
    match permit {
        Permit::Go => Ok(()),
        Permit::Wait(after) => Err(CallFailure::NotNow { after, reason: "THROTTLED" }),
        Permit::Open(after) => Err(CallFailure::NotNow { after, reason: "PROVIDER_OUT" }),
    }
}

fn way(domain: &Domain, integration: &Integration, bearer: Bearer) -> Result<Way> {
    let instance = match address(domain, integration) {
        Some(written) => written.parse().map_err(Error::internal)?,
        None => documented(&integration.provider)?,
    };
    Ok(Way { egress: domain.egress.clone(), instance, credential: bearer.used(), secret: bearer.secret })
}

/// Where a provider is for everybody, so that no credential goes to another one's.
fn documented(provider: &str) -> Result<Url> {
    let template = catalog::find(provider).and_then(|row| row.api.as_ref()).map(|api| api.base_url);
    let url = template.and_then(|template| Placeholders::default().url(template));
    url.ok_or_else(|| Error::internal(format!("{provider} has no address that is everybody's")))
}

/// Where an integration's provider is asked; none for one that never is. A grant is of the provider itself,
/// which a sandbox may stand in for.
pub fn address(domain: &Domain, integration: &Integration) -> Option<String> {
    let written = integration.instance_url.as_deref()?;
    let granted = integration.granted_account_id.as_ref();
    let base = granted.and_then(|_| domain.deployments.base(&integration.provider));
    let moved = base.and_then(|base| Some(rebase(&written.parse().ok()?, base)));
    Some(moved.map_or_else(|| written.into(), Into::into))
}

fn count<T, R: Refuses>(result: &Result<T, CallError<R>>) {
    let status = match result {
        Ok(_) => "OK",
        Err(error) => error.reason(),
    };
    counter!(names::PROVIDER_CALLS, "provider" => R::PROVIDER, "status" => status).increment(1);
}

/// Says whether the provider counts as out now.
async fn note<R: Refuses>(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    error: Option<&CallError<R>>,
) -> Result<bool> {
    let mut tx = domain.store.tenant(tenant).await?;
    let is_out = note_in(&mut tx, integration, error).await?;
    tx.commit().await?;
    Ok(is_out)
}

async fn note_in<R: Refuses>(
    tx: &mut TenantTx,
    integration: IntegrationId,
    error: Option<&CallError<R>>,
) -> Result<bool> {
    Ok(match error {
        None | Some(CallError::Refused(_) | CallError::Credential) => {
            store::integration_flow::note_success(tx, integration).await?;
            false
        }
        Some(CallError::Throttled { retry_after }) => {
            store::integration_flow::note_success(tx, integration).await?;
            store::integration_flow::pause(tx, integration, *retry_after).await?;
            false
        }
        Some(
            error @ (CallError::Transient(_)
            | CallError::Unknown(_)
            | CallError::NotSent(_)
            | CallError::UnexpectedShape { .. }
            | CallError::AddressRefused(_)),
        ) => store::integration_flow::note_failure(tx, integration, error.reason()).await?,
    })
}

/// The answer counts even where it could not be written down how the provider is: it may be of a write.
fn written(noted: Result<bool>) -> bool {
    noted.unwrap_or_else(|error| {
        telemetry::log_error("how a provider answered could not be written down", &error);
        false
    })
}

fn failure<R: Refuses>(error: CallError<R>, is_out: bool) -> CallFailure<R> {
    match error {
        CallError::Throttled { retry_after } => {
            CallFailure::NotNow { after: retry_after, reason: "THROTTLED" }
        }
        CallError::Credential => CallFailure::Credential,
        error if is_out && error.class() == Class::Transient => {
            CallFailure::NotNow { after: OUT, reason: "PROVIDER_OUT" }
        }
        error => CallFailure::Call(error),
    }
}

impl<R: Refuses> From<Error> for CallFailure<R> {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl<R: Refuses> From<BearerError> for CallFailure<R> {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::Missing => Self::Credential,
            BearerError::NotNow { after, reason } => Self::NotNow { after, reason },
            BearerError::Own(error) => Self::Own(error),
        }
    }
}

/// For callers who are told at once.
impl<R: Refuses> From<CallFailure<R>> for Error {
    fn from(failure: CallFailure<R>) -> Self {
        match failure {
            CallFailure::NotNow { after, .. } => Self::ProviderUnavailable(after),
            CallFailure::Credential => Self::IntegrationState(IntegrationState::NeedsReconnect),
            CallFailure::Consent => Self::ConsentMissing,
            CallFailure::Call(CallError::Refused(refusal)) => {
                Self::ProviderRefused { provider: R::PROVIDER, reason: refusal.reason() }
            }
            CallFailure::Call(_) => Self::ProviderUnavailable(OUT),
            CallFailure::Own(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_instance_a_provider_is_asked_where_its_own_row_says() {
        let of = |provider| documented(provider).ok().map(String::from);

        assert_eq!(of("calcom").as_deref(), Some("https://api.cal.com/v2"));
        assert_eq!(of("asana").as_deref(), Some("https://app.asana.com/api/1.0"));
        assert_eq!(of("slack").as_deref(), Some("https://slack.com/api"));
    }

    #[test]
    fn who_has_no_address_for_everybody_is_asked_nowhere() {
        // Never asked; one per tenant; unknown.
        for provider in ["booking", "zendesk", "nobody"] {
            assert!(matches!(documented(provider), Err(Error::Internal(_))), "{provider}");
        }
    }
}
