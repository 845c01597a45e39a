//! `stellwerk api-key`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    Failure,
    database::{Access, caller_in},
    moment, print,
};
use crate::{
    caller::Caller,
    config::span,
    domain::{
        Domain,
        access::{self, ApiKeySpec},
        idempotency::Key,
    },
    grpc::access_rules::{AccessRules, DESCRIPTORS},
    ids::{ApiKeyId, TenantId},
    page::{MAX_SIZE, Page},
    store::api_key::ApiKey as Row,
    words::{Origin, Role},
};

#[derive(Subcommand, Debug)]
pub enum ApiKey {
    /// Make a key; its secret is shown once.
    Create(Create),
    /// List the keys of a tenant, or the operators'.
    List(List),
    /// End a key at once.
    Revoke(Revoke),
}

/// Whose keys.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Owner {
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// The operators': they work across tenants and see no personal data.
    #[arg(long)]
    operator: bool,
}

#[derive(Args, Debug)]
pub struct Create {
    #[command(flatten)]
    owner: Owner,
    /// A name for people.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What its caller may do: admin, hr, practitioner, patient or service.
    #[arg(long, value_name = "ROLE", required_unless_present = "operator", conflicts_with = "operator")]
    role: Option<Role>,
    /// For a service: what it may do, as in `appointments:write`; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Where the changes made with it come from, as histories and lists will say. Default: api for a service,
    /// admin for others.
    #[arg(long, value_name = "ORIGIN", value_parser = origin())]
    origin: Option<Origin>,
    /// When it stops working, as in `90d`. Default: never.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    expires_in: Option<Duration>,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Args, Debug)]
pub struct List {
    #[command(flatten)]
    owner: Owner,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Args, Debug)]
pub struct Revoke {
    #[command(flatten)]
    owner: Owner,
    /// The key's id.
    #[arg(long, value_name = "ID")]
    key: ApiKeyId,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl ApiKey {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Revoke(command) => command.run().await,
        }
    }
}

impl Owner {
    async fn caller(&self, domain: &Domain) -> Result<Caller, Failure> {
        caller_in(domain, self.tenant.unwrap_or(TenantId::HOUSE)).await
    }
}

impl Create {
    async fn run(self) -> Result<(), Failure> {
        let (now, domain) = (Utc::now(), self.access.domain().await?);
        let caller = self.owner.caller(&domain).await?;
        let spec = ApiKeySpec {
            name: self.name,
            role: self.role.unwrap_or(Role::Operator),
            scopes: self.scopes,
            origin: self.origin,
            expire_time: self
                .expires_in
                .and_then(|span| now.checked_add_signed(TimeDelta::from_std(span).ok()?)),
        };
        let unrepeated = Key::new("CreateApiKey", "", b"");
        let made =
            access::create_api_key(&domain, &caller, &unrepeated, &spec, &known_scopes()?, now).await?;
        let secret = made.secret.as_ref().map(|secret| secret.expose_secret());
        let mut value = shown(&made.key);
        value["api_key"] = json!(secret);
        let lines = [
            format!("id      {}", made.key.id),
            format!("origin  {}", made.key.origin),
            format!("API key {}", secret.unwrap_or_default()),
        ];
        print(self.json, &value, &lines);
        Ok(())
    }
}

impl List {
    async fn run(self) -> Result<(), Failure> {
        let domain = self.access.domain().await?;
        let caller = self.owner.caller(&domain).await?;
        let mut page = Page { size: MAX_SIZE.into(), after: None };
        let mut keys = Vec::new();
        loop {
            let part = access::list_api_keys(&domain, &caller, &page).await?;
            keys.extend(part.rows);
            match part.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        let value = json!({ "api_keys": keys.iter().map(shown).collect::<Vec<_>>() });
        let lines: Vec<String> = keys.iter().map(|key| line(key, Utc::now())).collect();
        print(self.json, &value, &lines);
        Ok(())
    }
}

impl Revoke {
    async fn run(self) -> Result<(), Failure> {
        let domain = self.access.domain().await?;
        let caller = self.owner.caller(&domain).await?;
        let key =
            access::revoke_api_key(&domain, &caller, &Key::new("RevokeApiKey", "", b""), self.key).await?;
        print(self.json, &shown(&key), &[format!("{} works no more", key.id)]);
        Ok(())
    }
}

/// What a caller outside can be; the other origins follow from what the server itself does.
fn origin() -> impl TypedValueParser<Value = Origin> {
    let outside = [Origin::Retell, Origin::Admin, Origin::Api].map(Origin::as_str);
    PossibleValuesParser::new(outside).try_map(|word| word.parse::<Origin>())
}

/// The scopes that some rpc asks for.
fn known_scopes() -> Result<Vec<String>, Failure> {
    let rules = AccessRules::read(DESCRIPTORS).map_err(|error| Failure::failed(&error))?;
    let mut scopes: Vec<String> = rules.all().filter_map(|(_, rule)| rule.scope.clone()).collect();
    scopes.sort();
    scopes.dedup();
    Ok(scopes)
}

fn shown(key: &Row) -> Value {
    json!({
        "api_key_id": key.id, "name": key.name, "prefix": key.prefix, "role": key.role.as_str(),
        "scopes": key.scopes,
        "origin": key.origin.as_str(),
        "create_time": moment(key.create_time), "expire_time": key.expire_time.map(moment),
        "revoke_time": key.revoke_time.map(moment), "last_use_time": key.last_use_time.map(moment),
    })
}

fn line(key: &Row, now: DateTime<Utc>) -> String {
    let state = match (key.revoke_time, key.expire_time) {
        (Some(_), _) => "revoked",
        (None, Some(expiry)) if expiry <= now => "expired",
        _ => "works",
    };
    let last_use =
        key.last_use_time.map_or_else(|| "never used".into(), |time| format!("last used {}", moment(time)));
    let (role, origin) = (key.role.as_str(), key.origin.as_str());
    format!("{}  {}…  {role:12}  {origin:6}  {state:7}  {last_use}  {}", key.id, key.prefix, key.name)
}
