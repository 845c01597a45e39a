//! What a credential of the kind `oauth2` keeps sealed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::{Credential, Domain, Error, Result, TenantId};

/// A grant as it is sealed, in JSON.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::domain) struct Grant {
    #[serde(serialize_with = "exposed")]
    pub access: SecretString,
    /// Absent where the provider gives none.
    #[serde(default, serialize_with = "exposed_if_any")]
    pub refresh: Option<SecretString>,
    /// The registration that it was given to; another one's secret does not refresh it.
    pub client_id: String,
    /// Of the authorization request.
    pub redirect_uri: String,
}

impl Grant {
    pub(in crate::domain) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(Error::internal)
    }

    pub(in crate::domain) async fn open(domain: &Domain, tenant: TenantId, row: &Credential) -> Result<Self> {
        // A parser's error would repeat what it stumbled over.
        serde_json::from_slice(&super::unseal(domain, tenant, row).await?)
            .map_err(|_| Error::internal("a grant that is no JSON"))
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").finish_non_exhaustive()
    }
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn exposed_if_any<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => serializer.serialize_some(secret.expose_secret()),
        None => serializer.serialize_none(),
    }
}
