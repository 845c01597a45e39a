//! `stellwerk tenant`.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Failure, database::Access, print};
use crate::{
    caller::Caller,
    domain::{access, idempotency::Key},
    ids::TenantId,
};

#[derive(Subcommand, Debug)]
pub enum Tenant {
    /// Make a tenant and its first admin key, which is shown once.
    Create(Create),
}

#[derive(Args, Debug)]
pub struct Create {
    /// A name for people.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The IANA time zone.
    #[arg(long, value_name = "ZONE", default_value = "Europe/Berlin")]
    time_zone: String,
    /// Repeating the command with the same key makes no second tenant; the admin key is not shown again.
    #[arg(long, value_name = "KEY", default_value = "")]
    idempotency_key: String,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Tenant {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self::Create(create) = self;
        create.run().await
    }
}

impl Create {
    async fn run(self) -> Result<(), Failure> {
        let domain = self.access.domain().await?;
        let request = [self.name.as_bytes(), b"\0", self.time_zone.as_bytes()].concat();
        let key = Key::new("CreateTenant", &self.idempotency_key, &request);
        let house = Caller::system(TenantId::HOUSE);
        let made = access::create_tenant(&domain, &house, &key, &self.name, &self.time_zone).await?;
        let secret = made.secret.as_ref().map(|secret| secret.expose_secret());
        let value = json!({
            "tenant_id": made.tenant.id, "name": made.tenant.name,
            "api_key_id": made.admin_key.id, "api_key": secret,
        });
        let lines = [
            format!("tenant    {}", made.tenant.id),
            format!("admin key {}", secret.unwrap_or("was shown before")),
        ];
        print(self.json, &value, &lines);
        Ok(())
    }
}
