//! Seals and opens; the only room with keys.
//!
//! A root key from the environment wraps one data key per tenant, which seals small secrets and wraps a key
//! of its own for each kept body. Everything is AES-256-GCM with a random 96-bit nonce. A sealed value reads
//! `version (1) | tenant key id (16) | nonce (12) | ciphertext and tag`; its associated data name tenant,
//! table, column and row, so that it opens nowhere else. Which of the root keys seals is the database's word,
//! see `domain::root_key`; all of them open. A tenant key encrypts far fewer than the 2^32 values that random
//! nonces allow (NIST SP 800-38D §8.3): bodies, the bulk, have keys of their own.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use rand::{TryRngCore, rngs::OsRng};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ids::TenantId;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
/// Tenant keys held open in memory; beyond that all are dropped and opened again when used.
const OPEN_TENANTS: usize = 10_000;

mod passphrase;

pub use passphrase::{from_passphrase, new_salt};

/// Why something did not open. Says nothing of what was inside.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VaultError {
    #[error("no root key was given; set STELLWERK_ROOT_KEYS to `id:64 hex digits`")]
    NoRootKey,
    #[error("a root key must read `id:64 hex digits`, the id 1 to 32 of [a-z0-9-]")]
    MalformedRootKey,
    #[error(
        "a root passphrase must read `id:salt:passphrase`, the salt 32 hex digits or more from \
         `stellwerk root-key new --passphrase`, the passphrase 20 characters or more"
    )]
    MalformedPassphrase,
    #[error("the root key id {0} is given twice")]
    DuplicateRootKey(String),
    #[error("the root key {0} is not among those given")]
    UnknownRootKey(String),
    #[error("a sealed value is not of a known form")]
    Malformed,
    #[error("a sealed value does not open here: it was changed, moved, or sealed by another key")]
    DoesNotOpen,
    #[error("the operating system gives no random numbers")]
    NoRandomness,
}

/// Where a sealed value lives; bound into its associated data.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    pub row: Uuid,
}

/// A 256-bit key ready for use.
struct Key {
    cipher: Aes256Gcm,
    bytes: SecretSlice<u8>,
}

struct RootKey {
    id: String,
    key: Key,
}

/// The root keys, and the tenants' keys opened so far.
pub struct Vault {
    /// All of them open.
    roots: Vec<RootKey>,
    /// The place of the one that seals.
    active: AtomicUsize,
    tenants: RwLock<HashMap<TenantId, Arc<TenantKey>>>,
}

/// A tenant's data key, opened.
pub struct TenantKey {
    tenant: TenantId,
    id: Uuid,
    key: Key,
}

/// A tenant key as its row keeps it.
#[derive(Debug, Clone)]
pub struct WrappedTenantKey {
    pub id: Uuid,
    pub root_key_id: String,
    pub wrapped_key: Vec<u8>,
}

