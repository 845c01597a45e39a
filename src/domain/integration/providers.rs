//! What can be linked.

use crate::{
    domain::{Domain, webhook},
    page::{Page, Paged},
    provider::catalog::{
        self, Adapter, Provider,
        webhook::{Address, ClientSecret, Setup},
    },
};

/// An outside service, and how this installation stands with it.
#[derive(Debug, Clone)]
pub struct Linkable {
    pub row: &'static Provider,
    /// This installation is registered with it.
    pub has_client: bool,
    /// Where it posts what is for all tenants; absent where it does not, or could not be believed.
    pub client_webhook_url: Option<String>,
    /// Its integrations register their webhooks themselves.
    pub makes_webhooks: bool,
}

/// A page by key.
pub fn providers(domain: &Domain, page: &Page<String>) -> Paged<Linkable, String> {
    let is_after = |provider: &&&Provider| page.after.as_deref().is_none_or(|after| provider.id > after);
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let rows = catalog::all().iter().filter(is_after).take(limit).map(|row| linkable(domain, row)).collect();
    page.cut(rows, |provider: &Linkable| provider.row.id.to_string())
}

fn linkable(domain: &Domain, row: &'static Provider) -> Linkable {
    let has_client = domain.deployments.client(row.id).is_some();
    let webhook = row.webhook.as_ref();
    let is_believed =
        webhook.filter(|webhook| webhook.address == Address::PerClient).is_some_and(|webhook| {
            webhook.verifications.iter().any(|verification| match verification.client_secret {
                Some(ClientSecret::Signing) => domain.deployments.signing_secret(row.id).is_some(),
                Some(ClientSecret::OAuth) => has_client,
                None => false,
            })
        });
    Linkable {
        row,
        has_client,
        client_webhook_url: is_believed.then(|| webhook::address_of_client(domain, row.id)),
        makes_webhooks: webhook.is_some_and(|webhook| webhook.setup == Setup::Api)
            && row.adapter != Adapter::None,
    }
}
