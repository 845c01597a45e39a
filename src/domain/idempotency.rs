//! Claim, change and record commit together: a repeated call finds what the first one did, or does it.

use uuid::Uuid;

use crate::{
    caller::Caller,
    error::{Error, Result},
    store::{self, TenantTx},
    vault,
};

/// A caller's idempotency key, bound to the rpc and the request it was sent with.
#[derive(Debug, Clone)]
pub struct Key {
    rpc: &'static str,
    key: String,
    request_hash: Vec<u8>,
}

/// What a key turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody used it: go ahead.
    First,
    /// It made (or changed) this record already: read it again, under the caller's own rights.
    Repeat(Uuid),
}

impl Key {
    /// `request` is the request's encoding. An empty key claims nothing.
    pub fn new(rpc: &'static str, key: &str, request: &[u8]) -> Self {
        Self { rpc, key: key.into(), request_hash: vault::hash(request) }
    }
}

/// Takes the key for the record `resource` that the call is about to make or change.
/// Errors: `IdempotencyKeyReused`.
pub async fn claim(
    tx: &mut TenantTx,
    caller: &Caller,
    key: &Key,
    resource: impl Into<Uuid>,
) -> Result<Claim> {
    if key.key.is_empty() {
        return Ok(Claim::First);
    }
    let record = store::idempotency::Record {
        subject: &caller.subject,
        rpc: key.rpc,
        key_hash: vault::hash(key.key.as_bytes()),
        request_hash: key.request_hash.clone(),
        resource_id: resource.into(),
    };
    match store::idempotency::claim(tx, record).await? {
        None => Ok(Claim::First),
        Some((request_hash, resource)) if request_hash == key.request_hash => Ok(Claim::Repeat(resource)),
        Some(_) => Err(Error::IdempotencyKeyReused),
    }
}