impl Vault {
    /// Reads `id:hex,id:hex…`; the first one seals until `activate` names another.
    pub fn from_root_keys(text: &str) -> Result<Self, VaultError> {
        let mut roots: Vec<RootKey> = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (id, digits) = entry.split_once(':').ok_or(VaultError::MalformedRootKey)?;
            let fits = (1..=32).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            let bytes = hex::decode(digits).map_err(|_| VaultError::MalformedRootKey)?;
            if !fits || bytes.len() != 32 {
                return Err(VaultError::MalformedRootKey);
            }
            if roots.iter().any(|root| root.id == id) {
                return Err(VaultError::DuplicateRootKey(id.into()));
            }
            roots.push(RootKey { id: id.into(), key: Key::new(bytes)? });
        }
        if roots.is_empty() {
            return Err(VaultError::NoRootKey);
        }
        Ok(Self { roots, active: AtomicUsize::new(0), tenants: RwLock::default() })
    }

    /// A fresh root key in the form that `from_root_keys` reads.
    pub fn generate_root_key(id: &str) -> Result<String, VaultError> {
        Ok(format!("{id}:{}", hex::encode(random::<32>()?)))
    }

    /// The ids of the root keys at hand, in the order they were given.
    pub fn root_key_ids(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(|root| root.id.as_str())
    }

    /// The id of the one that seals.
    pub fn active_root_key_id(&self) -> Result<&str, VaultError> {
        Ok(&self.active()?.id)
    }

    /// Seals with this root key from here on. Errors: `UnknownRootKey`; the one before goes on then.
    pub fn activate(&self, id: &str) -> Result<(), VaultError> {
        let place = self.roots.iter().position(|root| root.id == id);
        let place = place.ok_or_else(|| VaultError::UnknownRootKey(id.into()))?;
        self.active.store(place, Ordering::Relaxed);
        Ok(())
    }

    fn active(&self) -> Result<&RootKey, VaultError> {
        self.roots.get(self.active.load(Ordering::Relaxed)).ok_or(VaultError::NoRootKey)
    }

    fn root(&self, id: &str) -> Result<&RootKey, VaultError> {
        self.roots.iter().find(|root| root.id == id).ok_or_else(|| VaultError::UnknownRootKey(id.into()))
    }

    /// Makes a tenant's data key and wraps it under the active root key.
    pub fn new_tenant_key(&self, tenant: TenantId) -> Result<WrappedTenantKey, VaultError> {
        wrap(self.active()?, tenant, Uuid::now_v7(), &random::<32>()?)
    }

    /// The same data key, wrapped under the active root key. Errors: `UnknownRootKey`, `DoesNotOpen`.
    pub fn rewrap(
        &self,
        tenant: TenantId,
        wrapped: &WrappedTenantKey,
    ) -> Result<WrappedTenantKey, VaultError> {
        let bytes = SecretSlice::from(self.unwrap(tenant, wrapped)?);
        wrap(self.active()?, tenant, wrapped.id, bytes.expose_secret())
    }

    /// Whether a tenant's data key opens with what is at hand; asks the key itself,
    /// not what was opened before.
    pub fn check(&self, tenant: TenantId, wrapped: &WrappedTenantKey) -> Result<(), VaultError> {
        self.unwrap(tenant, wrapped).map(|bytes| drop(SecretSlice::from(bytes)))
    }

    fn unwrap(&self, tenant: TenantId, wrapped: &WrappedTenantKey) -> Result<Vec<u8>, VaultError> {
        let root = self.root(&wrapped.root_key_id)?;
        root.key.open(&wrapped.wrapped_key, &tenant_key_binding(tenant, wrapped.id, &root.id))
    }

    /// Opens a tenant's data key, once per process.
    pub fn tenant_key(
        &self,
        tenant: TenantId,
        wrapped: &WrappedTenantKey,
    ) -> Result<Arc<TenantKey>, VaultError> {
        if let Some(key) = self.open_tenant_key(tenant).filter(|key| key.id == wrapped.id) {
            return Ok(key);
        }
        let key = Key::new(self.unwrap(tenant, wrapped)?)?;
        let key = Arc::new(TenantKey { tenant, id: wrapped.id, key });
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= OPEN_TENANTS {
            tenants.clear();
        }
        tenants.insert(tenant, key.clone());
        Ok(key)
    }

    /// The open key of a tenant, if this process opened it before.
    pub fn open_tenant_key(&self, tenant: TenantId) -> Option<Arc<TenantKey>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    /// Seals something that a caller keeps for us, as a page token, bound to `context`.
    pub fn seal_token(&self, context: &[&[u8]], plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.active()?.key.derive(b"token")?.seal(plaintext, &join(context))
    }

    /// Opens what `seal_token` sealed for the same context, under any of the root keys.
    pub fn open_token(&self, context: &[&[u8]], token: &[u8]) -> Result<Vec<u8>, VaultError> {
        let binding = join(context);
        for root in &self.roots {
            if let Ok(plaintext) = root.key.derive(b"token")?.open(token, &binding) {
                return Ok(plaintext);
            }
        }
        Err(VaultError::DoesNotOpen)
    }
}

impl TenantKey {
    /// Seals a value for its place.
    pub fn seal(&self, place: Place, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(self.id.as_bytes());
        sealed.extend(self.key.seal(plaintext, &self.binding(place))?);
        Ok(sealed)
    }

