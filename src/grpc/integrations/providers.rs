//! Between the catalog and its wire types.

use super::integration::Linkable;
use crate::{
    grpc::webhooks::schemes,
    proto,
    provider::catalog::{Category, Connect, Noun, Verification, oauth::Placeholder, webhook::Secret},
};

impl From<Linkable> for proto::Provider {
    fn from(provider: Linkable) -> Self {
        let Linkable { row, has_client, client_webhook_url, makes_webhooks } = provider;
        let (oauth, key) = (proto::CredentialKind::Oauth2, proto::CredentialKind::ApiKey);
        let credential_kinds = match row.connect {
            Connect::OAuth(_) => vec![oauth.into()],
            Connect::ApiKey(_) => vec![key.into()],
            Connect::OAuthOrApiKey(..) => vec![oauth.into(), key.into()],
            Connect::WebhookOnly => vec![],
        };
        let verifications = row.webhook.as_ref().map_or(&[][..], |webhook| webhook.verifications);
        let oauth = row.oauth();
        Self {
            provider: row.id.into(),
            name: row.name.into(),
            credential_kinds,
            default_instance_url: row.api.as_ref().map_or("", |api| api.base_url).into(),
            category: category(row.category).into(),
            inbound: row.adapter.inbound().iter().map(|noun| kind(*noun).into()).collect(),
            outbound: row.adapter.outbound().iter().map(|noun| kind(*noun).into()).collect(),
            webhooks: verifications.iter().map(webhook).collect(),
            makes_webhooks,
            client_webhook_url: client_webhook_url.unwrap_or_default(),
            placeholders: oauth.map_or(&[][..], |oauth| oauth.placeholders).iter().map(placeholder).collect(),
            default_scopes: oauth
                .map_or(&[][..], |oauth| oauth.default_scopes)
                .iter()
                .map(|scope| (*scope).into())
                .collect(),
            has_client,
        }
    }
}

fn category(category: Category) -> proto::ProviderCategory {
    match category {
        Category::Communication => proto::ProviderCategory::Communication,
        Category::Development => proto::ProviderCategory::Development,
        Category::HumanResources => proto::ProviderCategory::HumanResources,
        Category::Knowledge => proto::ProviderCategory::Knowledge,
        Category::Productivity => proto::ProviderCategory::Productivity,
        Category::ProjectManagement => proto::ProviderCategory::ProjectManagement,
        Category::Scheduling => proto::ProviderCategory::Scheduling,
        Category::Storage => proto::ProviderCategory::Storage,
        Category::Support => proto::ProviderCategory::Support,
    }
}

fn kind(noun: Noun) -> proto::RecordKind {
    match noun {
        Noun::Patients => proto::RecordKind::Patients,
        Noun::Appointments => proto::RecordKind::Appointments,
        Noun::Projects => proto::RecordKind::Projects,
        Noun::Phases => proto::RecordKind::Phases,
        Noun::Absences => proto::RecordKind::Absences,
        Noun::TimeEntries => proto::RecordKind::TimeEntries,
    }
}

fn webhook(verification: &Verification) -> proto::ProviderWebhook {
    let source = match verification.secret {
        Secret::Ours => proto::WebhookSecretSource::Here,
        Secret::Theirs => proto::WebhookSecretSource::Provider,
        Secret::Handshake => proto::WebhookSecretSource::Handshake,
    };
    proto::ProviderWebhook { scheme: schemes::told(verification.scheme).into(), secret_source: source.into() }
}

fn placeholder(placeholder: &Placeholder) -> proto::ProviderPlaceholder {
    proto::ProviderPlaceholder {
        name: placeholder.name.into(),
        default_value: placeholder.default.unwrap_or_default().into(),
    }
}
