//! Deliveries to the one address of our client at a provider: our client's secret first, then the account
//! inside the verified body finds the tenant.

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use serde_json::{Map, Value, json};

use super::{
    Answer, Turns, greeting,
    keep::{Arrival, keep},
    trust, unadapted,
};
use crate::{
    domain::{
        Domain,
        webhook::{address_of_client, new_endpoint},
    },
    error::{Error, Result},
    ids::WebhookEndpointId,
    provider::{
        catalog::{
            self, Pointer,
            webhook::{Address, Routing},
        },
        signature::Request,
    },
    store::{self, TenantTx, resolve::ResolvedAccount, webhook_endpoint::WebhookEndpoint},
    vault::TenantKey,
    words::SignatureScheme,
};

/// Accounts that one delivery may name.
const MAX_ACCOUNTS: usize = 10_000;

/// What a provider sent to our client.
pub struct ClientDelivery<'a> {
    pub provider: &'a str,
    pub method: &'a Method,
    /// What stood behind the question mark.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub receive_time: DateTime<Utc>,
}

/// Takes in what is for all tenants. Where nothing is configured to prove it, there is no such address.
///
/// Errors: `Unavailable` and `Overloaded` when it could not be committed for every tenant that it is for;
/// the provider then repeats it.
pub async fn receive_for_client(
    domain: &Domain,
    turns: &Turns,
    delivery: ClientDelivery<'_>,
) -> Result<Answer> {
    let row = catalog::find(delivery.provider);
    let webhook = row.and_then(|row| row.webhook.as_ref()).filter(|one| one.address == Address::PerClient);
    let proven = webhook.and_then(|webhook| {
        let proof = |verification| {
            Some((webhook, verification, trust::secret_of_client(domain, delivery.provider, verification)?))
        };
        webhook.verifications.iter().find_map(proof)
    });
    let Some((webhook, verification, secret)) = proven else { return Ok(Answer::UnknownEndpoint) };
    if let Some(answer) = greeting::unsigned(webhook, delivery.method, delivery.query) {
        return Ok(answer);
    }
    let Routing::Account(places) = webhook.routing else { return Ok(Answer::UnknownEndpoint) };
    if *delivery.method != Method::POST {
        return Ok(Answer::UnknownEndpoint);
    }
    let address = address_of_client(domain, delivery.provider);
    let request = Request { headers: delivery.headers, body: delivery.body, address: &address };
    let known = (delivery.provider, verification);
    let secrets = [secret];
    let judged = trust::judge(domain, known, &request, (&secrets, None), delivery.receive_time).await?;
    let verified = match judged {
        Ok(verified) => verified,
        Err(refusal) => return Ok(Answer::Refused(refusal)),
    };
    if let Some(answer) = greeting::signed(webhook, delivery.body) {
        return Ok(answer);
    }

    let said = unadapted::document(delivery.headers, delivery.body);
    let Some(named) = Named::of(&said, places) else { return Ok(Answer::NotParseable) };
    let found = domain.store.resolve_accounts(delivery.provider, &named.accounts).await?;
    let mut answer = Answer::Nobodys;
    for account in &found {
        let body = named.part_of(&account.account_id, delivery.body);
        let one = (account, verification.scheme);
        let kept = keep_for((domain, turns), one, &delivery, &body, verified.delivery_id.clone()).await?;
        if let (Answer::Nobodys, Some(kept)) = (&answer, kept) {
            answer = kept;
        }
    }
    Ok(answer)
}

/// The accounts that a delivery names.
struct Named {
    accounts: Vec<String>,
    /// Where they are, if they are in a list: then the others of it are none of a tenant's business.
    list: Option<Pointer>,
}

impl Named {
    /// The first of these places that names any. `None`: too many.
    fn of(said: &Value, places: &[Pointer]) -> Option<Self> {
        let named = places.iter().find_map(|place| match said.pointer(place)? {
            Value::String(account) => Some(Self { accounts: vec![account.clone()], list: None }),
            Value::Array(list) => {
                let accounts = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                Some(Self { accounts, list: Some(place) })
            }
            _ => None,
        });
        let named = named.unwrap_or(Self { accounts: Vec::new(), list: None });
        (named.accounts.len() <= MAX_ACCOUNTS).then_some(named)
    }

    /// What an account's tenant may see of the body.
    fn part_of(&self, account: &str, body: &[u8]) -> Vec<u8> {
        let Some(place) = self.list else { return body.to_vec() };
        let path: Vec<&str> = place.split('/').skip(1).collect();
        let inside = |value: Value, name: &&str| Value::Object(Map::from_iter([((*name).to_owned(), value)]));
        path.iter().rev().fold(json!([account]), inside).to_string().into_bytes()
    }
}

/// Keeps a delivery for one of the integrations it is for. `None`: that one does not take any.
async fn keep_for(
    (domain, turns): (&Domain, &Turns),
    (account, scheme): (&ResolvedAccount, SignatureScheme),
    delivery: &ClientDelivery<'_>,
    body: &[u8],
    signed_id: Option<String>,
) -> Result<Option<Answer>> {
    let key = domain.tenant_key(account.tenant_id).await?;
    let _turn = turns.wait(account.tenant_id, account.integration_id.0).await?;
    let mut tx = domain.store.tenant(account.tenant_id).await?;
    let whose = (account, delivery.provider, scheme);
    let endpoint = stand_in(&mut tx, &key, whose, delivery.receive_time).await?;
    // There is no limit; this is the sign of life, and makes the deliveries of one account apply one by one.
    let admission = store::webhook_endpoint::admit(&mut tx, endpoint.id, &[], 0).await?;
    if !admission.is_open {
        return Ok(None);
    }
    let arrival = Arrival {
        endpoint: endpoint.id,
        integration: account.integration_id,
        provider: delivery.provider,
        headers: delivery.headers,
        body,
        receive_time: admission.admit_time,
    };
    let answer = keep(&mut tx, &arrival, &key, signed_id).await?;
    tx.commit().await?;
    Ok(Some(answer))
}

/// What stands for the client's address among an integration's endpoints; made when the first delivery comes.
async fn stand_in(
    tx: &mut TenantTx,
    key: &TenantKey,
    (account, provider, scheme): (&ResolvedAccount, &str, SignatureScheme),
    now: DateTime<Utc>,
) -> Result<WebhookEndpoint> {
    if let Some(known) = store::webhook_endpoint::of_client(tx, account.integration_id).await? {
        return Ok(known);
    }
    tx.lock("webhook_endpoints").await?;
    if let Some(known) = store::webhook_endpoint::of_client(tx, account.integration_id).await? {
        return Ok(known);
    }
    let name = catalog::find(provider).map_or(provider, |row| row.name);
    let whose = (account.integration_id, provider);
    let fresh = new_endpoint(key, WebhookEndpointId::new(), whose, name.into(), (scheme, 0), now)?;
    let fresh = WebhookEndpoint { is_clients: true, ..fresh };
    store::webhook_endpoint::insert(tx, &fresh).await?;
    store::webhook_endpoint::of_client(tx, account.integration_id)
        .await?
        .ok_or_else(|| Error::internal("an endpoint was not kept"))
}