    /// Opens a value at its place.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (version, rest) = sealed.split_first().ok_or(VaultError::Malformed)?;
        let (id, rest) = rest.split_at_checked(16).ok_or(VaultError::Malformed)?;
        if *version != VERSION {
            return Err(VaultError::Malformed);
        }
        if id != self.id.as_bytes() {
            return Err(VaultError::DoesNotOpen);
        }
        self.key.open(rest, &self.binding(place))
    }

    /// Seals a body under a key of its own.
    /// Returns the sealed body and its wrapped key; destroying the latter erases the former.
    pub fn seal_with_own_key(
        &self,
        place: Place,
        plaintext: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), VaultError> {
        let own = random::<32>()?;
        let mut sealed = vec![VERSION];
        sealed.extend(Key::new(own.to_vec())?.seal(plaintext, &self.binding(place))?);
        Ok((sealed, self.seal(own_key_place(place), &own)?))
    }

    /// Opens what `seal_with_own_key` sealed.
    pub fn open_with_own_key(
        &self,
        place: Place,
        sealed: &[u8],
        wrapped_key: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let own = Key::new(self.open(own_key_place(place), wrapped_key)?)?;
        match sealed.split_first() {
            Some((&VERSION, rest)) => own.open(rest, &self.binding(place)),
            _ => Err(VaultError::Malformed),
        }
    }

    /// A keyed hash: tells equal values apart from different ones without keeping them.
    /// `purpose` keeps uses apart.
    pub fn fingerprint(&self, purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
        let mut all = vec![purpose.as_bytes()];
        all.extend_from_slice(parts);
        self.key.mac(b"fingerprint", &join(&all))
    }

    fn binding(&self, place: Place) -> Vec<u8> {
        join(&[
            self.tenant.0.as_bytes(),
            place.table.as_bytes(),
            place.column.as_bytes(),
            place.row.as_bytes(),
        ])
    }
}

impl Key {
    fn new(bytes: Vec<u8>) -> Result<Self, VaultError> {
        let cipher = Aes256Gcm::new_from_slice(&bytes).map_err(|_| VaultError::Malformed)?;
        Ok(Self { cipher, bytes: bytes.into() })
    }

    fn seal(&self, plaintext: &[u8], binding: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce = random::<NONCE_BYTES>()?;
        let payload = Payload { msg: plaintext, aad: binding };
        let ciphertext =
            self.cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| VaultError::Malformed)?;
        Ok([nonce.as_slice(), &ciphertext].concat())
    }

    fn open(&self, sealed: &[u8], binding: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Malformed)?;
        let payload = Payload { msg: ciphertext, aad: binding };
        self.cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| VaultError::DoesNotOpen)
    }

    fn derive(&self, purpose: &[u8]) -> Result<Key, VaultError> {
        Key::new(self.mac(b"derive", purpose))
    }

    fn mac(&self, use_of: &[u8], message: &[u8]) -> Vec<u8> {
        // HMAC takes keys of any length, so this cannot fail;
        // an empty key would make the result useless and is impossible here.
        match <Hmac<Sha256> as KeyInit>::new_from_slice(self.bytes.expose_secret()) {
            Ok(mac) => mac.chain_update(join(&[use_of, message])).finalize().into_bytes().to_vec(),
            Err(_) => Vec::new(),
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantKey").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// SHA-256, for secrets that are random and long enough to need no salt.
pub fn hash(secret: &[u8]) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| VaultError::NoRandomness)?;
    Ok(bytes)
}

fn wrap(root: &RootKey, tenant: TenantId, id: Uuid, key: &[u8]) -> Result<WrappedTenantKey, VaultError> {
    let wrapped_key = root.key.seal(key, &tenant_key_binding(tenant, id, &root.id))?;
    Ok(WrappedTenantKey { id, root_key_id: root.id.clone(), wrapped_key })
}

fn own_key_place(place: Place) -> Place {
    Place { table: "webhook_body_key", column: "wrapped_key", row: place.row }
}

fn tenant_key_binding(tenant: TenantId, id: Uuid, root_key_id: &str) -> Vec<u8> {
    join(&[b"tenant_key", tenant.0.as_bytes(), id.as_bytes(), root_key_id.as_bytes()])
}

/// Length-prefixed, so that no two lists of parts read alike.
fn join(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::new();
    for part in parts {
        joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

#[cfg(test)]
#[path = "vault/tests.rs"]
mod tests;
