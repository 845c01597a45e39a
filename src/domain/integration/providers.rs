//! What can be linked.

use super::CALCOM;
use crate::{
    page::{Page, Paged},
    provider::calcom,
    words::CredentialKind,
};

/// An outside service that can be linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    pub key: &'static str,
    pub name: &'static str,
    /// What opens its API to us; nothing for one that only posts to us.
    pub credential_kinds: &'static [CredentialKind],
    /// Where its API is unless a tenant has an instance of its own; absent for one that is never asked.
    pub default_instance: Option<&'static str>,
}

/// By key.
const PROVIDERS: [Provider; 2] = [
    Provider { key: "booking", name: "Booking tool", credential_kinds: &[], default_instance: None },
    Provider {
        key: CALCOM,
        name: "Cal.com",
        credential_kinds: &[CredentialKind::ApiKey],
        default_instance: Some(calcom::DEFAULT_INSTANCE),
    },
];

/// A page by key.
pub fn providers(page: &Page<String>) -> Paged<Provider, String> {
    let is_after = |provider: &Provider| page.after.as_deref().is_none_or(|after| provider.key > after);
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let rows = PROVIDERS.into_iter().filter(is_after).take(limit).collect();
    page.cut(rows, |provider: &Provider| provider.key.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_one_show_every_provider_once_and_in_order() {
        let mut keys = Vec::new();
        let mut page = Page { size: 1, after: None };
        loop {
            let paged = providers(&page);
            keys.extend(paged.rows.iter().map(|provider| provider.key));
            match paged.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }

        assert_eq!(keys, PROVIDERS.map(|provider| provider.key));
        assert!(keys.is_sorted());
    }
}
