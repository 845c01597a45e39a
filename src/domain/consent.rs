//! Leave for data to flow. An integration may be marked as needing it; then nothing is asked of its provider, and nothing that the
//! provider sends is kept, unless the house's consent lives.

use crate::{
    error::Result,
    ids::IntegrationId,
    store::{self, TenantTx, integration::Integration},
    words::ConsentScope,
};

/// What the edges and runs say when there is none.
pub const MISSING: &str = "CONSENT_MISSING";

/// Whether data may flow between here and an integration's provider at all. Asked anew before every step, because a consent may
/// be revoked in the middle of a run.
pub async fn allows(tx: &mut TenantTx, integration: IntegrationId) -> Result<bool> {
    store::consent::allows(tx, integration, None).await
}

/// Whether data of one scope may.
pub async fn covers(tx: &mut TenantTx, integration: IntegrationId, scope: ConsentScope) -> Result<bool> {
    store::consent::allows(tx, integration, Some(scope)).await
}

/// The same for an integration whose row was read in this transaction; costs nothing where none is needed. A provider that knows
/// but one kind of data asks for its scope.
pub async fn opens(tx: &mut TenantTx, integration: &Integration) -> Result<bool> {
    if !integration.consent_required {
        return Ok(true);
    }
    match integration.provider.as_str() {
        "calcom" | "booking" => covers(tx, integration.id, ConsentScope::Appointments).await,
        _ => allows(tx, integration.id).await,
    }
}
