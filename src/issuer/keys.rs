//! An issuer's public keys, as a set: reading them, and finding the one that fits a token.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use serde::Deserialize;

use super::TokenRefusal;
use super::config::{Algorithm, PemKey};
use crate::egress::EgressError;

/// The largest JWK set that is read, in bytes.
pub(super) const MAX_SET_BYTES: usize = 1024 * 1024;

const MAX_KEYS: usize = 100;

/// Shorter RSA keys may not sign JWTs (RFC 7518 §3.3), and longer ones take the verifier's time:
/// 2048 to 4096 bits.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

const ED25519_BYTES: usize = 32;

/// Why an issuer's keys could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    #[error("the file cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    #[error("the keys could not be fetched: {0}")]
    NotFetched(EgressError),
    #[error("the key server answered with status {0}")]
    Status(u16),
    #[error("the JWK set is larger than 1 MiB or has more than 100 keys")]
    TooLarge,
    #[error("this is not a JWK set")]
    NotASet,
    #[error("there is no key")]
    NoKey,
    #[error("a key is not the PEM of a public key for RS*, PS*, ES256, ES384 or EdDSA")]
    NotAPublicKey,
    #[error("an RSA key does not have 2048 to 4096 bits")]
    RsaSize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Kind {
    fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => Self::Rsa,
            Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 => Self::Rsa,
            Algorithm::ES256 => Self::P256,
            Algorithm::ES384 => Self::P384,
            Algorithm::EdDSA => Self::Ed25519,
        }
    }
}

/// One public key that may check signatures.
#[derive(Debug)]
pub(super) struct PublicKey {
    kid: Option<String>,
    kind: Kind,
    /// The only algorithm it is meant for, if its owner said so.
    algorithm: Option<Algorithm>,
    decoding: DecodingKey,
}

impl PublicKey {
    fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind == Kind::of(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether `signature`, in base64url, is this key's for `message`.
    pub(super) fn has_signed(&self, message: &str, signature: &str, algorithm: Algorithm) -> bool {
        let verdict =
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.decoding, algorithm.into());
        verdict.unwrap_or(false)
    }

    fn from_pem(pem: &PemKey) -> Result<Self, KeyProblem> {
        let text = pem.public_key.as_bytes();
        // The library would read private keys and certificates as well, and not as what they are.
        if !["-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----"]
            .iter()
            .any(|begin| pem.public_key.trim_start().starts_with(begin))
        {
            return Err(KeyProblem::NotAPublicKey);
        }
        let decoding = DecodingKey::from_ec_pem(text)
            .or_else(|_| DecodingKey::from_ed_pem(text))
            .or_else(|_| DecodingKey::from_rsa_pem(text))
            .map_err(|_| KeyProblem::NotAPublicKey)?;
        let bytes = decoding.try_get_as_bytes().map_err(|_| KeyProblem::NotAPublicKey)?;
        // 65 and 97 bytes are uncompressed points, 0x04 ‖ x ‖ y (SEC 1 §2.3.3).
        let kind = match (decoding.family(), bytes.len()) {
            (AlgorithmFamily::Ec, 65) => Kind::P256,
            (AlgorithmFamily::Ec, 97) => Kind::P384,
            (AlgorithmFamily::Ed, ED25519_BYTES) => Kind::Ed25519,
            (AlgorithmFamily::Rsa, _) => {
                let parts = (DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key)(bytes);
                let (modulus, _) = parts.map_err(|_| KeyProblem::NotAPublicKey)?;
                if !RSA_MODULUS_BYTES.contains(&modulus.len()) {
                    return Err(KeyProblem::RsaSize);
                }
                Kind::Rsa
            }
            _ => return Err(KeyProblem::NotAPublicKey),
        };
        Ok(Self { kid: pem.kid.clone(), kind, algorithm: None, decoding })
    }

    /// None for keys that are not for checking signatures, or not in a way we know.
    fn from_jwk(jwk: Jwk) -> Option<Self> {
        if jwk.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        if jwk.key_ops.is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
            return None;
        }
        let algorithm = match jwk.alg.as_deref().map(Algorithm::parse) {
            Some(None) => return None,
            Some(known) => known,
            None => None,
        };
        let coordinate = |text: &Option<String>, bytes: usize| {
            let decoded = URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()?;
            (decoded.len() == bytes).then_some(decoded)
        };
        // Lengths are checked here because the library slices an Ed25519 key without looking.
        let point = |bytes| {
            let (x, y) = (coordinate(&jwk.x, bytes)?, coordinate(&jwk.y, bytes)?);
            Some(DecodingKey::from_ec_der(&[&[0x04], x.as_slice(), &y].concat()))
        };
        let (kind, decoding) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("EC", Some("P-256")) => (Kind::P256, point(32)?),
            ("EC", Some("P-384")) => (Kind::P384, point(48)?),
            ("OKP", Some("Ed25519")) => {
                (Kind::Ed25519, DecodingKey::from_ed_der(&coordinate(&jwk.x, ED25519_BYTES)?))
            }
            ("RSA", _) => {
                let modulus = URL_SAFE_NO_PAD.decode(jwk.n?).ok()?;
                let exponent = URL_SAFE_NO_PAD.decode(jwk.e?).ok()?;
                let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
                if !RSA_MODULUS_BYTES.contains(&significant) {
                    return None;
                }
                (Kind::Rsa, DecodingKey::from_rsa_raw_components(&modulus, &exponent))
            }
            _ => return None,
        };
        // A key that says it is for another kind of signature contradicts itself.
        if algorithm.is_some_and(|own| Kind::of(own) != kind) {
            return None;
        }
        Some(Self { kid: jwk.kid, kind, algorithm, decoding })
    }
}

/// A key of RFC 7517, as far as it matters here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct KeySet(Vec<PublicKey>);

impl KeySet {
    /// Reads a JWK set. Keys of unknown kinds are passed over (RFC 7517 §5), so a set may come out empty:
    /// that is an issuer that has withdrawn its keys.
    pub(super) fn from_jwks(text: &[u8]) -> Result<Self, KeyProblem> {
        if text.len() > MAX_SET_BYTES {
            return Err(KeyProblem::TooLarge);
        }
        let set: JwkSet = serde_json::from_slice(text).map_err(|_| KeyProblem::NotASet)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeyProblem::TooLarge);
        }
        let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(jwks.filter_map(PublicKey::from_jwk).collect()))
    }

    /// Reads fixed keys; one bad key refuses them all, because an operator wrote them down.
    pub(super) fn from_pem(pems: &[PemKey]) -> Result<Self, KeyProblem> {
        if pems.is_empty() {
            return Err(KeyProblem::NoKey);
        }
        if pems.len() > MAX_KEYS {
            return Err(KeyProblem::TooLarge);
        }
        pems.iter().map(PublicKey::from_pem).collect::<Result<_, _>>().map(Self)
    }

    /// Finds the key a token names. A token may name none if there is only one, and a single key without a
    /// name serves whatever the token calls it.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&PublicKey, TokenRefusal> {
        let named = |key: &&PublicKey| match (self.0.as_slice(), kid) {
            ([_], None) => true,
            ([only], Some(_)) if only.kid.is_none() => true,
            (_, Some(kid)) => key.kid.as_deref() == Some(kid),
            (_, None) => false,
        };
        let mut candidates = self.0.iter().filter(named).peekable();
        candidates.peek().ok_or(TokenRefusal::UnknownKey)?;
        candidates.find(|key| key.fits(algorithm)).ok_or(TokenRefusal::AlgorithmNotAllowed)
    }
}
