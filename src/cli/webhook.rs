//! `stellwerk webhook`.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    Failure,
    database::{Access, caller_in},
    print,
};
use crate::{
    config::span,
    domain::{
        idempotency::Key,
        webhook::{self, NewEndpoint, Shown},
    },
    error::Error,
    ids::{IntegrationId, TenantId, WebhookEndpointId},
    provider::booking_tool,
    words::SignatureScheme,
};

#[derive(Subcommand, Debug)]
pub enum Webhook {
    /// Make an address for a provider to post to, and its secret, which is shown once.
    Create(Create),
    /// Make a new secret for an address, which is shown once; the old ones work on for the grace period.
    Rotate(Rotate),
}

#[derive(Args, Debug)]
pub struct Create {
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    /// A name for people.
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    /// Who posts to it, as `stellwerk provider list` names them.
    #[arg(long, value_name = "PROVIDER", default_value = booking_tool::PROVIDER)]
    provider: String,
    /// How deliveries are signed. Default: as the provider prefers; the booking tool's are `standard`
    /// (Standard Webhooks) and `legacy` (hex HMAC of the body).
    #[arg(long, value_name = "SCHEME")]
    scheme: Option<SignatureScheme>,
    /// The secret, where the provider makes it. Give it by the environment: other users see arguments.
    #[arg(long, env = "STELLWERK_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    secret: Option<SecretString>,
    /// The integration it belongs to. Default: the tenant's only one of this provider, made if there is none.
    #[arg(long, value_name = "ID")]
    integration: Option<IntegrationId>,
    /// Authentic deliveries per minute. Default: the tenant's setting for the booking tool, no limit for
    /// others.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..=1_000_000))]
    limit_per_minute: Option<i32>,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Args, Debug)]
pub struct Rotate {
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    /// The endpoint's id (not its address).
    #[arg(long, value_name = "ID")]
    endpoint: WebhookEndpointId,
    /// The secret, where the provider makes it. Give it by the environment: other users see arguments.
    #[arg(long, env = "STELLWERK_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    secret: Option<SecretString>,
    /// How long the old secrets work on, at most 30d; `0s` ends them at once.
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = span)]
    grace: Duration,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Webhook {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run().await,
            Self::Rotate(command) => command.run().await,
        }
    }
}

impl Create {
    async fn run(self) -> Result<(), Failure> {
        let domain = self.access.domain().await?;
        let caller = caller_in(&domain, self.tenant).await?;
        let new = NewEndpoint {
            provider: self.provider,
            integration: self.integration,
            name: self.name,
            scheme: self.scheme,
            secret: self.secret,
            limit_per_minute: self.limit_per_minute,
        };
        let unrepeated = Key::new("CreateWebhookEndpoint", "", b"");
        let (made, secret) = webhook::create_endpoint(&domain, &caller, &unrepeated, new, Utc::now()).await?;
        show(self.json, &made, secret.as_ref());
        Ok(())
    }
}

impl Rotate {
    async fn run(self) -> Result<(), Failure> {
        if self.grace > Duration::from_secs(30 * 86_400) {
            return Err(Error::invalid("grace", "must be at most 30d").into());
        }
        let domain = self.access.domain().await?;
        let caller = caller_in(&domain, self.tenant).await?;
        let grace = TimeDelta::from_std(self.grace).map_err(|error| Failure::failed(&error))?;
        let unrepeated = Key::new("RotateWebhookSecret", "", b"");
        let asked = (self.endpoint, self.secret);
        let (made, secret) =
            webhook::rotate_secret(&domain, &caller, &unrepeated, asked, grace, Utc::now()).await?;
        show(self.json, &made, secret.as_ref());
        Ok(())
    }
}

fn show(json: bool, made: &Shown, secret: Option<&SecretString>) {
    let secret = secret.map(|secret| secret.expose_secret());
    let scheme = made.endpoint.scheme.as_str();
    let value = json!({
        "webhook_endpoint_id": made.endpoint.id, "url": made.url, "scheme": scheme, "secret": secret,
    });
    let lines = [
        format!("id     {}", made.endpoint.id),
        format!("url    {}", made.url),
        format!("scheme {scheme}"),
        format!("secret {}", secret.unwrap_or_default()),
    ];
    print(json, &value, &lines);
}
