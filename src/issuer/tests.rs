//! Tokens of invented issuers, checked against fixed keys, a file on disk and a key server on loopback. Holds
//! P2 and P3.

#[path = "../../tests/it/support/jwt.rs"]
mod jwt;

mod claims;
mod config;
mod signature;
mod sources;

use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::uuid;

use super::*;
use crate::egress::EgressConfig;
use jwt::{EDDSA, ES256, ES256_NEXT, KeyServer, PS256, RS256, TestKey};

const ISSUER: &str = "https://id.example.com/";
const AUDIENCE: &str = "stellwerk";
const ACME: Uuid = uuid!("0190c0de-0000-7000-8000-00000000000a");
const GLOBEX: Uuid = uuid!("0190c0de-0000-7000-8000-00000000000b");

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

fn after(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

/// Erika's token for acme, before a test bends it.
fn claims() -> Value {
    jwt::claims(ISSUER, AUDIENCE, "erika", ACME, "desk", now())
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn config(keys: KeySource) -> IssuerConfig {
    IssuerConfig {
        issuer: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned(), "stellwerk-preview".to_owned()],
        algorithms: vec![Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256, Algorithm::PS256],
        keys,
        tenants: TenantRule::Claim { name: "stellwerk_tenant".to_owned(), allowed: vec![ACME] },
        subject_claim: "sub".to_owned(),
        role_claim: "stellwerk_role".to_owned(),
        role_map: [("desk".to_owned(), JwtRole::Admin), ("doctor".to_owned(), JwtRole::Practitioner)].into(),
        leeway: Duration::from_secs(30),
    }
}

/// A JWK set in a file of its own, gone with the value.
struct KeyFile(PathBuf);

impl KeyFile {
    fn of(set: &Value) -> Self {
        let name = format!("stellwerk-test-jwks-{}.json", Uuid::now_v7());
        let file = Self(std::env::temp_dir().join(name));
        file.write(set);
        file
    }

    fn write(&self, set: &Value) {
        std::fs::write(&self.0, set.to_string()).expect("written");
    }

    fn source(&self) -> KeySource {
        KeySource::JwksFile(self.0.clone())
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // A test may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn pem(kid: Option<&str>, public_key: &str) -> PemKey {
    PemKey { kid: kid.map(str::to_owned), public_key: public_key.to_owned() }
}

fn egress(host: Option<&str>) -> Arc<Egress> {
    let allow_private = host.iter().map(|host| host.parse().expect("an entry")).collect();
    Arc::new(Egress::new(EgressConfig { allow_private, ..EgressConfig::default() }).expect("a client"))
}

fn issuers(config: IssuerConfig) -> Issuers {
    Issuers::new(vec![config], egress(None)).expect("a sound configuration")
}

/// The issuer whose keys are in a file, together with that file.
struct FromFile {
    issuers: Issuers,
    _file: KeyFile,
}

impl Deref for FromFile {
    type Target = Issuers;

    fn deref(&self) -> &Issuers {
        &self.issuers
    }
}

fn issuers_with(keys: &[TestKey]) -> FromFile {
    issuers_with_set(&jwt::jwks(keys))
}

fn issuers_with_set(set: &Value) -> FromFile {
    let file = KeyFile::of(set);
    FromFile { issuers: issuers(config(file.source())), _file: file }
}

/// The issuer whose keys come from this server.
fn issuers_at(server: &KeyServer) -> Issuers {
    let source = KeySource::jwks_url(server.url().parse().expect("a URL"));
    Issuers::new(vec![config(source)], egress(Some(&server.host()))).expect("a sound configuration")
}

async fn refusal(issuers: &Issuers, token: &str) -> TokenRefusal {
    issuers.verify(token, now()).await.expect_err("refused")
}

/// The public half of `jwt::ES256`.
const PUBLIC_ES256: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfFhU6+/JnmU8qY1EdBBZfj0JWh75
CfBloZN4O7KYDpjovg43GEyd6K+tgwsY64QplNoS0SwAhaBCsyCwGhZ2wg==
-----END PUBLIC KEY-----
";

/// The public half of `jwt::EDDSA`.
const PUBLIC_ED25519: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAkY8zSqERNUEpuG9xWHQxg8VAXg2pjzx89Q+wBXnjPtQ=
-----END PUBLIC KEY-----
";

/// The public half of `jwt::RS256`.
const PUBLIC_RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA3X2UlPPMxvbnF4nFNQBW
HiByJmD5jgnF12SDn6IpVkP5Fu1WANPI6WDApm0MOs6PCjmrPJLLZ0nM944kqgCO
hETyPO9mp8NqSkDFpc/AOmuECptMxPaUmlHvAmq5btLK57irymNCCkPxauyp3jMC
lmzkvCtJ5R7pmuTRHnkQCIRTMTsyRHKOBBTQHoFBZyruEKth1aX8vPOzG3sa3HyE
98+9e2YozXe4CmMJ/Lb1RY7v4GcfYa3jMPE/rDD9VadwTBUJU9SO5LqiU9zrkMGS
Bwsre4c+B7hqlPgBfV/eWgIxKotujNHE5ezyTS5kcnWBSfbeGMOzIBPXmryshAZN
nQIDAQAB
-----END PUBLIC KEY-----
";

/// An RSA key of 1024 bits.
const PUBLIC_RSA_SHORT: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDMelqG7J8qe42t+USfj3J+i3hN
Fe3ksusmjKgMvajth3AK+gQvvAxMhcHnZ0OIt0aIpF7FZ31pBRFbwHulO9Mx2lj3
YddHUDheD0FXOewbhmT26M69ij0yDIr7+aCEI2RsLLPDUAgdTGAF3Lclad8aPurF
Wkf+IJO/PIVzsGbC5QIDAQAB
-----END PUBLIC KEY-----
";
